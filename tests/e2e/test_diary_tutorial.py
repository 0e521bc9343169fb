"""The tutorial of the diary GPT, run as it is written."""

import json
import re
import uuid

from tests.e2e.test_tenants_and_keys import PROJECT, shell

PAGE = (PROJECT / "docs" / "tutorials" / "diary-gpt.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def answers(printed: str) -> list[dict[str, object]]:
    """The JSON objects of an output, in their order."""
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(line)[0] for line in printed.splitlines() if line.startswith("{")]


def test_the_tutorial_runs_as_it_is_written() -> None:
    """Every call answers as the text says: one refusal, three entries, none for Ann."""
    done = shell("".join(BLOCKS).replace("diary-gpt", f"e2e-{uuid.uuid4().hex[:12]}"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = answers(done.stdout)

    problems = [each for each in found if str(each.get("type", "")).startswith("/problems/")]
    assert [each["code"] for each in problems] == ["schema_mismatch"]
    pointers = {each["pointer"] for each in problems[0]["errors"]}  # type: ignore[attr-defined]
    assert "/body/mood" in pointers
    pages = [each["items"] for each in found if "next_cursor" in each and "mode" not in each]
    lengths = [len(items) for items in pages if isinstance(items, list)]
    assert lengths[:3] == [2, 2, 1]
    assert lengths[-1] == 0
    assert "by the river" in done.stdout

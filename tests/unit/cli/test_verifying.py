"""What `verify` shows, and the exit code it ends with."""

import json
from collections import Counter
from contextlib import AbstractContextManager

import pytest
import typer
from rich.console import Console

from cli import verifying
from streams.errors import DependencyDown
from streams.settings import Settings
from streams.verify import Difference, Kind, Pace
from tests.unit.cli.conftest import printed

BEHIND = Difference(Kind.INDEX_BEHIND, "doc_1", "version 2", "demo", "doc_1", certain=True)
PERHAPS = Difference(Kind.STUCK, "run_1", "nothing followed", "demo", "doc_1")


def test_people_read_what_differs_and_what_mends_it(page: Console) -> None:
    """Suspicions are only counted, unless they are asked for."""
    lines = verifying.Lines(page, every=False)
    for each in (BEHIND, PERHAPS):
        lines.difference(each)
    lines.summary(Counter({"index_behind": 1}), Counter({"stuck": 1}), mended=0)
    said = printed(page)
    assert "index_behind  doc_1: version 2" in said
    assert "`--repair`" in said
    assert "run_1" not in said
    assert "not judged: 1 stuck" in said
    assert "1 difference (1 index_behind)" in said


def test_suspicions_are_listed_when_asked_for(page: Console) -> None:
    """They are marked as such."""
    verifying.Lines(page, every=True).difference(PERHAPS)
    assert "perhaps stuck  run_1" in printed(page)


def test_agreement_is_one_sentence(page: Console) -> None:
    """Nothing else is said."""
    verifying.Lines(page, every=False).summary(Counter(), Counter(), mended=0)
    assert printed(page) == "Postgres, ledger, index and object store agree\n"


def test_machines_read_a_line_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is an object with every field."""
    verifying.JSONLines(every=False).difference(PERHAPS)
    verifying.JSONLines(every=True).difference(BEHIND)
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "kind": "index_behind",
        "subject": "doc_1",
        "gpt_id": "demo",
        "document_id": "doc_1",
        "collection_id": None,
        "detail": "version 2",
        "certain": True,
        "remedy": BEHIND.remedy,
        "mended": None,
    }


def test_stores_that_do_not_answer_end_with_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not to be able to compare is neither agreement nor difference."""

    def away(*_: object, **__: object) -> AbstractContextManager[object]:
        raise DependencyDown("s3", "away")

    monkeypatch.setattr(verifying, "opened", away)
    settings = Settings.model_construct()
    with pytest.raises(typer.Exit) as ended:
        verifying.verify(settings, Pace(), verifying.JSONLines(every=False), repair=False)
    assert ended.value.exit_code == 2
    assert "s3: away" in capsys.readouterr().err

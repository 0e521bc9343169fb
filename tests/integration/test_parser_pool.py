"""The parser pool with real processes: what kills, hangs or bloats one costs one call."""

import asyncio
import ctypes
import io
import os
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from PIL import Image

from streams.parsing.bout import PageReader
from streams.parsing.detect import PLAIN, PNG
from streams.parsing.errors import CrashReason, ParserCrashed, ParserFailed, Unparsable
from streams.parsing.limits import Limits
from streams.parsing.page import Page, ParsedPart
from streams.parsing.pool import ParserPool
from streams.parsing.reading import open_reader

MEMORY = 400 * 1024 * 1024


def read_trouble(image: Image.Image, number: int) -> Page:
    """Do what the width of the image says: crash, hang, eat memory, leave, fail or answer."""
    if image.width == 11:
        ctypes.string_at(0)
    elif image.width == 12:
        time.sleep(3600)
    elif image.width == 13:
        return Page(number, "x" * MEMORY * 4)
    elif image.width == 14:
        os._exit(7)
    elif image.width == 15:
        raise KeyError("a bug")
    return Page(number, f"pid {os.getpid()}")


def open_trouble() -> PageReader:
    return read_trouble


def picture(folder: Path, width: int) -> Path:
    path = folder / f"{width}.png"
    buffer = io.BytesIO()
    Image.new("L", (width, 10)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
async def pool() -> AsyncIterator[ParserPool]:
    async with ParserPool(workers=1, memory_bytes=MEMORY, open_reader=open_trouble) as opened:
        yield opened


async def parse(
    pool: ParserPool, path: Path, content_type: str = PNG, timeout_s: float = 30
) -> ParsedPart:
    return await pool.parse(
        path, content_type, first_page=1, budget_s=10, timeout_s=timeout_s, limits=Limits()
    )


async def test_a_child_works_for_one_document_after_another(
    pool: ParserPool, tmp_path: Path
) -> None:
    """The same process serves, and errors of documents do not cost it its life."""
    first = await parse(pool, picture(tmp_path, 20))
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(Unparsable, match="empty_file"):
        await parse(pool, empty, PLAIN)
    second = await parse(pool, picture(tmp_path, 21))
    assert first.pages[0].text == second.pages[0].text != f"pid {os.getpid()}"


@pytest.mark.parametrize(
    ("width", "reason", "timeout_s"),
    [
        (11, CrashReason.DIED, 30),
        (12, CrashReason.TIMEOUT, 1),
        (13, CrashReason.MEMORY, 30),
        (14, CrashReason.DIED, 30),
    ],
    ids=["segfault", "hang", "memory", "exit"],
)
async def test_a_lost_child_fails_one_call_only(
    pool: ParserPool, tmp_path: Path, width: int, reason: CrashReason, timeout_s: float
) -> None:
    """The call says what became of the child, and the next one finds another child."""
    with pytest.raises(ParserCrashed) as caught:
        await parse(pool, picture(tmp_path, width), timeout_s=timeout_s)
    assert caught.value.reason is reason
    assert (await parse(pool, picture(tmp_path, 20))).page_count == 1


async def test_other_calls_go_on_while_a_child_is_lost(tmp_path: Path) -> None:
    """A neighbour in the pool notices nothing."""
    async with ParserPool(workers=2, memory_bytes=MEMORY, open_reader=open_trouble) as pool:
        outcomes = await asyncio.gather(
            parse(pool, picture(tmp_path, 11)),
            *(parse(pool, picture(tmp_path, width)) for width in range(20, 26)),
            return_exceptions=True,
        )
    assert isinstance(outcomes[0], ParserCrashed)
    assert all(isinstance(outcome, ParsedPart) for outcome in outcomes[1:])


async def test_a_bug_arrives_with_its_traceback(pool: ParserPool, tmp_path: Path) -> None:
    """An error that nobody foresaw names itself, and the child lives on."""
    with pytest.raises(ParserFailed, match="KeyError: 'a bug'") as caught:
        await parse(pool, picture(tmp_path, 15))
    assert "read_trouble" in caught.value.__notes__[0]


async def test_an_engine_that_does_not_open_is_told(tmp_path: Path) -> None:
    """A wrong setting is not mistaken for a document that kills the parser."""
    wrong = partial(open_reader, "no-such-engine")
    async with ParserPool(workers=1, memory_bytes=MEMORY, open_reader=wrong) as pool:
        for _ in range(2):
            with pytest.raises(ParserFailed, match="no-such-engine"):
                await parse(pool, picture(tmp_path, 20))


async def test_a_cancelled_call_frees_its_place(pool: ParserPool, tmp_path: Path) -> None:
    """Its child is ended, and the next call gets another."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(parse(pool, picture(tmp_path, 12), timeout_s=600), 1)
    assert (await parse(pool, picture(tmp_path, 20))).page_count == 1


async def test_children_are_replaced_after_a_number_of_documents(tmp_path: Path) -> None:
    """What leaks in a child is given back."""
    pool = ParserPool(workers=1, memory_bytes=MEMORY, open_reader=open_trouble, recycle_after=2)
    async with pool:
        parts = [await parse(pool, picture(tmp_path, 20)) for _ in range(4)]
    assert [part.pages[0].text for part in parts[:2]] == [parts[0].pages[0].text] * 2
    assert parts[2].pages[0].text != parts[1].pages[0].text


async def test_closing_leaves_no_process(tmp_path: Path) -> None:
    """Not even one that hangs."""
    pool = ParserPool(workers=2, memory_bytes=MEMORY, open_reader=open_trouble)
    async with pool:
        hanging = asyncio.create_task(parse(pool, picture(tmp_path, 12), timeout_s=600))
        assert (await parse(pool, picture(tmp_path, 20))).page_count == 1
        processes = [child.process for child in pool._children if child.process]
        pids = [process.pid for process in processes if process.pid]
        assert len(pids) == 2
    with pytest.raises(ParserCrashed):
        await hanging
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_children_end_with_their_parent(tmp_path: Path) -> None:
    """However it died: here by SIGKILL, while they wait for work."""
    program = textwrap.dedent(
        """
        import asyncio, sys
        from functools import partial
        from pathlib import Path
        from streams.parsing.pool import ParserPool
        from streams.parsing.reading import open_reader

        async def main():
            reader = partial(open_reader, "none")
            pool = ParserPool(workers=2, memory_bytes=1 << 30, open_reader=reader)
            async with pool:
                print(*(child.process.pid for child in pool._children), flush=True)
                await asyncio.sleep(600)

        if __name__ == "__main__":
            asyncio.run(main())
        """
    )
    script = tmp_path / "parent.py"
    script.write_text(program)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, script, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    children = [psutil.Process(int(pid)) for pid in (await parent.stdout.readline()).split()]
    assert len(children) == 2
    parent.kill()
    await parent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 10)
    assert alive == []

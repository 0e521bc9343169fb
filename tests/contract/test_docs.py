"""The written documents: their links, commands and names are true, and nothing is left out.

The generated pages are compared with the code in `test_reference.py` and `test_openapi.py`.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cli.reference.commands import commands
from gateway.app import openapi_document
from gateway.catalogue import KINDS
from gateway.openapi import operations

PROJECT = Path(__file__).parents[2]
PACKAGES = ("schemas", "streams", "gateway", "local", "cli", "bench")
ROOT_PAGES = ("README", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "SECURITY")
PAGES = [
    *(PROJECT / f"{name}.md" for name in ROOT_PAGES),
    *sorted((PROJECT / "docs").rglob("*.md")),
    *sorted((PROJECT / "examples").rglob("README.md")),
]
SOURCES = sorted(path for name in PACKAGES for path in (PROJECT / name).rglob("*.py"))
LONGEST = 300

LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^([a-z][a-z0-9-]*):.*## ", re.MULTILINE)
NAMED = re.compile(
    r"`((?:schemas|streams|gateway|cli|local|bench|tests|examples)/[\w./-]+)(?::(\w+))?"
)
RAISED = {
    "InvalidMessage": "",
    "Refused": "",
    "Failure": "",
    "FetchRefused": "",
    "RecordTrouble": "_trouble",
}
"""What a stage fails with: errors whose first argument is the code, or the beginning of it."""


def name(path: Path) -> str:
    """A path as it is written in the documents."""
    return path.relative_to(PROJECT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def shell_lines(page: Path) -> Iterator[str]:
    """Each line of a page's shell blocks, without its comment."""
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "sh":
            for line in block.splitlines():
                yield line.partition(" #")[0].strip()


def anchors(page: Path) -> set[str]:
    """What the headings of a page can be linked by."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link within the project leads to a file, and to a heading of it where it names one."""
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page: Path) -> None:
    """Every `make` and `actionstream` in a shell block names a target or command that there is."""
    targets = set(TARGET.findall((PROJECT / "Makefile").read_text(encoding="utf-8")))
    known = {command.removeprefix("actionstream ") for command, _ in commands()}
    for line in shell_lines(page):
        words = line.removeprefix(".venv/bin/").split()
        if words[:1] == ["make"]:
            assert words[1] in targets, line
        if words[:1] == ["actionstream"]:
            assert words[1] in known or " ".join(words[1:3]) in known, line


def test_every_page_is_in_the_index() -> None:
    """Each page of docs is linked from its index, decisions from theirs."""
    linked = set()
    for index in (PROJECT / "docs" / "README.md", PROJECT / "docs" / "decisions" / "README.md"):
        for target, _ in LINK.findall(index.read_text(encoding="utf-8")):
            linked.add((index.parent / target).resolve())
    pages = set((PROJECT / "docs").rglob("*.md")) - {PROJECT / "docs" / "README.md"}
    assert {name(page) for page in pages - linked} == set()


def test_every_call_is_on_the_page_of_calls() -> None:
    """Each operation of the API has its row in the reference."""
    page = (PROJECT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    for path, method, _ in operations(openapi_document()):
        assert f"`{method.upper()} {path}`" in page


def test_every_code_has_a_page() -> None:
    """Each code that a stage or a parser fails with is in the catalogue of problems."""
    codes = set()
    for path in (PROJECT / "streams").rglob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.args and node.func.id in RAISED else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    codes.add(first.value + RAISED[node.func.id])
            if isinstance(node, ast.ClassDef) and node.name == "Code":
                codes |= {
                    str(each.value.value)
                    for each in node.body
                    if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant)
                }
    assert len(codes) > 20
    assert {code for code in codes if code.replace("_", "-") not in KINDS} == set()


def test_the_map_has_every_folder() -> None:
    """Each package has its line on the map, and the map has none that is gone."""
    text = (PROJECT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    mapped = set(re.findall(r"^\| `([\w/]+)/` \|", text, re.MULTILINE))
    packages = {name(path.parent) for path in SOURCES} - {"streams/migrations/versions"}
    assert packages - mapped == set()
    assert {folder for folder in mapped if not (PROJECT / folder).is_dir()} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_named_code_exists(page: Path) -> None:
    """Each file that a page names is there, and each name within it."""
    for place, wanted in NAMED.findall(page.read_text(encoding="utf-8")):
        path = PROJECT / place
        assert path.exists(), place
        if wanted:
            text = path.read_text(encoding="utf-8")
            assert re.search(rf"^(class |(async )?def |){wanted}\b", text, re.MULTILINE), (
                f"{place}:{wanted}"
            )


def test_every_module_says_what_it_is() -> None:
    """Each module begins with a sentence; empty ones need none."""
    for path in SOURCES:
        module = tree(path)
        first = (ast.get_docstring(module) or "").split("\n")[0]
        assert not module.body or first.endswith((".", ":")), name(path)


def test_files_are_short() -> None:
    """No file has 300 lines; migrations may, because they are never read again."""
    for path in SOURCES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines < LONGEST or path.parent.parent.name == "migrations", name(path)

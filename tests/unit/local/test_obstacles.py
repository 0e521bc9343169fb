"""Each thing that stands in the way of a run is one sentence that says what to do."""

import hashlib
from pathlib import Path

import pytest

from local import maven, ollama, places, provision
from local.errors import Obstacle
from local.maven import Artefact
from local.ollama import Found
from local.places import Places


@pytest.fixture
def here(tmp_path: Path) -> Places:
    """Returns: places below a folder of the test."""
    return Places(cache=tmp_path, state=tmp_path, data=tmp_path, uid=None)


@pytest.fixture
def fake_maven(tmp_path: Path) -> Path:
    """Returns: a `mvn` that prints the content of the file `says` beside it and fails."""
    script = tmp_path / "mvn"
    script.write_text(f"#!/bin/sh\ncat {tmp_path}/says\nexit 1\n")
    script.chmod(0o755)
    return script


def test_no_maven(here: Places) -> None:
    """Without Maven the sentence names Debian's package."""
    with pytest.raises(Obstacle, match="apt-get install maven"):
        maven.fetch("kafka", here, print, find=lambda _: None)


def test_no_network(here: Places, fake_maven: Path) -> None:
    """When Maven gets nothing, it is tried three times, and the reason is Maven's own."""
    fake_maven.with_name("says").write_text("[INFO] x\n[ERROR] Could not transfer: unknown host\n")
    said: list[str] = []
    with pytest.raises(Obstacle, match=r"is there a network.*same command again.*unknown host"):
        maven.fetch("kafka", here, said.append, find=lambda _: str(fake_maven))
    assert said[1:] == [
        "kafka: interrupted, going on (try 2 of 3)",
        "kafka: interrupted, going on (try 3 of 3)",
    ]


def test_disk_full_while_fetching(here: Places, fake_maven: Path) -> None:
    """A disk that fills up on the way is told from a missing network."""
    fake_maven.with_name("says").write_text("[ERROR] No space left on device\n")
    with pytest.raises(Obstacle, match=r"disk is full.*ACTIONSTREAM_CACHE"):
        maven.fetch("kafka", here, print, find=lambda _: str(fake_maven))


def test_disk_full_before(tmp_path: Path) -> None:
    """Nothing is begun that would not fit, and the sentence says how much is needed."""
    with pytest.raises(Obstacle, match=r"GiB free and 1024.0 GiB are needed.*ACTIONSTREAM_CACHE"):
        places.check_space(tmp_path, needed=1024**4)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("right.jar", b"other", "right.jar"),
        ("wrong.jar", b"right", "right.jar, wrong.jar"),
    ],
)
def test_files_that_are_not_the_expected_ones(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    """A file that was changed, is missing or is too many is refused, and nothing of it is kept."""
    made = tmp_path / "made"
    made.mkdir()
    (made / name).write_bytes(content)
    wanted = [Artefact(hashlib.sha256(b"right").hexdigest(), 5, "right.jar")]
    with pytest.raises(Obstacle, match=f"not the expected ones .{complaint}."):
        maven.verify(made, wanted)
    assert not made.exists()


def test_files_that_are_the_expected_ones(tmp_path: Path) -> None:
    """A folder that is exactly the list passes and stays."""
    (tmp_path / "right.jar").write_bytes(b"right")
    maven.verify(tmp_path, [Artefact(hashlib.sha256(b"right").hexdigest(), 5, "right.jar")])
    assert (tmp_path / "right.jar").exists()


@pytest.mark.parametrize("version", [(3, 7), (3, 10), (3, 14)])
def test_python_outside_the_range(version: tuple[int, int]) -> None:
    """The three versions of the lock file pass; another is refused, naming a right one."""
    for fine in ((3, 11), (3, 12), (3, 13)):
        provision.check_python(fine)
    with pytest.raises(provision.Missing, match=r"make run PYTHON=python3\.13"):
        provision.check_python(version)


def test_setup_asks_for_maven_first() -> None:
    """What will be needed later is asked for before the first download."""
    with pytest.raises(provision.Missing, match="apt-get install maven"):
        provision.check_programs(lambda _: None)


def test_setup_needs_space() -> None:
    """The environment is not begun on a disk that it would fill."""
    with pytest.raises(provision.Missing, match=r"has 1\.0 GiB free and 2\.0 GiB are needed"):
        provision.check_space(1024**3)


def test_no_ollama() -> None:
    """Asking for Ollama where none answers says how to start it or do without."""
    with pytest.raises(Obstacle, match=r"ollama serve.*leave out MODELS=ollama"):
        ollama.choose(None, "http://127.0.0.1:11434", None)


@pytest.mark.parametrize(
    ("models", "command"),
    [((), "ollama pull all-minilm"), (("all-minilm:latest",), "ollama pull llama3.2")],
)
def test_an_ollama_without_the_models(models: tuple[str, ...], command: str) -> None:
    """A model that is missing is named with the command that fetches it."""
    with pytest.raises(Obstacle, match=command):
        ollama.choose(Found("http://host", models), "http://host", None)


def test_an_ollama_with_the_models() -> None:
    """The first model that can chat is taken, and the embedding model by its own name."""
    found = Found("http://host", ("all-minilm:latest", "nomic-embed-text:latest", "qwen3:8b"))
    assert ollama.choose(found, "http://host", None) == {
        "ACTIONSTREAM_OLLAMA_URL": "http://host",
        "ACTIONSTREAM_CHAT_MODEL": "qwen3:8b",
        "ACTIONSTREAM_EMBEDDING_MODEL": "all-minilm:latest",
    }

"""The files of a run: secrets, places, the lists of what is fetched."""

import re
from pathlib import Path

from local import maven, ports, secrets_file
from local.environment import LocalSettings
from local.places import Places, reachable
from schemas import keys

NOBODY = 65534


def test_secrets_are_made_once(tmp_path: Path) -> None:
    """A second start finds the secrets of the first, and only their owner can read them."""
    first = secrets_file.keep(tmp_path)
    file = secrets_file.write(tmp_path, {**first, "ACTIONSTREAM_S3_ENDPOINT": "http://x:1"})
    assert secrets_file.keep(tmp_path) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert secrets_file.read(tmp_path)["ACTIONSTREAM_S3_ENDPOINT"] == "http://x:1"


def test_secrets_are_long_and_different(tmp_path: Path) -> None:
    """Each secret has 192 random bits of its own."""
    made = secrets_file.keep(tmp_path)
    assert len(set(made.values())) == len(made) == len(secrets_file.SECRETS + secrets_file.KEYS)
    assert all(re.fullmatch("[0-9a-f]{48}", made[name]) for name in secrets_file.SECRETS)
    assert {keys.parse(made[name]).env for name in secrets_file.KEYS} == {"local"}


def test_keys_of_another_form_are_replaced(tmp_path: Path) -> None:
    """An older release made keys that no gateway takes any more; all else is kept."""
    made = secrets_file.keep(tmp_path)
    secrets_file.write(tmp_path, {**made, "ACTIONSTREAM_API_KEY": "0" * 48})
    found = secrets_file.keep(tmp_path)
    assert keys.parse(found["ACTIONSTREAM_API_KEY"])
    changed = {name for name in made if made[name] != found[name]}
    assert changed == {"ACTIONSTREAM_API_KEY"}


def test_every_artefact_is_pinned_by_hash() -> None:
    """Each fetched file has a SHA-256 and a size, and each server has some."""
    for program in ("kafka", "opensearch", "s3proxy"):
        listed = maven.artefacts(program)
        assert listed
        assert all(re.fullmatch("[0-9a-f]{64}", one.sha256) and one.size > 0 for one in listed)
        assert len({one.name for one in listed}) == len(listed)


def test_another_list_is_another_folder(tmp_path: Path) -> None:
    """Servers do not share a folder of files."""
    places = Places(cache=tmp_path, state=tmp_path, data=tmp_path, uid=None)
    folders = {maven.folder(name, places) for name in ("kafka", "opensearch", "s3proxy")}
    assert len(folders) == 3


def test_a_private_folder_is_out_of_reach(tmp_path: Path) -> None:
    """A folder that only its owner may enter hides all below it from another user."""
    private = tmp_path / "private"
    (private / "open").mkdir(parents=True)
    private.chmod(0o700)
    assert not reachable(private / "open", NOBODY)


def test_ports_follow_each_other() -> None:
    """All ports are numbered from the base in a fixed order, the gateway's may be its own."""
    numbered = ports.from_base(19080, gateway=8080).as_dict()
    assert numbered.pop("gateway") == 8080
    assert min(numbered.values()) == 19080
    assert len(set(numbered.values())) == len(numbered)


def test_ollama_host_as_ollama_reads_it() -> None:
    """Host and port, a URL, and the address for all interfaces lead to a URL that can be called."""
    for given, expected in (
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("https://models.example/", "https://models.example"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
    ):
        assert LocalSettings(ollama_host=given).ollama_url == expected

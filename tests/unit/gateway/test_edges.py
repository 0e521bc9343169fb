"""Small rules at the edges: names of files, waits, versions, logs, settings, field errors."""

import logging

import pytest
from pydantic import ValidationError

from gateway.deps import wanted_wait
from gateway.errors import RequestFailed
from gateway.invalid import field_errors
from gateway.logs import RateLimit
from gateway.settings import GatewaySettings
from gateway.uploads import safe_name
from schemas.api.documents import UploadOptions
from schemas.api.model import storable
from schemas.problems import Problem
from tests.unit.gateway.conftest import NOWHERE


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.pdf", "a.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\docs\\Büro.pdf", "Büro.pdf"),
        ("a\r\nb\0.pdf", "ab.pdf"),
        ("a\u202efdp.exe", "afdp.exe"),
        (" ", None),
        ("", None),
        (None, None),
        ("x" * 300, "x" * 255),
    ],
)
def test_names_of_files_are_only_names(name: str | None, safe: str | None) -> None:
    """No path, no control characters, no turned-round text, no endless names."""
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("wait_s", "prefer", "wanted"),
    [
        (3.0, "wait=9", 3.0),
        (None, "wait=9", 9.0),
        (None, "respond-async, wait = 12", 12.0),
        (None, "wait=abc", None),
        (None, "await=3", None),
        (None, None, None),
    ],
)
def test_the_parameter_goes_before_the_header(
    wait_s: float | None, prefer: str | None, wanted: float | None
) -> None:
    """wait_s and Prefer: wait=N mean the same; what is neither means nothing."""
    assert wanted_wait(wait_s, prefer) == wanted


def test_a_loggers_repeats_are_held_back() -> None:
    """Only so many records a minute get through."""
    limit = RateLimit(per_minute=3)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "away", (), None)
    assert [limit.filter(record) for _ in range(5)] == [True, True, True, False, False]


@pytest.mark.parametrize("missing", ["id_secret", "key_pepper", "gateway_database_url"])
def test_secrets_have_no_defaults(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway without a secret does not start."""
    monkeypatch.delenv(f"ACTIONSTREAM_{missing.upper()}", raising=False)
    given = {name: value for name, value in NOWHERE.items() if name != missing}
    with pytest.raises(ValidationError, match=missing):
        GatewaySettings(_env_file=None, **given)


def test_every_setting_is_described(nowhere: GatewaySettings) -> None:
    """Each field says what it is, and no secret is shown."""
    assert all(field.description for field in GatewaySettings.model_fields.values())
    assert "sixteen" not in repr(nowhere)


def test_field_errors_do_not_echo_the_input() -> None:
    """Pointers and remedies are given, values are not."""
    with pytest.raises(ValidationError) as caught:
        UploadOptions.model_validate({"title": ["SECRET"], "nope": "SECRET", "metadata": "SECRET"})
    found = field_errors(caught.value.errors())
    assert {one.pointer for one in found} == {"/title", "/nope", "/metadata"}
    assert "SECRET" not in str(found)


def test_depth_is_bounded() -> None:
    """Metadata that nests without end is refused, not followed."""
    nested: list[object] = []
    for _ in range(50):
        nested = [nested]
    with pytest.raises(ValueError, match="deeper"):
        storable(nested)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_what_is_no_number_in_json_is_refused(number: float) -> None:
    """It would be stored as null, which is not what was sent."""
    with pytest.raises(ValidationError, match="double"):
        UploadOptions(metadata={"a": [number]})


@pytest.mark.parametrize(("stored", "answered"), [(412, 412), (422, 422), (200, 500), (0, 500)])
def test_a_stored_problem_keeps_its_status(stored: int, answered: int) -> None:
    """A worker's problem becomes the answer; a status that is none of an error becomes 500."""
    problem = Problem(type="/problems/x", title="X", status=stored, detail="why", code="x")
    error = RequestFailed(problem, "req_1")
    found = error.problem("/v1/x")
    assert (found.status, found.code, found.request_id) == (answered, "x", "req_1")

"""Settings of the workers: checked together, described, and silent about secrets."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from streams.settings import HEADROOM, Settings

SECRET = "a secret of 16 characters"
GIVEN = {"id_secret": SECRET, "database_url": f"postgresql+psycopg://streams:{SECRET}@host/db"}


def settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, **{**GIVEN, **changes})


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ACTIONSTREAM_{name.upper()}", raising=False)


@pytest.mark.parametrize("name", ["model_timeout", "parse_timeout", "fetch_timeout", "grace"])
def test_timeouts_stay_below_the_rebalance_timeout(name: str) -> None:
    """One that is too long is named, with the reason."""
    limit = settings().rebalance_timeout - HEADROOM

    assert getattr(settings(**{name: limit}), name) == limit
    with pytest.raises(ValidationError, match=rf"{name} must be at least 5 s below rebalance_t"):
        settings(**{name: limit + timedelta(seconds=1)})


@pytest.mark.parametrize("name", ["id_secret", "database_url"])
def test_secrets_have_no_defaults(name: str) -> None:
    """A worker does not start without them."""
    given = {key: value for key, value in GIVEN.items() if key != name}

    with pytest.raises(ValidationError, match=name):
        Settings(_env_file=None, **given)  # type: ignore[arg-type]  # on purpose


def test_secrets_are_masked() -> None:
    """Neither their printed form nor their JSON shows them."""
    made = settings(s3_secret_key=SECRET, kafka_password=SECRET, opensearch_password=SECRET)

    assert SECRET not in repr(made)
    assert SECRET not in made.model_dump_json()
    assert isinstance(made.database_url, SecretStr)


def test_every_setting_is_described() -> None:
    """In a sentence."""
    described = {name: field.description for name, field in Settings.model_fields.items()}

    assert [name for name, text in described.items() if not text or not text.endswith(".")] == []


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the prefix `ACTIONSTREAM_`."""
    monkeypatch.setenv("ACTIONSTREAM_ATTEMPTS", "7")

    assert settings().attempts == 7

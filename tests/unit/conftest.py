"""Unit tests open no sockets."""

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    """Refuse every socket but the event loop's own pair."""
    disable_socket(allow_unix_socket=True)

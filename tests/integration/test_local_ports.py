"""Ports: those in use are named, those found free differ."""

import socket

import pytest

from local import ports
from local.errors import Obstacle


def test_a_port_in_use_is_named_with_its_setting() -> None:
    """The sentence names port, purpose and the setting that moves it."""
    with socket.socket() as holder:
        holder.bind((ports.HOST, 0))
        holder.listen()
        number = holder.getsockname()[1]
        with pytest.raises(Obstacle, match=rf"Port {number} .kafka. is in use.*_PORT_BASE"):
            ports.check({"kafka": number})
        with pytest.raises(Obstacle, match="ACTIONSTREAM_GATEWAY_PORT"):
            ports.check({"gateway": number})


def test_free_ports_can_be_used() -> None:
    """The ports found differ from each other, and nobody listens there."""
    found = ports.free().as_dict()
    ports.check(found)
    assert len(set(found.values())) == len(found)

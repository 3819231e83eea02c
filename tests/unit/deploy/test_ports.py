"""Ports that stay ours: away from those that outgoing connections take, neighbours when asked, each given once."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from deploy import ports
from deploy.ports import free_port, free_ports, listens

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LINUX_FIRST = 32768


def test_no_outgoing_connection_takes_one() -> None:
    first = int(RANGE.read_text().split()[0]) if RANGE.exists() else 0
    if first < LINUX_FIRST:
        pytest.skip(f"this machine does not draw from Linux's own range of ports: it begins at {first or 'a secret'}")
    assert first > ports.LAST


def test_each_is_given_once() -> None:
    given = [free_port() for _ in range(50)]
    assert len(set(given)) == 50


def test_neighbours_are_all_free(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_ports(6)
    with socket.create_server(("127.0.0.1", first + 2)):
        monkeypatch.setattr(ports, "FIRST", first)
        monkeypatch.setattr(ports, "LAST", first + 5)
        monkeypatch.setattr(ports, "_given", set())
        assert free_ports(3) == first + 3


def test_none_left_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        monkeypatch.setattr(ports, "FIRST", taken.getsockname()[1])
        monkeypatch.setattr(ports, "LAST", taken.getsockname()[1] + 1)
        with pytest.raises(OSError, match="no 2 free ports between"):
            free_ports(2)


def test_a_port_without_a_listener_is_told_from_one_with() -> None:
    port = free_port()
    assert not listens(port)
    with socket.create_server(("127.0.0.1", port)):
        assert listens(port)

"""The tests' own guard: nothing leaves this machine."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_connections_beyond_this_machine_are_refused() -> None:
    """A test that reaches for the internet fails instead of passing by luck."""
    with socket.socket() as sock, pytest.raises(SocketConnectBlockedError):
        sock.connect(("192.0.2.1", 443))

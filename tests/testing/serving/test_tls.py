"""HTTPS as Microsoft's clients demand it: by every name of this machine, and gone without a trace."""

import socket
import ssl
import stat
import tempfile
import time
from asyncio.constants import SSL_SHUTDOWN_TIMEOUT
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving.certificates import make_tls
from tests.waiting import PATIENCE


def trusting(emulator: EntraEmulator) -> ssl.SSLContext:
    """The TLS context of a client that trusts the CA file."""
    context = ssl.create_default_context(cafile=str(emulator.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_certificate_is_for_every_name_of_this_machine(emulator: EntraEmulator, name: str) -> None:
    """Whatever the address says, clients may call it by another one of these."""
    with emulator.serve(tls=True) as address:
        port = urlsplit(address).port
        with httpx2.Client(verify=trusting(emulator), trust_env=False) as http:
            answer = http.get(f"https://{name}:{port}/common/discovery/v2.0/keys")
        assert answer.status_code == 200


def test_the_certificate_is_for_no_other_name(emulator: EntraEmulator) -> None:
    """A client that trusts the file does not trust it for the rest of the world."""
    with emulator.serve(tls=True) as address:
        place = ("127.0.0.1", urlsplit(address).port)
        context = trusting(emulator)
        with (
            socket.create_connection(place, timeout=PATIENCE) as plain,
            pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
        ):
            context.wrap_socket(plain, server_hostname="login.microsoftonline.com")


def test_two_emulators_do_not_vouch_for_each_other(emulator: EntraEmulator) -> None:
    """Each has an authority of its own, made on the spot."""
    with emulator.serve(tls=True), EntraEmulator().serve(tls=True) as other:
        context = trusting(emulator)
        with (
            httpx2.Client(verify=context, trust_env=False) as http,
            pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            http.get(f"{other}/common/discovery/v2.0/keys")


def test_files_and_address_are_gone_after_a_failure(emulator: EntraEmulator) -> None:
    """Nothing secret stays on the disk when what was tested fails."""
    before = emulator.base_url
    served = emulator.serve(tls=True)
    assert served.__enter__() == emulator.base_url
    ca_file = emulator.ca_file
    assert ca_file
    assert ca_file.exists()
    failure = RuntimeError("a test fails")
    assert not served.__exit__(RuntimeError, failure, None)  # what failed is told
    assert not ca_file.parent.exists()
    assert (emulator.base_url, emulator.ca_file) == (before, None)


def test_only_the_owner_looks_into_the_folder() -> None:
    """Neither the key nor what stands beside it is for other people, and the key needs a password."""
    tls = make_tls("127.0.0.1")
    with tls.files() as (certificate, key):
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert key.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert b"PRIVATE KEY" not in certificate.read_bytes() + tls.authority
        with pytest.raises(ssl.SSLError):
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, "")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, tls.password)
    assert tls.password not in repr(tls)


def test_no_file_has_the_key_while_it_is_served(
    emulator: EntraEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has read it, and clients need the authority alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with emulator.serve(tls=True):
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [emulator.ca_file]
    assert list(tmp_path.iterdir()) == []


def test_clients_with_idle_connections_do_not_hold_it_up(
    emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never answers the end of TLS is cut off, instead of being waited for by the minute."""
    monkeypatch.setattr("camunda_entra_fastapi.testing.serving.server.CLOSING", 0.05)
    with emulator.serve(tls=True) as address:
        place = ("127.0.0.1", urlsplit(address).port)
        idle = trusting(emulator).wrap_socket(socket.create_connection(place), server_hostname="localhost")
        idle.settimeout(PATIENCE)
        idle.sendall(b"GET /common/discovery/v2.0/keys HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        leaving = time.monotonic()
    with idle:
        assert time.monotonic() - leaving < SSL_SHUTDOWN_TIMEOUT

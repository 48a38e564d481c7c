"""TLS: what the server shows is over, or another's, and handshakes that hang."""

import asyncio
from pathlib import Path
from typing import Final

from tests.chaos.scenario import Group, Scenario
from tests.chaos.servers import Server
from tests.ports import free_port
from tests.relay import Relay
from tests.remote.faulty_certificates import expired, faulty_tls, none


class OverTls:
    """A server with TLS, behind a relay; the harness itself speaks to it without."""

    def __init__(self, program: str, folder: Path) -> None:
        self._folder = folder
        shown = {"good": faulty_tls(none), "expired": faulty_tls(expired), "foreign": faulty_tls(none)}
        for name, tls in shown.items():
            (folder / f"{name}.pem").write_bytes(tls.certificate)
            (folder / f"{name}.key").write_bytes(tls.key)
        # Who signed the expired one is trusted as well, so that its time alone is wrong.
        (folder / "trusted.pem").write_bytes(shown["good"].authority + shown["expired"].authority)
        port = free_port()
        options = ["--tls-port", str(port), "--tls-auth-clients", "no", "--save", ""]
        options += ["--tls-key-file-pass", shown["good"].password, *self._shows("good", "--")]
        self.server = Server(program, folder / "server", *options)
        self.servers = [self.server]
        self.relay = Relay(port)
        self._opened = self.relay.open()

    @property
    def url(self) -> str:
        """Where the relay is."""
        return f"rediss://127.0.0.1:{self.relay.port}?ssl_ca_certs={self._folder / 'trusted.pem'}"

    async def start(self) -> None:
        """Start both."""
        await self.server.start()
        await self._opened.__aenter__()

    def stop(self) -> None:
        """End both."""
        self.relay.cut()
        self.server.kill()

    async def records(self) -> set[str]:
        """What it has."""
        return await self.server.records()

    async def show(self, name: str) -> None:
        """From now on the server shows that certificate; connections that there are end."""
        await self.server.ask("CONFIG", "SET", *self._shows(name, ""))
        await self.server.ask("CLIENT", "KILL", "TYPE", "normal")

    def _shows(self, name: str, dashes: str) -> list[str]:
        files = {"tls-cert-file": f"{name}.pem", "tls-key-file": f"{name}.key"}
        return [
            text for option, file in files.items() for text in (f"{dashes}{option}", str(self._folder / file))
        ]


async def _expired(store: OverTls) -> None:
    """Its certificate is over when its clients connect again."""
    await store.show("expired")
    await asyncio.sleep(3)
    await store.show("good")


async def _foreign(store: OverTls) -> None:
    """Its certificate is signed by somebody else when its clients connect again."""
    await store.show("foreign")
    await asyncio.sleep(3)
    await store.show("good")


async def _hangs(store: OverTls) -> None:
    """All connections end, and handshakes of new ones are not answered."""
    store.relay.passing.clear()
    store.relay.cut()
    await asyncio.sleep(4)
    store.relay.passing.set()


TLS: Final = Group(
    "TLS",
    OverTls,
    (
        Scenario("certificate expired", _expired, notices=True),
        Scenario("certificate changed", _foreign, notices=True),
        Scenario("handshake hangs", _hangs, notices=True),
    ),
)

"""A small HTTP client for a steady load: it measures, and costs little itself."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

GIVES_UP: Final = 15.0
"""Seconds after which a request counts as never answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; status 0 where there was none."""

    status: int
    location: str = ""
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def code(self) -> str:
        """The error's code, where the body has one."""
        try:
            detail = json.loads(self.body)["detail"]
            return str(detail["code"] if isinstance(detail, dict) else detail)
        except (ValueError, KeyError, TypeError):
            return self.body[:60].decode(errors="replace")


class Browser:
    """Connections to one address; as many as there are requests at a time.

    Args:
        address: Where it sends all requests, whatever their ``Host`` says.
        keeps: Whether connections are kept; not where the server ends idle ones at moments of its own.
    """

    def __init__(self, address: str, *, keeps: bool = True) -> None:
        self._keeps = keeps
        parts = urlsplit(address)
        self._host, self._port = str(parts.hostname), parts.port
        self._idle: list[_Connection] = []

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """One request; a redirect is an answer as any other."""
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        request = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        try:
            async with asyncio.timeout(GIVES_UP):
                return await self._exchange(request)
        except (OSError, EOFError, TimeoutError) as failure:
            return Answer(0, body=repr(failure).encode())

    def close(self) -> None:
        """End all idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _exchange(self, request: bytes) -> Answer:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof():
                break
            connection.close()
        else:
            connection = await _Connection.open(self._host, self._port)
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if self._keeps:
            self._idle.append(connection)
        else:
            connection.close()
        return answer


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, host: str, port: int | None) -> Self:
        return cls(*await asyncio.open_connection(host, port, limit=1 << 20))

    async def exchange(self, request: bytes) -> Answer:
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *fields = head.split("\r\n")
        length, location, cookies = 0, "", {}
        for each in fields:
            name, _, value = each.partition(": ")
            match name.lower():
                case "content-length":
                    length = int(value)
                case "location":
                    location = value
                case "set-cookie":
                    key, _, text = value.partition(";")[0].partition("=")
                    cookies[key] = text
        body = await self.reader.readexactly(length)
        return Answer(int(status.split(" ")[1]), location, cookies, body)

    def close(self) -> None:
        self.writer.transport.abort()

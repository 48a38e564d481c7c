"""Requests to the letter, over a socket: no client mends them."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

PATIENCE: Final = 10
"""Seconds until no answer is expected any more."""
PACKET: Final = 1_400
"""Bytes that are sent at once, as on a network: some servers count only what did not come in one piece."""
UPGRADE: Final = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@dataclass(frozen=True)
class Answer:
    """What a server answers; the status is 0 where it hangs up, and -1 where it does neither."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for each, value in self.headers if each == name]

    def one(self, name: str) -> str:
        """The value of a header; empty without it."""
        return next(iter(self.all(name)), "")


def connect(port: int) -> socket.socket:
    """A connection to the server."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def request(port: int, target: str, *headers: bytes, close: bool = True) -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {target} HTTP/1.1".encode("latin-1"), f"Host: localhost:{port}".encode(), *headers]
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def send(connection: socket.socket, data: bytes) -> None:
    """Send it packet by packet; a server may have hung up meanwhile."""
    with suppress(OSError):
        for start in range(0, len(data), PACKET):
            connection.sendall(data[start : start + PACKET])
            if len(data) > PACKET:
                time.sleep(0.001)


def get(port: int, target: str, *headers: bytes) -> Answer:
    """What is answered to a GET with these headers; status 0 where nobody listens, too."""
    try:
        connection = connect(port)
    except OSError:
        return Answer(0)
    with connection:
        send(connection, request(port, target, *headers))
        return read(connection)


def handshake(port: int, target: str, *headers: bytes) -> tuple[Answer, str]:
    """What is answered to a WebSocket's handshake; and the first text, if it is accepted."""
    with connect(port) as connection:
        send(connection, request(port, target, UPGRADE.rstrip(), *headers, close=False))
        answer = read(connection, is_handshake=True)
        if answer.status != 101:
            return answer, ""
        data = answer.body
        with suppress(OSError):
            while (len(data) < 2 or len(data) < 2 + data[1]) and (part := connection.recv(65_536)):
                data += part
        return answer, data[2 : 2 + data[1]].decode("utf-8", "replace") if len(data) > 1 else ""


def read(connection: socket.socket, *, is_handshake: bool = False) -> Answer:
    """The whole answer."""
    data = b""
    try:
        while part := connection.recv(65_536):
            data += part
            if is_handshake and b"\r\n\r\n" in data and data.split(b" ", 2)[1] == b"101":
                break
    except ConnectionError:
        pass
    except TimeoutError:
        if not data:
            return Answer(-1)
    if not data:
        return Answer(0)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    return Answer(int(first.split(" ")[1]), headers, body)

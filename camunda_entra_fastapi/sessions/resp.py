"""Redis' answers, versions 2 and 3 of its protocol, read as they arrive and however they are cut.

Everything is bounded, as whoever can write to Redis chooses some of it: a line, a text, how deep lists are
nested, and one list with all that is in it.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

MAX_LINE: Final = 4_096
"""Bytes of a line: of an error's text, a number or a header."""
MAX_REPLY: Final = 4 * 1024 * 1024
"""Bytes of a list. That of a cluster's slots has some hundred for each range of them."""
MAX_NESTED: Final = 8
"""Lists in one another."""


class ServerError(Exception):
    """What the server refused. Its text may repeat what was sent.

    Attributes:
        code: Its first word, for example ``NOPERM``.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class ProtocolError(Exception):
    """No answer of a Redis, or one that is larger than all that are expected."""


class OversizeReply(ProtocolError):  # noqa: N818
    """A text that is longer than any that is kept."""


class Push(list[Any]):
    """What the server says without being asked; its kind is the first."""


Reply: TypeAlias = "bytes | int | float | bool | None | list[Any] | dict[Any, Any] | ServerError"


class RespReader:
    """Reads answers; after an error it cannot go on.

    Args:
        max_bulk: Bytes of a text.
    """

    def __init__(self, max_bulk: int) -> None:
        self._max_bulk = max_bulk
        self._held: list[bytes] = []
        self._held_size = 0
        self._needed = 0
        """Bytes with which the text goes on that is held; before that, nobody need look at it."""
        self._open: list[tuple[bytes, int, list[Any]]] = []
        """The lists that are not complete: their kinds, their lengths, and what they have."""
        self._size_of_reply = 0

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The answers that are complete with it, each before what follows is looked at.

        Raises:
            OversizeReply: A text is longer than allowed.
            ProtocolError: This is no answer of a Redis.
        """
        if self._held:
            self._held.append(data)
            self._held_size += len(data)
            if self._held_size < self._needed:
                return
            data = b"".join(self._held)
            self._held.clear()
        at, end = 0, len(data)
        self._needed = 0
        while at < end:
            stop = data.find(b"\r\n", at, at + MAX_LINE)
            if stop < 0:
                if end - at >= MAX_LINE:
                    raise ProtocolError
                break
            following = stop + 2
            if data[at] in b"$!=":
                size = _number(data[at + 1 : stop])
                if size > self._max_bulk:
                    raise OversizeReply
                if size >= 0:
                    following += size + 2
                    if following > end:
                        self._needed = following - at
                        break
                    if data[following - 2 : following] != b"\r\n":
                        raise ProtocolError
                value = _text(data[at], data[stop + 2 : following - 2]) if size >= 0 else None
                is_complete = True
            else:
                value, is_complete = self._line(data[at : at + 1], data[at + 1 : stop])
            if self._open or not is_complete:
                self._size_of_reply += following - at
                if self._size_of_reply > MAX_REPLY:
                    raise ProtocolError
            at = following
            if is_complete and self._open:
                value, is_complete = self._collected(value)
            if is_complete:
                self._size_of_reply = 0
                yield value
        if at < end:
            self._held.append(data[at:])
            self._held_size = end - at

    def _line(self, kind: bytes, line: bytes) -> tuple[Reply, bool]:
        """What a line says, and whether that is all; else it opens a list."""
        if kind in b"*~>%":
            length = _number(line)
            if length < 0:
                return None, True
            if len(self._open) == MAX_NESTED:
                raise ProtocolError
            items: list[Any] = Push() if kind == b">" else []
            if length == 0:
                return ({} if kind == b"%" else items), True
            self._open.append((kind, length * (2 if kind == b"%" else 1), items))
            return None, False
        if kind == b"+":
            return line, True
        if kind == b"-":
            return ServerError(line.decode("utf-8", "replace")), True
        if kind in b":(":
            return _number(line), True
        if kind == b"_":
            return None, True
        if kind == b"#" and line in (b"t", b"f"):
            return line == b"t", True
        if kind == b",":
            try:
                return float(line), True
            except ValueError:
                raise ProtocolError from None
        raise ProtocolError

    def _collected(self, value: Reply) -> tuple[Reply, bool]:
        """The outermost list, if it is complete with this value."""
        while self._open:
            kind, length, items = self._open[-1]
            items.append(value)
            if len(items) < length:
                return None, False
            self._open.pop()
            if kind == b"%":
                keys = [tuple(key) if isinstance(key, list) else key for key in items[::2]]
                value = dict(zip(map(str, keys), items[1::2], strict=True))
            else:
                value = items
        return value, True


def _text(kind: int, text: bytes) -> bytes | ServerError:
    if kind == ord("!"):
        return ServerError(text.decode("utf-8", "replace"))
    return text[4:] if kind == ord("=") else text


def _number(text: bytes) -> int:
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    if not digits.isdigit() or len(digits) > 40:
        raise ProtocolError
    return int(text)

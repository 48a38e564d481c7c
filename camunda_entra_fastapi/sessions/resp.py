"""Redis' answers, versions 2 and 3 of its protocol, read as they arrive and however they are cut.

Everything is bounded, as whoever can write to Redis chooses some of it: a line, a text, how deep lists are
nested, and one list with all that is in it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

MAX_LINE: Final = 4_096
"""Bytes of a line: of an error's text, a number or a header."""
MAX_DIGITS: Final = 100
"""Digits of a number."""
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


class OversizeReply(ProtocolError):
    """A text that is longer than any that is kept."""


class Push(list[Any]):
    """What the server says without being asked; its kind is the first."""


Reply: TypeAlias = "bytes | int | float | bool | list[Any] | dict[Any, Any] | ServerError | None"

_TEXTS: Final = b"$!="
_LISTS: Final = b"*~>%"
_ERROR_TEXT, _VERBATIM, _PUSH, _MAP = b"!=>%"
_UNFINISHED: Final = object()


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
        self._open: list[tuple[int, int, list[Any]]] = []
        """The lists that are not complete: their kinds, their lengths, and what they have."""
        self._size_of_list = 0

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
        value: Any
        at, end = 0, len(data)
        self._needed = 0
        while at < end:
            stop = data.find(b"\r\n", at, at + MAX_LINE)
            if stop < 0:
                if end - at >= MAX_LINE:
                    raise ProtocolError
                break
            kind, line, following = data[at], data[at + 1 : stop], stop + 2
            if kind in _TEXTS:
                size = self._size(line)
                following += size + 2 if size >= 0 else 0
                if following > end:
                    self._needed = following - at
                    break
                value = _text(kind, data[stop + 2 : following]) if size >= 0 else None
            elif kind in _LISTS:
                value = self._list(kind, _number(line))
            else:
                value = _value(kind, line)
            if self._open:
                value = self._collected(value, following - at)
            at = following
            if value is not _UNFINISHED:
                yield value
        if at < end:
            self._held.append(data[at:])
            self._held_size = end - at

    def _size(self, line: bytes) -> int:
        if (size := _number(line)) > self._max_bulk:
            raise OversizeReply
        return size

    def _list(self, kind: int, length: int) -> Any:
        """A list that has nothing; else it is open from now on."""
        items: list[Any] = Push() if kind == _PUSH else []
        if length <= 0:
            return None if length < 0 else {} if kind == _MAP else items
        if len(self._open) == MAX_NESTED:
            raise ProtocolError
        self._open.append((kind, length * (2 if kind == _MAP else 1), items))
        return _UNFINISHED

    def _collected(self, value: Any, size: int) -> Any:
        """The outermost list, if it is complete with this value, which took so many bytes."""
        self._size_of_list += size
        if self._size_of_list > MAX_REPLY:
            raise ProtocolError
        while self._open and value is not _UNFINISHED:
            kind, length, items = self._open[-1]
            items.append(value)
            value = _UNFINISHED
            if len(items) == length:
                self._open.pop()
                value = _map(items) if kind == _MAP else items
        if not self._open:
            self._size_of_list = 0
        return value


def _text(kind: int, text: bytes) -> bytes | ServerError:
    if text[-2:] != b"\r\n":
        raise ProtocolError
    if kind == _ERROR_TEXT:
        return ServerError(text[:-2].decode("utf-8", "replace"))
    return text[4:-2] if kind == _VERBATIM else text[:-2]


def _value(kind: int, line: bytes) -> Reply:
    """What a line says."""
    read = _LINES.get(kind)
    if read is None:
        raise ProtocolError
    try:
        return read(line)
    except (KeyError, ValueError):
        raise ProtocolError from None


def _map(items: list[Any]) -> dict[Any, Any]:
    try:
        return dict(zip(items[::2], items[1::2], strict=True))
    except TypeError:  # a list as a key
        raise ProtocolError from None


def _number(text: bytes) -> int:
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    if not digits.isdigit() or len(digits) > MAX_DIGITS:
        raise ProtocolError
    return int(text)


_LINES: Final[dict[int, Callable[[bytes], Reply]]] = {
    ord("+"): bytes,
    ord("-"): lambda line: ServerError(line.decode("utf-8", "replace")),
    ord(":"): _number,
    ord("("): _number,
    ord(","): float,
    ord("#"): lambda line: {b"t": True, b"f": False}[line],
    ord("_"): lambda _: None,
}

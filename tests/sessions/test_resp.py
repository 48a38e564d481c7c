"""Redis' answers are read alike however they are cut, and nothing of them is without a bound."""

from collections import deque
from random import Random
from typing import Any

import pytest

from camunda_entra_fastapi.sessions.resp import (
    MAX_LINE,
    MAX_NESTED,
    OversizeReply,
    ProtocolError,
    Push,
    RespReader,
    ServerError,
)

MAX_BULK = 1_000

ANSWERS: list[tuple[bytes, Any]] = [
    (b"+OK\r\n", b"OK"),
    (b"-NOPERM no right to run 'get'\r\n", ServerError("NOPERM no right to run 'get'")),
    (b":-42\r\n", -42),
    (b"$5\r\na\r\nbc\r\n", b"a\r\nbc"),
    (b"$0\r\n\r\n", b""),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"_\r\n", None),
    (b"#t\r\n", True),
    (b"#f\r\n", False),
    (b",1.5\r\n", 1.5),
    (b",-inf\r\n", float("-inf")),
    (b"(3492890328409238509324850943850943825024385\r\n", 3492890328409238509324850943850943825024385),
    (b"=7\r\ntxt:abc\r\n", b"abc"),
    (b"!8\r\nERR nope\r\n", ServerError("ERR nope")),
    (b"*0\r\n", []),
    (b"%0\r\n", {}),
    (b"*2\r\n:1\r\n*2\r\n$1\r\na\r\n*1\r\n_\r\n", [1, [b"a", [None]]]),
    (b"~2\r\n+a\r\n+b\r\n", [b"a", b"b"]),
    (b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n+proto\r\n:3\r\n", {b"server": b"redis", b"proto": 3}),
    (b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n", Push([b"invalidate", [b"key"]])),
    (b">2\r\n$10\r\ninvalidate\r\n_\r\n", Push([b"invalidate", None])),
]
"""What a server sends, and what that is."""


def comparable(value: Any) -> Any:
    """The value, with its types where Python takes them for equal, and errors by their texts."""
    if isinstance(value, list):
        return type(value).__name__, [comparable(item) for item in value]
    return type(value).__name__, str(value) if isinstance(value, ServerError) else value


def cut(stream: bytes, chance: Random, longest: int) -> list[bytes]:
    """The stream in pieces."""
    pieces = []
    while stream:
        size = chance.randint(1, longest)
        pieces.append(stream[:size])
        stream = stream[size:]
    return pieces


@pytest.mark.parametrize("longest", [1, 2, 7, 100, 10_000])
def test_answers_are_the_same_however_they_are_cut(longest: int) -> None:
    """TCP promises an order, and no pieces."""
    chance = Random(longest)
    for _ in range(10):
        answers = chance.choices(ANSWERS, k=60)
        reader = RespReader(MAX_BULK)
        pieces = cut(b"".join(sent for sent, _ in answers), chance, longest)
        found = [reply for piece in pieces for reply in reader.feed(piece)]
        assert [comparable(reply) for reply in found] == [comparable(meant) for _, meant in answers]


def test_an_answer_is_there_before_what_follows_is_looked_at() -> None:
    """Whoever remembers it hears of its change afterwards, never before."""
    replies = RespReader(MAX_BULK).feed(b"$1\r\na\r\nnonsense\r\n")
    assert next(replies) == b"a"
    with pytest.raises(ProtocolError):
        next(replies)


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n",
        b"$\r\n",
        b"$1_0\r\n",
        b"$ 1\r\n",
        b"$1\r\nabc",
        b"$?\r\n",
        b"*x\r\n",
        b":1.5\r\n",
        b":" + b"9" * 150 + b"\r\n",
        b",one\r\n",
        b"#x\r\n",
        b"|1\r\n",
        b"%1\r\n*1\r\n:1\r\n:1\r\n",
        b"+" + b"x" * MAX_LINE,
        b"*1\r\n" * (MAX_NESTED + 1),
        b"*9999999\r\n" + b"_\r\n" * 3_000,
    ],
    ids=range(17),
)
def test_what_is_no_answer_or_without_a_bound_is_refused(
    stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is cut; the connection is of no more use then."""
    monkeypatch.setattr("camunda_entra_fastapi.sessions.resp.MAX_REPLY", 8_000)
    chance = Random(1)
    for longest in (3, 65_536):
        reader = RespReader(MAX_BULK)
        with pytest.raises(ProtocolError):
            deque((reply for piece in cut(stream, chance, longest) for reply in reader.feed(piece)), 0)


@pytest.mark.parametrize("header", [b"$1001\r\n", b"*2\r\n:1\r\n$536870912\r\n", b"!1001\r\n"])
def test_a_long_text_is_refused_by_its_header(header: bytes) -> None:
    """Before any of it is there."""
    with pytest.raises(OversizeReply):
        list(RespReader(MAX_BULK).feed(header))


def test_noise_is_read_or_refused() -> None:
    """Whatever comes, nothing else happens, and no more is held than a text and a line."""
    chance = Random(5)
    for _ in range(2_000):
        reader = RespReader(MAX_BULK)
        stream = bytearray(b"".join(sent for sent, _ in chance.choices(ANSWERS, k=5)))
        for _ in range(chance.randint(1, 4)):
            stream[chance.randrange(len(stream))] = chance.randrange(256)
        try:
            for piece in cut(bytes(stream), chance, 40):
                list(reader.feed(piece))
                assert sum(map(len, reader._held)) <= MAX_BULK + MAX_LINE + 2
        except ProtocolError:
            pass

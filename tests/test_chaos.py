"""``make chaos`` notices each promise that is broken, and blames nobody for a busy machine."""

import asyncio
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.crowd import Person, Seen
from tests.chaos.judge import Facts, Verdict, judge
from tests.chaos.machine import Stalls
from tests.chaos.report import Row, line, markdown, total
from tests.chaos.scenarios.groups import GROUPS
from tests.relay import Relay
from tests.waiting import until

FACTS = Facts(broke=10.0, healed=14.0, kept=frozenset({"kept"}))
KEPT = Person("kept")


def seen(**changes: Any) -> Seen:
    """A request by somebody whose session the server kept, in the midst of the fault, and its good answer."""
    values: dict[str, Any] = {"begun": 12.0, "status": 200, "seconds": 0.01, "person": KEPT, "replica": 0}
    values |= {"kind": "request"} | changes
    seconds = values.pop("seconds")
    return Seen(**values, ended=values["begun"] + seconds)


def verdict(*answers: Seen, facts: Facts = FACTS) -> Verdict:
    """The judge's, with everybody who was seen."""
    people = {id(each.person): each.person for each in answers if each.person is not None}
    return judge(answers, list(people.values()), facts)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": 500}, "request at +2.00 s, uvloop: 500 after 0.01 s"),
        ({"status": 0, "code": "EOFError()", "replica": 1}, "asyncio: no answer EOFError() after 0.01 s"),
        ({"status": 503, "seconds": 2.3}, "late: request at +2.00 s, uvloop: 503 after 2.30 s"),
        (
            {"status": 503, "seconds": 3.4, "stalled": 0.9},
            "late: request at +2.00 s, uvloop: 503 after 3.40 s",
        ),
        ({"status": 401}, "a session that the server kept was lost: request at +2.00 s"),
        ({"status": 503, "begun": 17.1}, "not well again after 3.0 s: request at +7.10 s"),
        (
            {"kind": "health", "person": None, "status": 503, "begun": 17.1},
            "not well again after 3.0 s: health",
        ),
        ({"kind": "sign-in", "person": None, "status": 400}, "sign-in at +2.00 s, uvloop: 400"),
        ({"kind": "sign-in", "person": None, "status": 504}, "sign-in at +2.00 s, uvloop: 504"),
    ],
)
def test_a_broken_promise_is_told(changes: dict[str, Any], told: str) -> None:
    """Each is a sentence with what was asked for, when, at which replica, and what was answered."""
    assert told in "\n".join(verdict(seen(**changes)).broken)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": 503, "seconds": 2.1},
        {"status": 503, "begun": 16.9},
        {"status": 503, "seconds": 3.3, "stalled": 1.2},
        {"status": 503, "begun": 17.1, "stalled": 0.6},
        {"status": 504, "stalled": 0.6},
        {"kind": "health", "person": None, "status": 503},
        {"kind": "sign-in", "person": None, "status": 303},
    ],
)
def test_what_was_promised_is_no_trouble(changes: dict[str, Any]) -> None:
    """503 within the limit, and good answers; a longer wait only where the machine had no processor."""
    assert verdict(seen(**changes)).broken == ()


def test_a_store_that_is_never_away_excuses_no_503() -> None:
    """As while slots move, and where the server only forgets."""
    assert verdict(seen(status=503), facts=replace(FACTS, away=False)).broken
    assert not verdict(seen(status=503, stalled=0.6), facts=replace(FACTS, away=False)).broken


def test_sessions_are_lost_where_servers_lose_them_alone() -> None:
    """Whoever's session is not stored any more gets 401, which is right where the server forgot it."""
    answer = seen(person=Person("gone"), status=401)
    assert verdict(answer).broken == ("1 sessions are not in the store, which lost nothing",)
    found = verdict(answer, facts=replace(FACTS, loses=True))
    assert (found.broken, found.lost) == ((), 1)


def signed_out(at: float, replica: int = 0, record: str = "ended") -> Person:
    """Somebody who signed out there and then."""
    return Person(record, signing_out=at - 0.01, signed_out=at, signed_out_at=replica)


@pytest.mark.parametrize(
    ("at", "begun", "replica", "lease", "is_broken"),
    [
        (9.0, 9.1, 0, 0.0, True),
        (9.0, 8.9, 0, 0.0, False),
        (9.0, 9.1, 1, 0.0, True),
        (9.0, 9.1, 1, 2.0, False),
        (9.0, 9.3, 1, 2.0, True),
        (12.0, 12.1, 0, 2.0, True),
        (12.0, 16.9, 1, 0.0, False),
        (12.0, 17.1, 1, 0.0, True),
        (15.0, 16.9, 1, 0.0, False),
        (15.0, 17.1, 1, 0.0, True),
        (17.1, 17.2, 1, 0.0, True),
    ],
)
def test_a_sign_out_counts_on_both_replicas(
    at: float, begun: float, replica: int, lease: float, is_broken: bool
) -> None:
    """At once on its own; on the other where the store told it, and once that can be asked again."""
    answer = seen(person=signed_out(at), begun=begun, replica=replica)
    told = verdict(answer, facts=replace(FACTS, lease=lease)).broken
    assert [each.partition(":")[0] for each in told] == (["signed out, and let in"] if is_broken else [])


def test_a_sign_out_is_made_up_for() -> None:
    """Whoever signed out has no session in the store at the end."""
    answer = seen(person=signed_out(12.0, record="kept"), status=401, begun=13.0)
    assert verdict(answer).broken == ("signed out at +2.0 s, and still stored",)


def test_the_health_check_has_to_notice() -> None:
    """A store that writes nothing is not ready, and a probe during the fault says so."""
    probe = seen(kind="health", person=None)
    facts = replace(FACTS, notices=True)
    assert verdict(probe, facts=facts).broken == ("1 answers of /auth/health, and none noticed",)
    assert not verdict(probe, replace(probe, status=503), facts=facts).broken


def test_many_of_one_kind_are_told_in_short() -> None:
    """Five examples, and how many more there are."""
    assert verdict(*[seen(status=500)] * 8).broken[5:] == ("  and 3 more of these",)


def test_the_table_counts_all_answers() -> None:
    """Those that should not be there have their status, and a row says whether promises were kept."""
    counts = Counter({200: 1200, 303: 34, 401: 5, 503: 60, 500: 7, 0: 1})
    bad = Row("one server: hangs", Verdict(counts, 2.04, 0.51, 3, ("broken",)))
    good = Row("TLS: handshake hangs", Verdict(Counter({200: 1}), 0.1, 0, 0, ()))
    expected = "one server: hangs 1,234 5 60 7 x 500, 1 x none 2.04 s 0.5 s 3 BROKEN"
    assert " ".join(line(bad).split()) == expected
    assert line(good).endswith("kept")
    assert "| one server: hangs | 1,234 / 5 / 60 / 7 x 500, 1 x none | 2.04 s |" in markdown([bad])
    assert total([bad, good])[200] == 1201


def test_the_page_on_redis_lists_all_scenarios() -> None:
    """What stands there is what is run."""
    page = Path(__file__).parents[1] / "docs" / "how-to" / "run" / "redis.md"
    table = page.read_text(encoding="utf-8").partition("| scenario | what happens |")[2].partition("\n\n")[0]
    told = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert told == [f"{group.name}: {scenario.name}" for group in GROUPS for scenario in group.scenarios]


def test_a_busy_machine_is_measured() -> None:
    """What was waited for is never more than the time itself, and it is not counted twice."""
    stalls = Stalls([os.getpid()], list)
    begun = stalls._times[0]
    for _ in range(50):
        stalls._sample()
    middle, ended = stalls._times[-1] / 2 + begun / 2, stalls._times[-1]
    parts = stalls.between(0, begun, middle), stalls.between(0, middle, ended)
    assert all(0 <= part <= ended - begun for part in parts)
    assert sum(parts) == pytest.approx(stalls.between(0, begun, ended))


async def test_an_address_moves_for_new_connections_alone() -> None:
    """Those that there are stay where they are, and can be made to hang or to end."""

    async def serve(name: bytes) -> asyncio.Server:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(1):
                writer.write(name)
            writer.close()

        return await asyncio.start_server(answer, "127.0.0.1", 0)

    async def ask(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
        connection[1].write(b"?")
        return await connection[0].read(1)

    async with await serve(b"A") as first, await serve(b"B") as second:
        async with Relay(first.sockets[0].getsockname()[1]).open() as relay:
            old = await asyncio.open_connection("127.0.0.1", relay.port)
            assert await ask(old) == b"A"
            relay.target = second.sockets[0].getsockname()[1]
            new = await asyncio.open_connection("127.0.0.1", relay.port)
            assert (await ask(old), await ask(new)) == (b"A", b"B")
            relay.passing.clear()
            hanging = asyncio.create_task(ask(old))
            await asyncio.sleep(0.02)
            assert not hanging.done()
            relay.passing.set()
            assert await hanging == b"A"
            relay.cut()
            await until(old[0].at_eof)
        for _, writer in (old, new):
            writer.close()

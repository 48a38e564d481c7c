"""The store in memory of a service with several processes: what is noticed, and what is said."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from camunda_entra_fastapi.sessions.factory import create_store
from camunda_entra_fastapi.sessions.store import SessionStore
from camunda_entra_fastapi.sessions.workers import started_workers
from tests.conftest import FakeClock
from tests.sessions.conftest import make_session


def process(clock: FakeClock, secret: str = "s" * 32, deployment: str = "issuer client") -> SessionStore:
    """The store of a process that begins now."""
    return create_store("memory", [secret], deployment, clock.time)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """What was logged, by level."""
    return [(record.levelno, record.getMessage()) for record in caplog.records]


async def test_a_session_of_a_process_beside_is_told_once(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever runs the service reads why people are signed out, and what to set."""
    here, beside = process(clock), process(clock)
    clock.advance(1)
    handles = [await beside.create(make_session(clock)) for _ in range(3)]
    assert [await here.read(handle) for handle in handles] == [None] * 3
    ((level, line),) = lines(caplog)
    assert level == logging.WARNING
    assert "another process of this service" in line
    assert "CAMUNDA_ENTRA_SESSION_STORE=memory" in line
    assert "redis:// URL" in line
    assert not any(part in line for handle in handles for part in handle.split("."))


async def test_a_session_from_before_a_restart_is_no_fault(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended with its process. That is said at level INFO, and nothing of workers."""
    caplog.set_level(logging.INFO)
    before = process(clock)
    handles = [await before.create(make_session(clock)) for _ in range(2)]
    clock.advance(1)
    after = process(clock)
    assert [await after.read(handle) for handle in handles] == [None, None]
    ((level, line),) = lines(caplog)
    assert level == logging.INFO
    assert "before this process began" in line


async def test_own_sessions_that_are_over_are_not_told(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Signed out, expired: nothing is wrong with it."""
    caplog.set_level(logging.INFO)
    here = process(clock)
    clock.advance(1)
    ended, expired = [await here.create(make_session(clock)) for _ in range(2)]
    await here.end(ended)
    clock.advance(28_800)
    assert [await here.read(handle) for handle in (ended, expired)] == [None, None]
    assert not caplog.records


@pytest.mark.parametrize(
    ("secret", "deployment"), [("x" * 32, "issuer client"), ("s" * 32, "issuer another")]
)
async def test_strangers_do_not_look_like_processes(
    clock: FakeClock, caplog: pytest.LogCaptureFixture, secret: str, deployment: str
) -> None:
    """Another service on this host, or somebody who makes handles up, is what it always was: unreadable."""
    here, stranger = process(clock), process(clock, secret, deployment)
    clock.advance(1)
    handle = await stranger.create(make_session(clock))
    assert await here.read(handle) is None
    ((_, line),) = lines(caplog)
    assert "that this service cannot open" in line


async def test_marks_belong_to_their_handles(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """The mark of one session says nothing about another name, so nobody makes the line appear with it."""
    here, beside = process(clock), process(clock)
    clock.advance(1)
    first, second = [(await beside.create(make_session(clock))).split(".") for _ in range(2)]
    assert await here.read(f"{first[0]}.{second[1]}") is None
    assert "that this service cannot open" in caplog.text


@pytest.mark.parametrize(
    ("command", "environ", "workers"),
    [
        ("uvicorn main:app", {}, 1),
        ("/usr/bin/uvicorn main:app --workers 4", {}, 4),
        ("/x/site-packages/uvicorn/__main__.py main:app --workers=2", {}, 2),
        ("uvicorn.exe main:app --workers 3", {}, 3),
        ("uvicorn main:app", {"WEB_CONCURRENCY": "4"}, 4),
        ("uvicorn main:app", {"UVICORN_WORKERS": "2", "WEB_CONCURRENCY": "4"}, 2),
        ("uvicorn main:app --workers 1", {"WEB_CONCURRENCY": "4"}, 1),
        ("uvicorn main:app --reload --workers 4", {"WEB_CONCURRENCY": "4"}, 1),
        ("fastapi run main.py --workers 4", {}, 4),
        ("fastapi run", {"WEB_CONCURRENCY": "4"}, 4),
        ("fastapi dev main.py", {"WEB_CONCURRENCY": "4"}, 1),
        ("gunicorn -w 4 -k uvicorn_worker.UvicornWorker main:app", {}, 4),
        ("gunicorn -w4 main:app", {}, 4),
        ("gunicorn --workers=4 --reload main:app", {}, 4),
        ("gunicorn main:app", {"WEB_CONCURRENCY": "2"}, 2),
        ("gunicorn main:app", {"GUNICORN_CMD_ARGS": "--bind=:80 --workers=3"}, 3),
        ("gunicorn -w 2 main:app", {"GUNICORN_CMD_ARGS": "-w 3"}, 2),
        ("hypercorn -w 2 main:app", {"WEB_CONCURRENCY": "4"}, 2),
        ("hypercorn main:app", {"WEB_CONCURRENCY": "4"}, 1),
        ("granian --interface asgi main:app --workers 2", {}, 2),
        ("granian main:app", {"GRANIAN_WORKERS": "2"}, 2),
        ("uvicorn main:app --workers", {}, 1),
        ("uvicorn main:app --workers two", {}, 1),
        ("uvicorn main:app --workers 999999999", {}, 1),
        ("camunda-entra doctor", {"WEB_CONCURRENCY": "4"}, 1),
        ("pytest --workers 4", {}, 1),
    ],
)
def test_workers_are_known_by_what_starts_them(
    command: str, environ: Mapping[str, str], workers: int
) -> None:
    """By the options and variables of each server; a server that reloads has one."""
    assert started_workers(command.split(), environ) == workers


@pytest.mark.parametrize(("store", "count"), [("memory", 1), ("cookie", 0)])
def test_workers_with_sessions_in_memory_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    clock: FakeClock,
    store: str,
    count: int,
) -> None:
    """At the start, before anybody is signed out; no other store minds."""
    monkeypatch.setattr(sys, "argv", ["uvicorn", "main:app", "--workers", "2"])
    create_store(store, ["s" * 32], "issuer client", clock.time)
    found: list[Any] = lines(caplog)
    assert len(found) == count
    assert all("started with 2 workers" in line for _, line in found)

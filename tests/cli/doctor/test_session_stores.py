"""What doctor finds in the store of the sessions: rights, room, and workers that share none."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cli.conftest import Ran
from tests.sessions.conftest import RedisServer
from tests.sessions.rights import LEAST, PAGE, given_rights, url_of


@pytest.fixture(scope="module")
def redis_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for the module."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(redis_of_module: RedisServer) -> RedisServer:
    """Its user has what sessions need, and may look at the limits."""
    given_rights(redis_of_module, ["reset"])
    given_rights(redis_of_module, [*LEAST, *PAGE["doctor looks at maxmemory and its policy"]])
    with redis_of_module.client() as client:
        client.flushall()
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")
    return redis_of_module


def found(run: Callable[..., Ran], store: str, code: int = 0) -> dict[str, Any]:
    """The findings about sessions, by name."""
    ran = run("doctor", "--json", CAMUNDA_ENTRA_SESSION_STORE=store)
    assert ran.code == code
    assert "geheim" not in ran.output
    return {each["name"]: each for each in ran.json["findings"] if each["name"] in ("sessions", "eviction")}


@pytest.mark.parametrize(
    ("maxmemory", "policy", "state", "code", "told"),
    [
        ("64mb", "noeviction", "ok", None, "keeps 64 MiB"),
        ("0", "noeviction", "note", "redis_unbounded", "Nothing bounds the Redis"),
        ("64mb", "volatile-ttl", "note", "redis_evicts", "signs people out"),
        ("0", "allkeys-lru", "note", "redis_evicts", "allkeys-lru"),
    ],
)
def test_what_a_full_redis_does_is_told(
    run: Callable[..., Ran],
    server: RedisServer,
    maxmemory: str,
    policy: str,
    state: str,
    code: str | None,
    told: str,
) -> None:
    """One policy suits, with a bound; nothing of it makes doctor fail."""
    with server.client() as client:
        client.config_set("maxmemory", maxmemory)
        client.config_set("maxmemory-policy", policy)
    findings = found(run, url_of(server))
    assert findings["sessions"]["state"] == "ok"
    assert (findings["eviction"]["state"], findings["eviction"].get("code")) == (state, code)
    assert told in findings["eviction"]["told"]


def test_a_redis_that_does_not_say_what_bounds_it_is_no_fault(
    run: Callable[..., Ran], server: RedisServer
) -> None:
    """The user has the least rights, or the server has no such commands."""
    given_rights(server, ["-info"])
    findings = found(run, url_of(server))
    assert (findings["sessions"]["state"], findings["eviction"]["state"]) == ("ok", "skipped")
    assert "+info" in findings["eviction"]["told"]


def test_a_missing_right_is_told_with_what_gives_it(run: Callable[..., Ran], server: RedisServer) -> None:
    """Before somebody signs out and cannot."""
    given_rights(server, ["-zrem"])
    findings = found(run, url_of(server), 1)
    assert findings["sessions"]["code"] == "sessions_unavailable"
    assert "lacks +zrem" in findings["sessions"]["told"]
    assert findings["sessions"]["remedy"].endswith("ACL SETUSER <user> '+zrem'")
    assert "eviction" not in findings


def test_a_redis_that_takes_no_writes_is_told(run: Callable[..., Ran], server: RedisServer) -> None:
    """It answers, and is full."""
    with server.client() as client:
        client.config_set("maxmemory", "1")
    findings = found(run, url_of(server), 1)
    assert "takes no writes: OutOfMemoryError" in findings["sessions"]["told"]
    assert "maxmemory" in findings["sessions"]["remedy"]


def test_a_server_that_hangs_at_the_question_is_no_fault(
    run: Callable[..., Ran], server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever becomes of the question for its limits, sessions are well."""
    monkeypatch.setattr("camunda_entra_fastapi.sessions.redis.read_limits", _never_answered)
    assert found(run, url_of(server))["eviction"]["state"] == "skipped"


async def _never_answered(redis: Any) -> None:
    raise TimeoutError


@pytest.mark.parametrize(
    ("workers", "told"), [("4", "uvicorn starts 4."), ("1", "several workers share none.")]
)
def test_workers_of_the_environment_are_told(run: Callable[..., Ran], workers: str, told: str) -> None:
    """Where sessions are in the memory of each."""
    ran = run("doctor", "--json", CAMUNDA_ENTRA_SESSION_STORE="memory", WEB_CONCURRENCY=workers)
    (finding,) = [each for each in ran.json["findings"] if each["name"] == "sessions"]
    assert finding["told"].endswith(told)

"""From a Redis URL to a client: one server, behind Sentinels, or a cluster."""

import asyncio
import os
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from camunda_entra_fastapi.sessions.asker import Address, Asker, Login, ServerAsker
from camunda_entra_fastapi.sessions.asking_connection import ConnectionLost, Tracker
from camunda_entra_fastapi.sessions.cluster_asker import ClusterAsker
from camunda_entra_fastapi.sessions.redis_url import read_redis_url

MAX_CONCURRENT_COMMANDS: Final = 50
"""Concurrent commands, and so connections, for each process and node. Others wait."""
_TLS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


@dataclass(frozen=True, slots=True)
class ConnectedClient:
    """The client of one event loop: connections work on no other."""

    client: Any = field(repr=False)
    asker: Asker
    semaphore: asyncio.Semaphore
    exit_stack: AsyncExitStack


def connect(url: str, timeout: float, tracker: Tracker | None = None) -> ConnectedClient:
    """A client for a URL that the settings accepted; it connects on first use.

    Args:
        url: The URL.
        timeout: Seconds for one call, connecting included.
        tracker: Who hears of changes, where the server is to track what is asked.
    """
    parts = read_redis_url(url)
    assert parts is not None  # noqa: S101 - the settings accepted it
    kind, query = parts.kind, parts.options
    hosts = [(host.name, host.port) for host in parts.hosts]
    tls = _tls_options(query) if parts.is_tls else {}
    options = {
        "username": parts.username,
        "password": parts.password,
        # Half the time, so that there is time for a second attempt when a connection turns out to be dead.
        **_retry_options(2, timeout / 2),
        **tls,
    }
    client: Any
    exit_stack, number = AsyncExitStack(), 0
    if kind == "cluster":
        # A missing part of the cluster must not affect the others.
        nodes = [ClusterNode(*host) for host in hosts]
        client = RedisCluster(startup_nodes=nodes, require_full_coverage=False, **options)
    elif kind == "sentinel":
        service, _, database = parts.path[1:].partition("/")
        # Sentinels are asked in turn, and each one may hang; all of them share half the time.
        sentinel_options = {name: query.get(f"sentinel_{name}") for name in ("username", "password")}
        sentinel_options |= _retry_options(1, timeout / 2 / len(hosts)) | tls
        sentinel = Sentinel(hosts, sentinel_kwargs=sentinel_options, **options)  # type: ignore[no-untyped-call]
        for sentinel_client in sentinel.sentinels:
            exit_stack.push_async_callback(sentinel_client.aclose)
        number = int(database or query.get("db", "0"))
        client = sentinel.master_for(service, db=number)
    else:
        ((host, port),) = hosts
        number = int(parts.path[1:] or query.get("db", "0"))
        client = Redis(host=host, port=port, db=number, **options)
    exit_stack.push_async_callback(client.aclose)

    async def locate() -> Address:
        if kind != "sentinel":
            return hosts[0]
        try:
            found: Address = await sentinel.discover_master(service)
        except (exceptions.RedisError, RuntimeError) as failure:
            raise ConnectionLost(type(failure).__name__) from None
        return found

    context = _TlsContexts(tls) if tls else None
    login = Login(options["username"], options["password"], number, context)
    asker = (
        ClusterAsker(hosts, login, timeout, tracker)
        if kind == "cluster"
        else ServerAsker(locate, login, timeout, tracker)
    )
    exit_stack.callback(asker.close)
    return ConnectedClient(client, asker, asyncio.Semaphore(MAX_CONCURRENT_COMMANDS), exit_stack)


def _retry_options(count: int, seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), count - 1),
        "retry_on_error": [exceptions.ConnectionError, exceptions.TimeoutError],
        "protocol": 2,  # which all servers speak
    }


def _tls_options(query: dict[str, str]) -> dict[str, Any]:
    """The options for TLS. Host names are checked unless the URL says otherwise."""
    files = {name: query[name] for name in _TLS_FILES if name in query}
    return {"ssl": True, "ssl_check_hostname": query.get("ssl_check_hostname") != "false"} | files


class _TlsContexts:
    """What redis-py makes of these options; made once, as that takes long, and anew for another file."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._files = [options[name] for name in _TLS_FILES if name in options]
        self._made_of: list[tuple[int, int, int]] | None = None
        self._context: ssl.SSLContext

    def __call__(self) -> ssl.SSLContext:
        found = [(it.st_ino, it.st_size, it.st_mtime_ns) for it in map(os.stat, self._files)]
        if found != self._made_of:
            self._context = self._make()
            self._made_of = found
        return self._context

    def _make(self) -> ssl.SSLContext:
        options, context = self._options, ssl.create_default_context()
        context.check_hostname = options["ssl_check_hostname"]
        if "ssl_certfile" in options:
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
        if "ssl_ca_certs" in options:
            context.load_verify_locations(options["ssl_ca_certs"])
        return context

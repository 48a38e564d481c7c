"""Asks a cluster: on one connection for each node, as each key has one."""

import asyncio
from binascii import crc_hqx
from collections.abc import Sequence
from typing import Any, Final

from camunda_entra_fastapi.sessions.asker import Address, Asker, Login, open_connection
from camunda_entra_fastapi.sessions.asking_connection import AskingConnection, ConnectionLost, Tracker
from camunda_entra_fastapi.sessions.resp import ServerError
from camunda_entra_fastapi.single_flight import SingleFlight

SLOTS: Final = 16_384
MAX_ASKED: Final = 4
"""Connected nodes that are asked who has which slot, beside those that the URL names."""


class ClusterAsker(Asker):
    """Asks the nodes of a cluster.

    Args:
        hosts: Some of its nodes, which know the others.
        login: How a connection begins.
        timeout: Seconds for one question, with all attempts.
        tracker: Who hears of changes, where the servers are to track what is read.
    """

    def __init__(
        self, hosts: Sequence[Address], login: Login, timeout: float, tracker: Tracker | None = None
    ) -> None:
        super().__init__(login, timeout, tracker)
        self._hosts = hosts
        self._nodes: list[Address | None] = [None] * SLOTS
        """The node of each slot, as far as it is known."""
        self._refreshing: SingleFlight[None, None] = SingleFlight("session store slots")

    def connection_for(self, key: bytes) -> AskingConnection | None:
        """The open connection to the node of this key; None where one must be found or opened."""
        connection = self._connections.get(self._nodes[_slot(key)])
        return connection if connection is not None and connection.is_open else None

    async def _ask(self, connection: AskingConnection, key: bytes) -> bytes | None:
        """Ask, and follow a slot that is on its way to another node."""
        try:
            return await connection.get(key)
        except ServerError as error:
            if error.code != "ASK":
                raise
            address = _redirected(error, self._nodes[_slot(key)])
            if address is None:
                raise
        target = await self._connection_to(address)
        asking = target.send(b"ASKING")
        asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await target.get(key)

    async def _connect(self, key: bytes) -> AskingConnection:
        slot = _slot(key)
        if self._nodes[slot] is None:
            await self._refreshing.run(None, self._refresh)
        address = self._nodes[slot]
        if address is None:
            raise ConnectionLost("SlotWithoutNode")
        try:
            return await self._connection_to(address)
        except OSError:
            # Another node may have taken its place: who has what is asked anew.
            self._nodes = [None if node == address else node for node in self._nodes]
            raise

    async def _connection_to(self, address: Address) -> AskingConnection:
        connection = self._connections.get(address)
        if connection is not None and connection.is_open:
            return connection
        self._connections = {node: each for node, each in self._connections.items() if each.is_open}

        async def locate() -> Address:
            return address

        return await self._opening.run(address, lambda: self._open(address, locate))

    def _may_go_on(self, failure: Exception, connection: AskingConnection | None, key: bytes) -> bool:
        if isinstance(failure, ServerError) and failure.code in ("ASK", "MOVED"):
            if failure.code == "MOVED":
                slot = _slot(key)
                self._nodes[slot] = _redirected(failure, self._nodes[slot])  # None: it is asked for anew
            return True
        return super()._may_go_on(failure, connection, key)

    async def _refresh(self) -> None:
        """Ask some nodes at once who has which slot; the first answer counts."""
        connected = [node for node, each in self._connections.items() if node is not None and each.is_open]
        nodes = dict.fromkeys([*connected[:MAX_ASKED], *self._hosts])
        tasks = [asyncio.create_task(self._slots_known_by(node)) for node in nodes]
        failure: Exception = ConnectionLost("SlotWithoutNode")
        try:
            async with asyncio.timeout(self._timeout / 2):
                for answer in asyncio.as_completed(tasks):
                    try:
                        self._nodes = await answer
                    except (OSError, ServerError) as caught:
                        failure = caught
                    else:
                        return
            raise failure
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _slots_known_by(self, node: Address) -> list[Address | None]:
        connection = self._connections.get(node)
        if connection is not None and connection.is_open:
            return _nodes_in(await connection.send(b"CLUSTER", b"SLOTS"), node)
        connection = await open_connection(node, self._login, self._timeout / 2, None)
        try:
            return _nodes_in(await connection.send(b"CLUSTER", b"SLOTS"), node)
        finally:
            connection.close()


def _slot(key: bytes) -> int:
    """The slot of a key of ours, which has no braces."""
    return crc_hqx(key, 0) % SLOTS


def _nodes_in(ranges: Any, asked: Address) -> list[Address | None]:
    """The node of each slot.

    Raises:
        ConnectionLost: The answer says nothing of the kind.
    """
    nodes: list[Address | None] = [None] * SLOTS
    try:
        for first, last, (host, port, *_), *_ in ranges:
            if host != b"?":  # a node that does not know how it is called
                node = (host.decode() if host else asked[0], int(port))
                nodes[first : last + 1] = [node] * (min(last, SLOTS - 1) - first + 1)
    except (AttributeError, TypeError, ValueError):
        raise ConnectionLost("ProtocolError") from None
    if len(nodes) != SLOTS or not any(nodes):
        raise ConnectionLost("SlotWithoutNode")
    return nodes


def _redirected(error: ServerError, asked: Address | None) -> Address | None:
    """Where a server sends us: ``MOVED 3999 127.0.0.1:6381``. Without a host it is the one that was asked.

    None where it says nothing of the kind.
    """
    host, _, port = str(error).rpartition(" ")[2].rpartition(":")
    host = host or (asked[0] if asked else "")
    return (host, int(port)) if host and port.isdecimal() and len(port) <= len("65535") else None

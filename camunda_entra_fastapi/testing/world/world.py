"""``World``: everything that the emulator's endpoints share."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from camunda_entra_fastapi.http_library import AsyncHttpClient
from camunda_entra_fastapi.testing.directory import Directory
from camunda_entra_fastapi.testing.protocol.keys import SigningKey, without_none
from camunda_entra_fastapi.testing.protocol.request_log import RecordedRequest
from camunda_entra_fastapi.testing.world.faults import Faults
from camunda_entra_fastapi.testing.world.state import State

MAX_RECORDED: Final = 10_000


@dataclass(slots=True)
class World:
    """Everything that the endpoints share. It is their only argument.

    Attributes:
        directory: The tenants with their users and applications.
        base_url: The address of the emulator, without a slash at the end.
        clock: Gives seconds since 1970.
        new_key: Makes signing keys.
        token_lifetime: Seconds that an access token is valid.
        outgoing: Makes HTTP clients that fetch the keys of federated credentials' issuers.
        state: The state between requests.
        faults: The faults that are injected now.
        requests: The recorded requests, the latest 10,000.
    """

    directory: Directory
    base_url: str
    clock: Callable[[], float]
    new_key: Callable[[], SigningKey]
    token_lifetime: int
    outgoing: Callable[[], AsyncHttpClient]
    state: State = field(default_factory=State)
    faults: Faults = field(default_factory=Faults)
    requests: deque[RecordedRequest] = field(default_factory=lambda: deque(maxlen=MAX_RECORDED))
    _keys: list[SigningKey] = field(default_factory=list, init=False)
    _hidden: set[str] = field(default_factory=set, init=False)
    _travelled: float = field(default=0.0, init=False)

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """The keys; the first one signs. All are published but the hidden ones."""
        if not self._keys:
            self._keys.append(self.new_key())
        return tuple(self._keys)

    @property
    def published_keys(self) -> tuple[SigningKey, ...]:
        """The keys that the documents have."""
        return tuple(key for key in self.keys if key.key_id not in self._hidden)

    def hide_key(self, key_id: str) -> None:
        """Leave a key out of the documents. It signs and verifies as before.

        Raises:
            ValueError: There is no such key.
        """
        self._hidden.add(self._known(key_id))

    def show_key(self, key_id: str) -> None:
        """Have a hidden key in the documents again.

        Raises:
            ValueError: There is no such key.
        """
        self._hidden.discard(self._known(key_id))

    def rotate_keys(self, *, overlap: bool) -> None:
        """Sign with a new key from now on. Without overlap, the old keys are unpublished at once."""
        published = self.keys if overlap else ()
        self._keys = [self.new_key(), *published]

    def retire_keys(self) -> None:
        """Unpublish all keys but the one that signs."""
        self._keys = list(self.keys[:1])

    def now(self) -> float:
        """The emulator's time, in seconds since 1970."""
        return self.clock() + self._travelled

    def travel(self, seconds: float) -> None:
        """Move the emulator's time by so many seconds, back by a negative number."""
        self._travelled += seconds

    def sign(self, claims: Mapping[str, Any], *, v1: bool, header: Mapping[str, Any] | None = None) -> str:
        """A JWT with the claims, signed with the current key; members that are None are left out."""
        key = self.keys[0]
        return key.sign(without_none({**key.header(v1=v1), **(header or {})}), without_none(claims))

    def _known(self, key_id: str) -> str:
        key_ids = [key.key_id for key in self.keys]
        if key_id not in key_ids:
            raise ValueError(f"{key_id!r} is none of the keys. They are: {', '.join(key_ids)}.")
        return key_id

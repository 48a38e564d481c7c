"""Clients of an application under test, signed in at the emulator. What ``entra_client`` gives."""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import httpx
from starlette.testclient import TestClient

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from camunda_entra_fastapi.settings import EntraSettings
    from camunda_entra_fastapi.testing.emulator import EntraEmulator

_REGISTRATION: Final = (
    "type",
    "issuer",
    "issuer_backend_url",
    "client_id",
    "client_secret",
    "audience",
    "allowed_tenants",
)
"""The settings that say which Entra and which registration; all others are the application's own."""

_STRANGERS: Final = ("issuer_mismatch", "issuer_unexpected", "key_unknown", "keys_unavailable")
"""The codes of refusals by an application that trusts somebody else than the emulator."""


@dataclass(frozen=True, slots=True)
class EmulatorClock:
    """The emulator's time, for the application to have the same one."""

    time: Callable[[], float]
    """Seconds since 1970."""
    monotonic: Callable[[], float]
    """The same; only differences of it count."""


class Overridable(Protocol):
    """What is needed of a ``CamundaEntra``."""

    @property
    def settings(self) -> "EntraSettings":
        """What it trusts."""

    def overridden(
        self,
        settings: "EntraSettings | None" = None,
        *,
        http_client: httpx.AsyncClient | None = None,
        clock: EmulatorClock | None = None,
    ) -> AbstractContextManager[None]:
        """Trust something else for a while."""


class _StartedClient(TestClient):
    """Runs in the lifespan of another, so that ``with``, out of habit, starts and ends nothing."""

    __test__ = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class AppClients:
    """Makes clients whose every request bears a token of the emulator's.

    The application is judged by its own settings, guests and allowed clients included; tenant,
    registration and clock alone become the emulator's. All of it ends with the ``with`` block,
    which for the fixture is the test.

    Args:
        emulator: Who issues the tokens.
    """

    def __init__(self, emulator: "EntraEmulator") -> None:
        self._emulator = emulator
        self._stack = ExitStack()
        self._overridden: list[Overridable] = []
        self._running: list[TestClient] = []
        self._asynchronous: list[httpx.AsyncClient] = []

    def __enter__(self) -> Self:
        self._stack.callback(self._close_asynchronous)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def __call__(
        self,
        app: "ASGIApp",
        entra: Overridable | None = None,
        *,
        user: str | None = None,
        roles: Sequence[str] | None = None,
        scopes: Sequence[str] | None = None,
        app_only: bool = False,
        anonymous: bool = False,
        **token: Any,
    ) -> TestClient:
        """A client that is started: the application's lifespan runs, once for all clients of a test.

        Args:
            app: The application, or anything else that speaks ASGI 3.
            entra: The ``CamundaEntra`` that guards it; None for one that trusts the emulator already.
            user: Whose token it is, by object ID, username or name; the directory's first user by default.
            roles: The token's app roles; those of the directory by default.
            scopes: The token's delegated permissions; the API's first one by default.
            app_only: Whether the token is an application's own.
            anonymous: Whether there is no token at all.
            token: What else ``EntraEmulator.token`` takes, claims included.

        Raises:
            TypeError: ``app`` or ``entra`` is something else, or an anonymous client is to have a token.
            ValueError: The directory has no such user or application.
        """
        chosen = {"user": user, "roles": roles, "scopes": scopes, "app_only": app_only, **token}
        headers = self._prepare(app, entra, chosen, anonymous=anonymous)
        client = _StartedClient(app, headers=headers)
        client.event_hooks = {"response": [self._explain]}
        self._stack.callback(client.close)
        running = self._run(app)
        client.portal = running.portal
        client.app_state.update(running.app_state)
        return client

    def asynchronous(
        self,
        app: "ASGIApp",
        entra: Overridable | None = None,
        *,
        user: str | None = None,
        roles: Sequence[str] | None = None,
        scopes: Sequence[str] | None = None,
        app_only: bool = False,
        anonymous: bool = False,
        **token: Any,
    ) -> httpx.AsyncClient:
        """The same for tests that are coroutines.

        Runs no lifespan; ``async with app.router.lifespan_context(app):`` around the requests does.
        Keys are fetched on first use without it.
        """
        chosen = {"user": user, "roles": roles, "scopes": scopes, "app_only": app_only, **token}
        headers = self._prepare(app, entra, chosen, anonymous=anonymous)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://testserver",
            headers=headers,
            event_hooks={"response": [self._explain_asynchronously]},
        )
        self._asynchronous.append(client)
        return client

    def _prepare(
        self, app: object, entra: object, chosen: dict[str, Any], *, anonymous: bool
    ) -> dict[str, str]:
        """Let ``entra`` trust the emulator; gives the headers of the client."""
        _check_app(app)
        given = sorted(name for name, value in chosen.items() if value is not None and value is not False)
        if anonymous and given:
            raise TypeError(
                f"An anonymous client has no token, so {', '.join(given)} cannot be chosen. "
                "Leave it out, or leave out anonymous=True."
            )
        headers = {} if anonymous else {"Authorization": f"Bearer {self._emulator.token(**chosen)}"}
        if entra is not None:
            self._override(_checked_entra(entra))
        return headers

    def _override(self, entra: Overridable) -> None:
        if any(known is entra for known in self._overridden):
            return
        http_client = self._emulator.http_client()
        self._asynchronous.append(http_client)
        clock = EmulatorClock(time=self._emulator.now, monotonic=self._emulator.now)
        settings = settings_at(self._emulator, entra.settings)
        self._stack.enter_context(entra.overridden(settings, http_client=http_client, clock=clock))
        self._overridden.append(entra)

    def _run(self, app: "ASGIApp") -> TestClient:
        """Whose lifespan is the application's; one for all clients, as applications start but once."""
        for running in self._running:
            if running.app is app:
                return running
        started = self._stack.enter_context(TestClient(app))
        self._running.append(started)
        return started

    def _explain(self, response: Any) -> None:
        if self._is_suspicious(response):
            response.read()
            self._judge_refusal(response)

    async def _explain_asynchronously(self, response: httpx.Response) -> None:
        if self._is_suspicious(response):
            await response.aread()
            self._judge_refusal(response)

    def _is_suspicious(self, response: Any) -> bool:
        return response.status_code in (401, 503) and not self._emulator.requests

    def _judge_refusal(self, response: Any) -> None:
        """Refusals by somebody who never asked the emulator for a key are a mistake in the test.

        Raises:
            RuntimeError: This is one.
        """
        for code in _STRANGERS:
            if f'"{code}"' in response.text:
                raise RuntimeError(
                    f"The application refused the emulator's token ({code}) without asking the emulator for "
                    "its keys. Pass the CamundaEntra whose dependencies guard it: entra_client(app, entra)."
                )

    def _close_asynchronous(self) -> None:
        # In a thread, as this one may have an event loop that is running.
        if self._asynchronous:
            with ThreadPoolExecutor(max_workers=1) as thread:
                thread.submit(asyncio.run, _close(self._asynchronous)).result()


def settings_at(emulator: "EntraEmulator", own: "EntraSettings") -> "EntraSettings":
    """The application's own settings, in front of the emulator.

    One for several tenants stays one, and lets in the emulator's tenant besides those it names.
    """
    tenant = emulator.tenant.id
    changes: dict[str, Any] = {"allowed_tenants": [tenant]}
    if own.is_multi_tenant:
        issuer = f"{emulator.base_url}/common/v2.0"
        tenants = own.allowed_tenants if "*" in own.allowed_tenants else (*own.allowed_tenants, tenant)
        changes = {"issuer": issuer, "issuer_backend_url": issuer, "allowed_tenants": tenants}
    there = emulator.settings(**changes)
    return own.model_copy(update={name: getattr(there, name) for name in _REGISTRATION})


async def _close(clients: Iterable[httpx.AsyncClient]) -> None:
    for client in clients:
        await client.aclose()


def _check_app(app: object) -> None:
    try:
        inspect.signature(app).bind(None, None, None)  # type: ignore[arg-type]  # this is what is asked
    except (TypeError, ValueError):
        raise TypeError(
            "entra_client needs an ASGI application first, such as the FastAPI object itself: "
            f"entra_client(app, entra). It got {_described(app)}."
        ) from None


def _checked_entra(entra: Any) -> Overridable:
    if not hasattr(entra, "overridden"):
        raise TypeError(
            "entra_client needs the CamundaEntra that guards the application second: "
            f"entra_client(app, entra). It got {_described(entra)}."
        )
    found: Overridable = entra
    return found


def _described(thing: object) -> str:
    return f"the {type(thing).__name__} {getattr(thing, '__name__', '')}".rstrip()

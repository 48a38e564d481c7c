"""Authentication for HTTP clients and Camunda's SDK: httpx and httpx2, synchronous and asynchronous."""

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, Protocol, Self, cast

from camunda_entra_fastapi.downstream.claims_challenge import challenged_claims
from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.http_library import HttpAuth, auth_classes

_UNAUTHORIZED: Final = 401


class TokenSource(Protocol):
    """Gives access tokens."""

    async def get(self) -> str:
        """A token that stays valid for a while."""

    def get_blocking(self) -> str:
        """The same, for callers without an event loop."""

    def invalidate(self, token: str, claims: str | None) -> bool:
        """Drop a token that an API refused; whether to ask for another one."""


class BearerAuth(HttpAuth):
    """Sends an access token with each request, and a new one when the API refuses it (RFC 6750, 2.1).

    Fits ``auth=`` of the clients of httpx and httpx2, and ``auth_provider=`` of Camunda's SDK.

    Args:
        tokens: Returns the source of the tokens.
        final: Errors after an API's 401 that say more than it does; with others, its 401 is the response.
    """

    def __new__(cls, *_arguments: object, **_options: object) -> Self:
        """One that both libraries take for their own. They are imported now, not with this module."""
        return cast("Self", super().__new__(_with_every_base()))

    def __init__(
        self, tokens: Callable[[], TokenSource], *, final: tuple[type[EntraError], ...] = ()
    ) -> None:
        self._tokens = tokens
        self._final = final

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    async def token(self) -> str:
        """The access token, for anything but an HTTP client.

        Raises:
            EntraRefused: Entra refuses; ``refusal`` has its AADSTS code and the correlation ID.
            EntraUnavailable: Entra cannot be asked, and there is no valid token left.
        """
        return await self._tokens().get()

    def token_blocking(self) -> str:
        """The same, for programs without an event loop."""
        return self._tokens().get_blocking()

    async def aget_headers(self) -> dict[str, str]:
        """The header, for the asynchronous client of Camunda's SDK."""
        return {"Authorization": f"Bearer {await self.token()}"}

    def get_headers(self) -> dict[str, str]:
        """The header, for the synchronous client of Camunda's SDK."""
        return {"Authorization": f"Bearer {self.token_blocking()}"}

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send the request with the token; after 401 once more, with another one."""
        tokens = self._tokens()
        token = tokens.get_blocking()
        response = yield _with_token(request, token)
        if _should_retry(request, response, token, tokens):
            with self._keeping_response():
                token = tokens.get_blocking()
                yield _with_token(request, token)

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """The same for asynchronous clients."""
        tokens = self._tokens()
        token = await tokens.get()
        response = yield _with_token(request, token)
        if _should_retry(request, response, token, tokens):
            with self._keeping_response():
                token = await tokens.get()
                yield _with_token(request, token)

    @contextmanager
    def _keeping_response(self) -> Iterator[None]:
        """Let the API's 401 be the response where there is no other token, unless the error is final."""
        try:
            yield
        except self._final:
            raise
        except EntraError:
            pass


@cache
def _with_every_base() -> type[BearerAuth]:
    return type(BearerAuth.__name__, (BearerAuth, *auth_classes()), {"__module__": __name__})


def _with_token(request: Any, token: str) -> Any:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _should_retry(request: Any, response: Any, token: str, tokens: TokenSource) -> bool:
    if response.status_code != _UNAUTHORIZED:
        return False
    claims = challenged_claims(response.headers.get_list("WWW-Authenticate"))
    if not tokens.invalidate(token, claims):
        return False
    try:
        request.content  # noqa: B018 - raises for a streamed body, which cannot be sent twice
    except RuntimeError:
        return False
    return True

"""For backends behind a gateway: the user by a signed identity, over any network."""

import time
from collections.abc import Mapping
from typing import Final

from jose.backends.base import Key
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.errors import (
    CredentialsMissing,
    EntraError,
    EntraUnavailable,
    FetchFailed,
    InvalidRequest,
    InvalidToken,
)
from camunda_entra_fastapi.faults import FAULTS
from camunda_entra_fastapi.http_library import AsyncHttpClient
from camunda_entra_fastapi.log_records import log_fields
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.refresh import RefreshedValue
from camunda_entra_fastapi.telemetry import logger, refusals
from camunda_entra_fastapi.token_validator import Clock
from camunda_entra_fastapi.urls import is_usable
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.identity import parse_identity, parse_identity_keys
from camunda_entra_fastapi.web.challenges import Challenger
from camunda_entra_fastapi.web.signed_identity import IDENTITY

KEYS_LIFETIME: Final = 300.0
"""Seconds until the gateway's keys are fetched again, in the background."""


class GatewayIdentity:
    """A dependency that gives the user whose identity the gateway signed, for HTTP routes and WebSockets.

    It reads ``X-Entra-Identity`` alone, and no header that could be forged on the way. The gateway
    names this backend in its request: ``/auth/verify?identity=<audience>``. Keys are fetched when they
    are first needed; known keys stay in use while the gateway is away.

    Args:
        keys_url: Where the verify endpoint publishes its keys: ``…/auth/identity-keys``.
        audience: This backend's name. An identity for another backend is refused here.
        allow_http: Whether ``keys_url`` may be plain http beyond this machine. Whoever can change what
            passes on that network can then pose as any user.
        http_client: Used to fetch the keys instead of clients of our own, and never closed.
        clock: The time: the module ``time`` or an object with the same functions.

    Raises:
        ValueError: ``keys_url`` or ``audience`` is not usable.
    """

    def __init__(
        self,
        keys_url: str,
        audience: str,
        *,
        allow_http: bool = False,
        http_client: AsyncHttpClient | None = None,
        clock: Clock = time,
    ) -> None:
        if not is_usable(keys_url, allow_http=allow_http):
            raise ValueError(
                f"keys_url must be an https URL such as https://orders.example.com/auth/identity-keys, "
                f"not {keys_url!r}. Within a network that you trust, allow_http=True lets plain http in."
            )
        if not audience:
            raise ValueError("audience must be this backend's name, as the gateway has it in identity=.")
        self._keys_url = keys_url
        self._audience = audience
        self._http = EntraHttp(client=http_client)
        self._clock = clock
        self._challenger = Challenger(audience, str, "", scheme="EntraIdentity")
        self._keys: RefreshedValue[Mapping[str, Key]] = RefreshedValue(
            "identity keys", self._load, lifetime=KEYS_LIFETIME, monotonic=clock.monotonic
        )

    async def __call__(self, request: HTTPConnection) -> EntraUser:
        """The user.

        Raises:
            HTTPException: The request is refused; for WebSockets WebSocketException where the server
                cannot send a response.
        """
        try:
            return await self._authenticate(request)
        except EntraError as error:
            refusals.add(1, {"code": error.code})
            if not isinstance(error, FAULTS):
                fields = log_fields(code=error.code, path=request.scope.get("path", ""), azp=error.client_id)
                logger.info("Request refused: %s: %s", error.code, error.message, extra=fields)
            raise self._challenger.exception(error, request) from None

    async def _authenticate(self, request: HTTPConnection) -> EntraUser:
        values = request.headers.getlist(IDENTITY)
        if not values:
            raise CredentialsMissing(f"This needs {IDENTITY}, which the gateway sets. Ask by way of it.")
        if len(values) > 1:
            raise InvalidRequest("authorization_repeated", f"The request has more than one {IDENTITY}.")
        identity = parse_identity(values[0].strip(" \t"))  # what stands around a value (RFC 9110, 5.5)
        key = await self._key(identity.key_id)
        claims = identity.verified_claims(key, self._audience, self._clock.time())
        return EntraUser.from_claims(claims, "")

    async def _key(self, key_id: str) -> Key:
        try:
            keys = await self._keys.get()
        except FetchFailed as failure:
            raise EntraUnavailable(
                "keys_unavailable",
                f"The gateway's keys were never fetched, so no identity can be judged: {failure.message}",
                self._keys.due_in,
            ) from None
        if key_id not in keys:
            await self._keys.force_refresh(lambda fetched: key_id in fetched)
            keys = self._keys.current() or keys
        if key_id not in keys:
            raise InvalidToken("key_unknown", "The identity is signed with a key that is not the gateway's.")
        return keys[key_id]

    async def _load(self) -> Mapping[str, Key]:
        document = await self._http.get_json(self._keys_url)
        try:
            return parse_identity_keys(document)
        except ValueError as error:
            raise FetchFailed(f"{self._keys_url} answered with unusable keys: {error}.") from None

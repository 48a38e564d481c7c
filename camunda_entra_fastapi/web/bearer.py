"""The bearer scheme: from the Authorization header to the user; and how OpenAPI describes it."""

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn

from fastapi.openapi.models import SecurityBase as SecurityBaseModel
from fastapi.security import SecurityScopes
from fastapi_azure_auth.auth import AzureAuthorizationCodeBearerBase
from starlette.requests import HTTPConnection
from starlette.types import Scope

from camunda_entra_fastapi.errors import (
    NO_CREDENTIALS,
    AccessDenied,
    CredentialsMissing,
    EntraError,
)
from camunda_entra_fastapi.faults import FAULTS
from camunda_entra_fastapi.log_records import log_fields
from camunda_entra_fastapi.remedies import REMEDIES
from camunda_entra_fastapi.telemetry import logger, refusals
from camunda_entra_fastapi.token_validator import TokenValidator
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.compact import CODES_OF_UNREADABLE_TOKENS
from camunda_entra_fastapi.web.challenges import Challenger
from camunda_entra_fastapi.web.credentials import (
    USUAL_SCHEME,
    is_handshake,
    parse_bearer_token,
    read_credentials,
    refuse_control_characters,
)
from camunda_entra_fastapi.web.look import Look, again
from camunda_entra_fastapi.web.misspelled_header import explanation_of, missing_credentials
from camunda_entra_fastapi.web.mounted import NeverCopied
from camunda_entra_fastapi.web.permissions import Permissions
from camunda_entra_fastapi.web.security_scheme import OPENID_CONFIG, SecurityScheme
from camunda_entra_fastapi.web.websocket_tokens import has_token, move_token

_NUMBERS: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Authentication:
    """Validates access tokens, and words challenges: for all schemes of one ``CamundaEntra``."""

    validator: TokenValidator
    challenger: Challenger
    websocket_tokens: bool = False
    """Whether a WebSocket's token may be among its subprotocols."""
    read_credentials: Callable[[HTTPConnection], bytes | None] = field(init=False, repr=False)
    """Reads the Authorization header; and with those tokens, the subprotocols of handshakes."""
    look_key: str = field(init=False, compare=False, repr=False)
    """Key of the scope: what the look at a request's credentials has shown."""
    told_key: str = field(init=False, compare=False, repr=False)
    """Key of the scope: which refusal of the request was logged, and the response of a fault."""

    def __post_init__(self) -> None:
        reader = _read_credentials_of_sockets if self.websocket_tokens else read_credentials
        object.__setattr__(self, "read_credentials", reader)  # it is frozen
        number = next(_NUMBERS)
        object.__setattr__(self, "look_key", f"camunda_entra_fastapi.look.{number}")
        object.__setattr__(self, "told_key", f"camunda_entra_fastapi.told.{number}")


class EntraBearer(NeverCopied, AzureAuthorizationCodeBearerBase):
    """The user of a request, by the Authorization header alone.

    It takes the place of fastapi-azure-auth's scheme and is a subclass of it,
    but this package validates the token.

    Args:
        authentication: Validates the tokens. It may be replaced at any time.
        scheme: The security scheme in the OpenAPI document.
        optional: Give None instead of 401 for a request without credentials. Wrong ones are still refused.
    """

    def __init__(
        self, authentication: Authentication, scheme: SecurityScheme, *, optional: bool = False
    ) -> None:
        super().__init__(
            app_client_id=scheme.client_id,
            auto_error=not optional,
            scopes=dict(scheme.scopes),
            openapi_authorization_url=scheme.endpoints.made.authorization,
            openapi_token_url=scheme.endpoints.made.token,
            openapi_description="Sign in with Microsoft Entra ID. Leave client_secret empty.",
            scheme_name=scheme.name,
        )
        self.scheme_name = scheme.name
        self.scheme = scheme
        self.authentication = authentication

    @property
    def openid_config(self) -> NoReturn:
        """Refused: fastapi-azure-auth fetches Entra's documents by it, which happens elsewhere here.

        Raises:
            AttributeError: Always, with what to use instead.
        """
        raise AttributeError(OPENID_CONFIG)

    @openid_config.setter
    def openid_config(self, _: object) -> None:
        """The base class sets one, which would know no issuer."""

    @property
    def model(self) -> SecurityBaseModel:
        """The scheme in the OpenAPI document; FastAPI reads it when it generates that."""
        model = self.oauth.model
        flow = model.flows.authorizationCode  # type: ignore[attr-defined]  # it is OAuth2
        flow.authorizationUrl, flow.tokenUrl = self.scheme.urls(flow.tokenUrl)
        return model

    @model.setter
    def model(self, _: SecurityBaseModel) -> None:
        """The base class sets the model of its own ``oauth``."""

    def set_token_url(self, token_url: str) -> None:
        """Let Swagger UI redeem its codes there."""
        self.oauth.model.flows.authorizationCode.tokenUrl = token_url  # type: ignore[attr-defined]  # it is OAuth2

    async def __call__(self, request: HTTPConnection, security_scopes: SecurityScopes) -> EntraUser | None:
        """The user; also in ``request.state.user``, where fastapi-azure-auth puts it.

        Raises:
            HTTPException: The request is refused; for WebSockets WebSocketException where the server
                cannot send a response.
        """
        scope, authentication = request.scope, self.authentication
        try:
            look = scope.get(authentication.look_key)
            if look is not None and look.holds(scope):
                credentials = look.credentials
                user = await self._ask(look, request)
            else:
                read_credentials = authentication.read_credentials  # called at once, it would take longer
                credentials = read_credentials(request)
                if credentials is None:
                    user = self.cached_without_token(request)
                else:
                    user = authentication.validator.cached(credentials)
                if user is None:
                    look = self._begin(scope, credentials)
                    if credentials is not None:  # and not by way of _ask, as a coroutine more takes time
                        user = await self._validate(look, credentials)
                    if user is None:
                        user = await self._ask_without_token(look, request)
            if user is None and self.auto_error:
                raise self.missing_credentials(request, credentials)
            if security_scopes.scopes and user is not None:
                try:
                    Permissions(scopes=tuple(security_scopes.scopes)).check(user)
                except AccessDenied as error:
                    error.client_id = user.client_id
                    raise
        except EntraError as error:
            raise self.refuse(error, request) from None
        if "state" not in scope:
            scope["state"] = {}
        scope["state"]["user"] = user
        return user

    def missing_credentials(self, request: HTTPConnection, credentials: bytes | None) -> CredentialsMissing:
        """The error for a request without a bearer token or session; with words for what it has instead."""
        error = missing_credentials(credentials)
        if credentials is None and is_handshake(request.scope) and has_token(request.scope):
            # It was not read, as the setting says.
            error.message = "A token came in Sec-WebSocket-Protocol, where this service reads none."
            error.remedy = (
                "Set CAMUNDA_ENTRA_WEBSOCKET_PROTOCOL_TOKENS=true, if browsers shall send it there."
            )
        return error

    def refuse(self, error: EntraError, request: HTTPConnection) -> Exception:
        """The exception to raise for the error. It is counted and logged in one line, once for a request."""
        scope, authentication = request.scope, self.authentication
        challenger, told = authentication.challenger, scope.get(authentication.told_key)
        if told is None or told[:2] != (error.code, error.message):
            path = scope.get("path", "")
            self.log(error, path)
            fault = challenger.error_response(error, path) if isinstance(error, FAULTS) else None
            scope[authentication.told_key] = told = (error.code, error.message, fault)
        return challenger.exception(error, request, told[2])

    def log(self, error: EntraError, path: str) -> None:
        """Count it, and log one line for whoever runs this service.

        Faults have their line when they become a response.
        """
        refusals.add(1, {"code": error.code})
        if isinstance(error, FAULTS):
            return
        level = logging.DEBUG if error.message == NO_CREDENTIALS else logging.INFO
        if logger.isEnabledFor(level):
            remedy = f" Remedy: {error.remedy or REMEDIES[error.code]}" if error.code in REMEDIES else ""
            ending = self.authentication.challenger.log_ending(error.code)
            fields = log_fields(code=error.code, path=path, azp=error.client_id)
            logger.log(
                level, "Request refused: %s: %s%s%s", error.code, error.message, remedy, ending, extra=fields
            )

    async def extract_access_token(self, request: HTTPConnection) -> str | None:
        """The bearer token as the client sent it; None without one (RFC 6750, 2.1).

        Raises:
            InvalidRequest: There are several Authorization headers.
            InvalidToken: The header says Bearer, and no token follows.
        """
        credentials = self.authentication.read_credentials(request)
        token = None if credentials is None else parse_bearer_token(credentials)
        return None if token is None else token.decode("latin-1")

    async def authenticate(self, request: HTTPConnection) -> EntraUser | None:
        """The user; None for a request without credentials. It looks anew, whoever has looked before.

        Raises:
            EntraError: The credentials are wrong, or cannot be verified.
        """
        request.scope.pop(self.authentication.look_key, None)
        return await self.find_user(request)

    async def find_user(self, request: HTTPConnection) -> EntraUser | None:
        """As ``authenticate``; but once for all who ask in a request."""
        look = request.scope.get(self.authentication.look_key)
        if look is None or not look.holds(request.scope):
            credentials = self.authentication.read_credentials(request)
            if credentials is None:
                user = self.cached_without_token(request)
            else:
                user = self.authentication.validator.cached(credentials)
            if user is not None:
                return user
            look = self._begin(request.scope, credentials)
        return await self._ask(look, request)

    def cached_without_token(self, request: HTTPConnection) -> EntraUser | None:  # noqa: ARG002
        """None: only the Authorization header authenticates here."""
        return None

    def _begin(self, scope: Scope, credentials: bytes | None) -> Look:
        """A new look, which others find on the request."""
        authentication = self.authentication
        look = Look(scope, credentials, authentication.validator.monotonic)
        scope[authentication.look_key] = look
        return look

    async def _ask(self, look: Look, request: HTTPConnection) -> EntraUser | None:
        """The user whom the look shows; None for a request without credentials."""
        if look.refusal is not None:
            raise again(look.refusal)
        user = look.bearer and look.bearer[0]
        if look.bearer is None and look.credentials is not None:
            user = await self._validate(look, look.credentials)
        return user or await self._ask_without_token(look, request)

    async def _ask_without_token(self, look: Look, request: HTTPConnection) -> EntraUser | None:  # noqa: ARG002
        """None: only the Authorization header authenticates here."""
        return None

    async def _validate(self, look: Look, credentials: bytes) -> EntraUser | None:
        """The user of credentials that are not in the cache; None for those of another scheme."""
        token = user = None
        try:
            token = parse_bearer_token(credentials)
            if token is not None:
                usual, validator = USUAL_SCHEME, self.authentication.validator
                if len(credentials) != len(token) + len(usual) or not credentials.startswith(usual):
                    # One token has one place in the cache, however its scheme is spelled (RFC 9110, 11.4).
                    credentials = usual + token
                    user = validator.cached(credentials)
                if user is None:
                    user = await validator.validate(token, credentials)
        except EntraError as error:
            if token and error.code in CODES_OF_UNREADABLE_TOKENS:  # checked here, as no other token has any
                refuse_control_characters(token)
                if message := explanation_of(token):
                    error.message, error.args = message, (message,)
            look.refusal = error.__class__, error.args, error.__dict__
            raise
        look.bearer = (user,)
        return user


def _read_credentials_of_sockets(request: HTTPConnection) -> bytes | None:
    """As ``read_credentials``; a handshake's token may be among the subprotocols, and is moved from there.

    Raises:
        InvalidRequest: There are several tokens, or one besides an Authorization header.
    """
    scope = request.scope
    if scope["type"] == "websocket":
        move_token(scope)
    return read_credentials(request)

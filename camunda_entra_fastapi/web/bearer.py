"""The bearer scheme: the Authorization header in, the user out; and what OpenAPI says of it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi.security import SecurityScopes
from fastapi_azure_auth.auth import AzureAuthorizationCodeBearerBase
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.errors import CredentialsMissing, EntraError, InvalidRequest, InvalidToken
from camunda_entra_fastapi.remedies import REMEDIES
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.token_validator import TokenValidator
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.challenges import Challenger
from camunda_entra_fastapi.web.permissions import Permissions

_CONTROL_CHARACTERS: Final = bytes(range(0x20)) + b"\x7f"


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """How the scheme is shown in OpenAPI (OAuth 2.0 authorization code flow)."""

    name: str
    client_id: str
    authorization_url: str
    token_url: str
    scopes: Mapping[str, str]
    """What the docs page asks Entra for, each with a description."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who judges a token, and who says what a refused client is told."""

    validator: TokenValidator
    challenger: Challenger


class EntraBearer(AzureAuthorizationCodeBearerBase):
    """Who is asking, by the Authorization header alone.

    Stands wherever fastapi-azure-auth's scheme stood: it is one to FastAPI and its users,
    but the token is judged by this package.

    Args:
        judge: Judges the tokens. Another one may take over at any time.
        scheme: What OpenAPI shows.
        optional: Give None instead of 401 when no credentials came. Wrong ones are refused all the same.
    """

    def __init__(
        self, authentication: Authentication, scheme: SecurityScheme, *, optional: bool = False
    ) -> None:
        super().__init__(
            app_client_id=scheme.client_id,
            auto_error=not optional,
            scopes=dict(scheme.scopes),
            openapi_authorization_url=scheme.authorization_url,
            openapi_token_url=scheme.token_url,
            openapi_description="Sign in with Microsoft Entra ID. Leave client_secret empty.",
            scheme_name=scheme.name,
        )
        self.scheme_name = scheme.name
        self.authentication = authentication

    def set_token_url(self, token_url: str) -> None:
        """Let the docs page redeem its codes there."""
        self.oauth.model.flows.authorizationCode.tokenUrl = token_url  # type: ignore[attr-defined]  # it is OAuth2

    async def __call__(self, request: HTTPConnection, security_scopes: SecurityScopes) -> EntraUser | None:
        """The user; also put into ``request.state.user``, where fastapi-azure-auth leaves it.

        Raises:
            HTTPException: The request is refused; for WebSockets WebSocketException where the server
                cannot send an answer.
        """
        try:
            credentials = read_credentials(request)
            user = self.cached(request, credentials)
            if user is None:
                user = await self._authenticate(request, credentials)
            if user is None and self.auto_error:
                raise CredentialsMissing
            if user is not None and security_scopes.scopes:
                Permissions(scopes=tuple(security_scopes.scopes)).check(user)
        except EntraError as error:
            raise self.refuse(error, request) from None
        request.scope.setdefault("state", {})["user"] = user
        return user

    def refuse(self, error: EntraError, request: HTTPConnection) -> Exception:
        """The exception to raise for the error, which is logged in one line."""
        self.log(error)
        return self.authentication.challenger.refusal(error, request)

    def log(self, error: EntraError) -> None:
        """One line for who runs this service."""
        level = logging.DEBUG if isinstance(error, CredentialsMissing) else logging.INFO
        remedy = f" Remedy: {REMEDIES[error.code]}" if error.code in REMEDIES else ""
        logger.log(level, "Request refused: %s: %s%s", error.code, error.message, remedy)

    async def extract_access_token(self, request: HTTPConnection) -> str | None:
        """The bearer token as it was sent; None without one (RFC 6750, 2.1).

        Raises:
            InvalidRequest: There are several Authorization headers.
            InvalidToken: The header says Bearer and nothing follows.
        """
        token = read_bearer_token(request)
        return None if token is None else token.decode("latin-1")

    async def authenticate(self, request: HTTPConnection) -> EntraUser | None:
        """The user; None when no credentials came.

        Raises:
            EntraError: The credentials are wrong, or cannot be judged.
        """
        credentials = read_credentials(request)
        return self.cached(request, credentials) or await self._authenticate(request, credentials)

    def cached(self, request: HTTPConnection, credentials: bytes | None) -> EntraUser | None:  # noqa: ARG002
        """The user of what the request brings, if that was judged before; else None, and nothing is said."""
        return None if credentials is None else self.authentication.validator.cached(credentials)

    async def _authenticate(self, request: HTTPConnection, credentials: bytes | None) -> EntraUser | None:
        """The user of credentials that are not remembered."""
        token = parse_bearer_token(credentials) if credentials else None
        if token is None or credentials is None:
            return await self.authenticate_without_token(request)
        try:
            return await self.authentication.validator.validate(token, credentials)
        except InvalidToken:
            refuse_control_characters(token)  # looked for here, as no token that passes has any
            raise

    async def authenticate_without_token(self, request: HTTPConnection) -> EntraUser | None:  # noqa: ARG002
        """Nobody: here the header alone counts."""
        return None


def read_credentials(request: HTTPConnection) -> bytes | None:
    """What the Authorization header says, whatever its scheme; None without the header.

    Raises:
        InvalidRequest: There are several.
    """
    credentials = None
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            if credentials is not None:
                raise InvalidRequest(
                    "authorization_repeated", "The request has more than one Authorization header."
                )
            credentials = value
    return credentials


def parse_bearer_token(credentials: bytes) -> bytes | None:
    """The bearer token among the credentials, unverified; None when they are of another scheme.

    Raises:
        InvalidRequest: They are of another scheme, with control characters in them.
        InvalidToken: They say Bearer and nothing follows.
    """
    scheme, _, token = credentials.partition(b" ")
    if scheme.lower() != b"bearer":
        refuse_control_characters(credentials)
        return None
    token = token.strip(b" ")
    if not token:
        raise InvalidToken("token_malformed", "The Authorization header says Bearer, but no token follows.")
    return token


def read_bearer_token(request: HTTPConnection) -> bytes | None:
    """The bearer token in the Authorization header, unverified; None without header or with another scheme.

    Raises:
        InvalidRequest: As ``read_credentials`` and ``parse_bearer_token`` do.
        InvalidToken: As ``parse_bearer_token`` does.
    """
    credentials = read_credentials(request)
    return None if credentials is None else parse_bearer_token(credentials)


def refuse_control_characters(text: bytes) -> None:
    """Line breaks and their like have no place in the header, and mean that it was put together wrongly.

    Raises:
        InvalidRequest: There is one in the text.
    """
    if len(text.translate(None, _CONTROL_CHARACTERS)) != len(text):
        raise InvalidRequest(
            "authorization_malformed", "The Authorization header holds control characters, such as tabs."
        )

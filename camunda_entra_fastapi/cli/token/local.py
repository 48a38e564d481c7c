"""Tokens of the local Entra that runs: for anybody, with whatever a test of one's own API needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.cli.token.failure import NoToken
from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.token_endpoint import read_tokens

EXPIRED: Final = -600
"""Seconds; more than any clock skew that a service may allow."""
_ENDPOINT: Final = "/oauth2/v2.0/token"
_OK: Final = 200
_OTHER_DIRECTORY: Final = (
    "The variables are not of the local Entra that runs. Have it write its own: "
    "camunda-entra emulator --env-file .env"
)
_CREDENTIAL_CODES: Final = frozenset({700016, 7000215, 7000222, 90002, 700027})


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What the token is to be.

    Attributes:
        name: The person, or with ``app`` the application; empty for the first one.
        app: Whether it is an application's own token.
        roles: The roles; empty for those that the directory has.
        scopes: The scopes; empty for all that the API exposes.
        audience: Another audience than the API's.
        expired: Whether it has expired.
    """

    name: str = ""
    app: bool = False
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    audience: str = ""
    expired: bool = False

    def form(self) -> dict[str, str]:
        """The fields of the local Entra's endpoint."""
        fields = {
            "application" if self.app else "user": self.name,
            "app": "true" if self.app else "",
            "roles": " ".join(self.roles),
            "scope": " ".join(self.scopes),
            "audience": self.audience,
            "lifetime": str(EXPIRED) if self.expired else "",
        }
        return {name: value for name, value in fields.items() if value}


async def local_token(http: EntraHttp, token_endpoint: str, client: Client, wish: TokenWish) -> str:
    """The token.

    Raises:
        NoToken: The local Entra refuses.
        FetchFailed: It does not answer.
    """
    url = f"{token_endpoint.removesuffix(_ENDPOINT)}/local/token"
    try:
        status, document = await http.post_form(url, {**await client.form(), **wish.form()})
    except FetchFailed as failure:
        if failure.message.endswith(" 404 instead of 200."):
            raise NoToken("The local Entra is of an earlier version. End it, and start it anew.") from None
        raise
    if status != _OK:
        raise NoToken(_words_of(document))
    # Its lifetime is no matter here, and is negative for a token that has expired.
    return read_tokens({**document, "expires_in": 1}, url).access_token


def _words_of(document: Mapping[str, Any]) -> str:
    """The local Entra's own words; Entra's would be about a tenant."""
    description = str(document.get("error_description", "")).splitlines() or ["It refused without a reason."]
    words = printable(description[0])
    codes = document.get("error_codes")
    is_credential = isinstance(codes, list) and not _CREDENTIAL_CODES.isdisjoint(codes)
    return f"{words} {_OTHER_DIRECTORY}" if is_credential else words

"""Which client asks the token endpoint, whether it is the one, and whether it may ask from there."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from camunda_entra_fastapi.testing.directory import Application, Platform
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.parameters import need
from camunda_entra_fastapi.testing.world.state import SignIn

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a client shows of itself (RFC 6749, 2.3; RFC 7523, 2.2)."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)
    assertion_type: str | None = None

    @property
    def is_bare(self) -> bool:
        """Whether it shows nothing but its name."""
        return self.secret is None and self.assertion is None


def presented(parameters: Mapping[str, str], authorization: str | None) -> Presented:
    """Client ID and credential, from a Basic header (RFC 6749, 2.3.1) or the body.

    Raises:
        Aadsts: 900144 or 9002313.
    """
    if authorization and authorization.lower().startswith("basic "):
        try:
            text = base64.b64decode(authorization[6:], validate=True).decode()
        except ValueError:
            raise Aadsts(9002313, "invalid_request", "The Authorization header is not Basic.") from None
        name, _, secret = text.partition(":")
        return Presented(unquote_plus(name), unquote_plus(secret) or None)
    assertion = parameters.get("client_assertion")
    kind = parameters.get("client_assertion_type")
    if assertion is not None and kind != ASSERTION_TYPE:
        raise Aadsts(
            9002313,
            "invalid_request",
            f"Beside client_assertion, client_assertion_type must be {ASSERTION_TYPE}.",
        )
    client_id = need(parameters, "client_id")
    return Presented(client_id, parameters.get("client_secret"), assertion, kind)


def check_secret(client: Application, secret: str, now: float) -> None:
    """Believe the client who it is, or not.

    Raises:
        Aadsts: 7000215 or 7000222.
    """
    for known in client.known_secrets:
        if hmac.compare_digest(secret.encode(), known.value.encode()):
            if known.has_expired(now):
                raise Aadsts(
                    7000222,
                    "invalid_client",
                    f"The client secret of '{client.name}' has expired. Add another one under Certificates & "
                    "secrets of its registration.",
                )
            return
    raise Aadsts(
        7000215,
        "invalid_client",
        f"The client secret is not one of '{client.name}'. Send the secret's value, not its ID.",
    )


def check_origin(sign_in: SignIn, client: Presented, origin: str | None) -> Platform:
    """Browsers redeem for single-page applications, without a secret; servers for all others.

    Gives the platform, by which a credential is needed or refused.

    Raises:
        Aadsts: 9002326, 9002327 or 700025.
    """
    platform = sign_in.platform
    if origin is not None and platform != "spa":
        raise Aadsts(
            9002326,
            "invalid_request",
            "A browser may redeem codes of single-page applications only. Register "
            f"'{sign_in.redirect_uri}' under the platform Single-page application, or redeem on a server.",
        )
    if platform == "spa" and origin is None:
        raise Aadsts(
            9002327,
            "invalid_request",
            "A code of a single-page application is redeemed by its browser. Register "
            f"'{sign_in.redirect_uri}' under the platform Web to redeem it on a server.",
        )
    if platform != "web" and not client.is_bare:
        raise Aadsts(
            700025,
            "invalid_client",
            f"The redirect URI '{sign_in.redirect_uri}' is of a client that everybody can read, so it must "
            "not send a credential.",
        )
    return platform

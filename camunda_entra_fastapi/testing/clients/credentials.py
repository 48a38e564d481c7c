"""The credentials that a client presents at the token endpoint, and the checks of secret and origin."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from camunda_entra_fastapi.testing.directory import Application, Platform
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.parameters import required
from camunda_entra_fastapi.testing.world.state import SignIn

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class PresentedCredentials:
    """A client ID with the credential beside it (RFC 6749, 2.3; RFC 7523, 2.2)."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)
    assertion_type: str | None = None

    @property
    def has_credential(self) -> bool:
        """Whether there is a secret or an assertion."""
        return self.secret is not None or self.assertion is not None


def presented_credentials(parameters: Mapping[str, str], authorization: str | None) -> PresentedCredentials:
    """The client ID and the credential, from a Basic header (RFC 6749, 2.3.1) or the body.

    Raises:
        AadstsError: 900144, there is no client ID; 9002313, header or assertion type is malformed.
    """
    if authorization and authorization.lower().startswith("basic "):
        try:
            text = base64.b64decode(authorization[6:], validate=True).decode()
        except ValueError:
            raise AadstsError(9002313, "invalid_request", "The Authorization header is not Basic.") from None
        name, _, secret = text.partition(":")
        return PresentedCredentials(unquote_plus(name), unquote_plus(secret) or None)
    assertion = parameters.get("client_assertion")
    assertion_type = parameters.get("client_assertion_type")
    if assertion is not None and assertion_type != ASSERTION_TYPE:
        raise AadstsError(
            9002313,
            "invalid_request",
            f"Beside client_assertion, client_assertion_type must be {ASSERTION_TYPE}.",
        )
    client_id = required(parameters, "client_id")
    return PresentedCredentials(client_id, parameters.get("client_secret"), assertion, assertion_type)


def check_secret(client: Application, secret: str, now: float) -> None:
    """Authenticate a client by its secret.

    Raises:
        AadstsError: 7000215, it is wrong; 7000222, it has expired.
    """
    for registered in client.known_secrets:
        if hmac.compare_digest(secret.encode(), registered.value.encode()):
            if registered.has_expired(now):
                raise AadstsError(
                    7000222,
                    "invalid_client",
                    f"The client secret of '{client.name}' has expired. Add another one under Certificates & "
                    "secrets of its registration.",
                )
            return
    raise AadstsError(
        7000215,
        "invalid_client",
        f"The client secret is not one of '{client.name}'. Send the secret's value, not its ID.",
    )


def check_origin(sign_in: SignIn, credentials: PresentedCredentials, origin: str | None) -> Platform:
    """Check the request's origin: browsers redeem for single-page applications, servers for all others.

    Gives the platform, which decides whether a credential is required or refused.

    Raises:
        AadstsError: 9002326, a browser redeems for another platform; 9002327, a server redeems for a
            single-page application; 700025, a public client presents a credential.
    """
    platform = sign_in.platform
    if origin is not None and platform != "spa":
        raise AadstsError(
            9002326,
            "invalid_request",
            "A browser may redeem codes of single-page applications only. Register "
            f"'{sign_in.redirect_uri}' under the platform Single-page application, or redeem on a server.",
        )
    if platform == "spa" and origin is None:
        raise AadstsError(
            9002327,
            "invalid_request",
            "A code of a single-page application is redeemed by its browser. Register "
            f"'{sign_in.redirect_uri}' under the platform Web to redeem it on a server.",
        )
    if platform != "web" and credentials.has_credential:
        raise AadstsError(
            700025,
            "invalid_client",
            f"The redirect URI '{sign_in.redirect_uri}' is of a client that everybody can read, so it must "
            "not send a credential.",
        )
    return platform

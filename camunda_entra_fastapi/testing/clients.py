"""Which client asks the token endpoint, whether it is the one, and whether it may ask from there."""

import base64
import hmac
from http import HTTPStatus
from urllib.parse import unquote_plus

from camunda_entra_fastapi.testing.aadsts import Aadsts
from camunda_entra_fastapi.testing.authorize import platform_of
from camunda_entra_fastapi.testing.directory import Application
from camunda_entra_fastapi.testing.parameters import need
from camunda_entra_fastapi.testing.state import SignIn


def client_credentials(parameters: dict[str, str], authorization: str | None) -> tuple[str, str | None]:
    """Client ID and secret, from a Basic header (RFC 6749, 2.3.1) or the body.

    Raises:
        Aadsts: 900144 or 9002313.
    """
    if authorization and authorization.lower().startswith("basic "):
        try:
            text = base64.b64decode(authorization[6:], validate=True).decode()
        except ValueError:
            raise Aadsts(9002313, "invalid_request", "The Authorization header is not Basic.") from None
        name, _, secret = text.partition(":")
        return unquote_plus(name), unquote_plus(secret) or None
    return need(parameters, "client_id"), parameters.get("client_secret")


def authenticate(client: Application, secret: str | None) -> None:
    """Believe the client who it is, or not.

    Raises:
        Aadsts: 7000215, 700025 or 7000218.
    """
    if not client.secrets:
        if secret is not None:
            raise Aadsts(
                700025,
                "invalid_client",
                f"'{client.name}' is public, so it must not send a secret.",
                HTTPStatus.UNAUTHORIZED,
            )
        return
    if secret is None:
        raise Aadsts(
            7000218,
            "invalid_client",
            "The request must have the parameter 'client_secret' or 'client_assertion'.",
            HTTPStatus.UNAUTHORIZED,
        )
    if not any(hmac.compare_digest(secret.encode(), known.encode()) for known in client.secrets):
        raise Aadsts(
            7000215,
            "invalid_client",
            f"The client secret is not one of '{client.name}'. Send the secret's value, not its ID.",
            HTTPStatus.UNAUTHORIZED,
        )


def authenticate_for(sign_in: SignIn, client: Application, secret: str | None, origin: str | None) -> None:
    """Browsers redeem for single-page applications, without a secret; servers for all others, with one.

    Raises:
        Aadsts: 9002326, 9002327, or those of ``authenticate``.
    """
    spa = is_spa(sign_in)
    if origin is not None and not spa:
        raise Aadsts(
            9002326,
            "invalid_request",
            "A browser may redeem codes of single-page applications only. Register "
            f"'{sign_in.redirect_uri}' under the platform Single-page application, or redeem on a server.",
        )
    if spa and origin is None:
        raise Aadsts(
            9002327,
            "invalid_request",
            "A code of a single-page application is redeemed by its browser. Register "
            f"'{sign_in.redirect_uri}' under the platform Web to redeem it on a server.",
        )
    if not spa:
        authenticate(client, secret)
    elif secret is not None:
        raise Aadsts(
            700025,
            "invalid_client",
            "A browser must not send a secret, because everybody could read it there.",
            HTTPStatus.UNAUTHORIZED,
        )


def is_spa(sign_in: SignIn) -> bool:
    """Whether it was answered to a redirect URI of a single-page application."""
    return platform_of(sign_in.client, sign_in.redirect_uri) == "spa"

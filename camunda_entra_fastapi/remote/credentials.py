"""Client authentication at the token endpoint: by a secret, a certificate, or another provider's token.

See https://learn.microsoft.com/entra/identity-platform/certificate-credentials and
https://learn.microsoft.com/entra/workload-id/workload-identity-federation.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.certificates import CertificateFile
from camunda_entra_fastapi.telemetry import logger

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523, 2.2."""
MAX_ASSERTION_BYTES: Final = 16 * 1024
_DOTS: Final = 2

AssertionSource = Callable[[], str | Awaitable[str]]
"""Returns a signed assertion, or a coroutine that does; called for each request to Entra."""


class Credential(Protocol):
    """A credential of this application."""

    async def form(self) -> dict[str, str]:
        """The fields for the token endpoint.

        Raises:
            FetchFailed: The credential is not available right now.
        """


@dataclass(frozen=True, slots=True)
class Client:
    """This application, as Entra's token endpoint knows it."""

    client_id: str
    credential: Credential = field(repr=False)

    async def form(self) -> dict[str, str]:
        """The client ID and the credential, as fields for the token endpoint.

        Raises:
            FetchFailed: The credential is not available right now.
        """
        return {"client_id": self.client_id, **await self.credential.form()}


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client secret."""

    secret: str = field(repr=False)

    async def form(self) -> dict[str, str]:
        """The field with the secret."""
        return {"client_secret": self.secret}


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client certificate with its private key; read again when the file changes."""

    file: CertificateFile
    client_id: str
    audience: Callable[[], str]
    """Returns the tenant's public token endpoint."""
    clock: Callable[[], float]

    async def form(self) -> dict[str, str]:
        """The fields with a new assertion."""
        return _assertion_form(self.file.current().assertion(self.client_id, self.audience(), self.clock()))


@dataclass(frozen=True, slots=True)
class FederatedToken:
    """A file with a token of another identity provider that Entra trusts, as in Kubernetes."""

    path: Path

    async def form(self) -> dict[str, str]:
        """The fields with the token in the file now: its owner replaces it before it expires."""
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_ASSERTION_BYTES + 1)
        except OSError as error:
            raise FetchFailed(
                f"The federated token file {self.path} cannot be read: {type(error).__name__}."
            ) from None
        return _assertion_form(
            _check_assertion(content.decode("ascii", "replace").strip(), f"The file {self.path}")
        )


@dataclass(frozen=True, slots=True)
class AssertionCallback:
    """A function that returns assertions."""

    source: AssertionSource = field(repr=False)

    async def form(self) -> dict[str, str]:
        """The fields with its assertion."""
        try:
            result = self.source()
            assertion = await result if inspect.isawaitable(result) else result
        except Exception as error:  # noqa: BLE001 - the application's function may raise anything
            logger.exception("The client assertion could not be had")
            raise FetchFailed(f"The function client_assertion raised {type(error).__name__}.") from None
        return _assertion_form(_check_assertion(assertion, "What the function client_assertion gave"))


def _assertion_form(assertion: str) -> dict[str, str]:
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def _check_assertion(assertion: object, origin: str) -> str:
    if (
        not isinstance(assertion, str)
        or assertion.count(".") != _DOTS
        or len(assertion) > MAX_ASSERTION_BYTES
        or not assertion.isascii()
        or not assertion.isprintable()
        or " " in assertion
    ):
        raise FetchFailed(f"{origin} is no signed JSON Web Token.")
    return assertion

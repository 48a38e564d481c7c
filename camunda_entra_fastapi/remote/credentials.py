"""How this application proves to Entra who it is: by a secret, a certificate, or a token of another's.

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
"""Gives a signed assertion, as a string or a coroutine; asked anew for each request to Entra."""


class Credential(Protocol):
    """What proves it."""

    async def form(self) -> dict[str, str]:
        """The fields for the token endpoint.

        Raises:
            FetchFailed: It cannot be proven right now.
        """


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to Entra's token endpoint."""

    client_id: str
    credential: Credential = field(repr=False)

    async def form(self) -> dict[str, str]:
        """The fields that say and prove it.

        Raises:
            FetchFailed: It cannot be proven right now.
        """
        return {"client_id": self.client_id, **await self.credential.form()}


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret that Entra knows, too."""

    secret: str = field(repr=False)

    async def form(self) -> dict[str, str]:
        """The secret."""
        return {"client_secret": self.secret}


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that Entra knows, and the key that only we have; read again when the file changes."""

    file: CertificateFile
    client_id: str
    audience: str
    """The tenant's token endpoint, as the public knows it."""
    clock: Callable[[], float]

    async def form(self) -> dict[str, str]:
        """A new assertion."""
        return _assertion_form(self.file.current().assertion(self.client_id, self.audience, self.clock()))


@dataclass(frozen=True, slots=True)
class FederatedToken:
    """A file with the token of another identity provider, which Entra was told to trust, as in Kubernetes."""

    path: Path

    async def form(self) -> dict[str, str]:
        """The token as it is now: who put it there puts another one there before it expires."""
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
    """Whatever gives assertions."""

    source: AssertionSource = field(repr=False)

    async def form(self) -> dict[str, str]:
        """What it gives."""
        try:
            result = self.source()
            assertion = await result if inspect.isawaitable(result) else result
        except Exception as error:  # noqa: BLE001 - whatever a function of somebody else's may raise
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

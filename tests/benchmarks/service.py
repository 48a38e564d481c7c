"""The services that are measured over HTTP: one route each, and somebody or nobody who guards it.

Uvicorn starts one with ``--factory tests.benchmarks.service:make``; the environment says which, and where
its Entra is.
"""

import os
from collections.abc import Callable
from typing import Annotated, Any, Final

import jwt
from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi_azure_auth.auth import AzureAuthorizationCodeBearerBase

from camunda_entra_fastapi import CamundaEntra

GUARD: Final = "BENCHMARK_GUARD"
ISSUER: Final = "CAMUNDA_IDENTITY_ISSUER"
AUDIENCE: Final = "CAMUNDA_IDENTITY_AUDIENCE"


def make() -> FastAPI:
    """The service whose guard the environment names."""
    return _GUARDS[os.environ[GUARD]]()


def _ours() -> FastAPI:
    entra = CamundaEntra()
    return _app(entra.current_user, lifespan=entra.lifespan)


def _ours_with_sign_in() -> FastAPI:
    entra = CamundaEntra()
    app = _app(entra.current_user, lifespan=entra.lifespan)
    entra.install(app)
    return app


def _nobody() -> FastAPI:
    async def nobody() -> None:
        """Let everybody in."""

    return _app(nobody)


def _no_dependency() -> FastAPI:
    app = FastAPI()

    @app.get("/incidents")
    async def incidents() -> dict[str, int]:
        return {"open": 3}

    return app


def _fastapi_azure_auth() -> FastAPI:
    discovery = f"{os.environ[ISSUER]}/.well-known/openid-configuration"
    return _app(AzureAuthorizationCodeBearerBase(os.environ[AUDIENCE], openid_config_url=discovery))


def _by_hand() -> FastAPI:
    """With PyJWT's client for keys, which blocks, and so in a thread, as it is mostly written."""
    client = jwt.PyJWKClient(os.environ[ISSUER].removesuffix("/v2.0") + "/discovery/v2.0/keys")

    def current_user(
        credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    ) -> dict[str, Any]:
        token = credentials.credentials
        return jwt.decode(
            token,
            client.get_signing_key_from_jwt(token).key,
            algorithms=["RS256"],
            audience=os.environ[AUDIENCE],
            issuer=os.environ[ISSUER],
        )

    return _app(current_user)


def _app(guard: Callable[..., Any], **options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/incidents")
    async def incidents(_user: Annotated[Any, Security(guard)]) -> dict[str, int]:
        return {"open": 3}

    return app


_GUARDS: Final = {
    "ours": _ours,
    "ours with sign-in": _ours_with_sign_in,
    "nobody": _nobody,
    "no dependency": _no_dependency,
    "fastapi-azure-auth": _fastapi_azure_auth,
    "by hand": _by_hand,
}

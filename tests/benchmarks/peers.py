"""The floor, and other packages that validate the same tokens: keys at hand, issuer and audience checked."""

import warnings
from datetime import datetime
from typing import Any, Final

import authlib.deprecate  # noqa: F401 - it turns on its warnings when it is loaded
import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi.security import HTTPBearer, SecurityScopes
from fastapi_azure_auth import SingleTenantAzureAuthorizationCodeBearer
from jose import jwk as jose_jwk
from jose import jwt as jose_jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import RSAKey
from starlette.requests import Request

from tests.benchmarks.material import Material, Supply, split
from tests.benchmarks.measurement import Contender, Work
from tests.benchmarks.traffic import requests_with
from tests.tokens import CLIENT_ID, ISSUER, TENANT

with warnings.catch_warnings(action="ignore"):  # Authlib says that this part of it will be joserfc one day
    from authlib.jose import JsonWebKey, JsonWebToken

BATCH: Final = 20
DAY: Final = 24 * 3600


def peers(material: Material) -> list[Contender]:
    """The floor first, then the peers."""
    ready = jose_jwk.construct(material.public_jwk, "RS256")
    return [
        floor(material),
        _python_jose("python-jose, key made once", material, ready),
        _python_jose("python-jose, JWK each time", material, material.public_jwk),
        _pyjwt(material),
        _joserfc(material),
        _authlib(material),
        _pyjwk_client(material),
        _fastapi_azure_auth(material),
    ]


def floor(material: Material) -> Contender:
    supply, key = Supply.of(material.good), material.public_key

    async def prepare(count: int) -> Work:
        pairs = [split(token) for token in supply.take(count)]

        async def work() -> None:
            for signature, signed_text in pairs:
                key.verify(signature, signed_text, PKCS1v15(), SHA256())

        return work

    return Contender("cryptography, RSA-2048 verify (floor)", BATCH, prepare)


def _python_jose(name: str, material: Material, key: Any) -> Contender:
    supply = Supply.of(material.good)

    async def prepare(count: int) -> Work:
        tokens = supply.take(count)

        async def work() -> None:
            for token in tokens:
                jose_jwt.decode(token, key, algorithms=["RS256"], audience=CLIENT_ID, issuer=ISSUER)

        return work

    return Contender(name, BATCH, prepare)


def _pyjwt(material: Material) -> Contender:
    supply, key = Supply.of(material.good), material.public_key

    async def prepare(count: int) -> Work:
        tokens = supply.take(count)

        async def work() -> None:
            for token in tokens:
                pyjwt.decode(token, key, algorithms=["RS256"], audience=CLIENT_ID, issuer=ISSUER)

        return work

    return Contender("PyJWT, key made once", BATCH, prepare)


def _joserfc(material: Material) -> Contender:
    supply, key = Supply.of(material.good), RSAKey.import_key(material.public_jwk)
    rules = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": CLIENT_ID}
    )

    async def prepare(count: int) -> Work:
        tokens = supply.take(count)

        async def work() -> None:
            for token in tokens:
                rules.validate(joserfc_jwt.decode(token, key, algorithms=["RS256"]).claims)

        return work

    return Contender("joserfc, key made once", BATCH, prepare)


def _authlib(material: Material) -> Contender:
    supply, key = Supply.of(material.good), JsonWebKey.import_key(material.public_jwk)
    decoder = JsonWebToken(["RS256"])
    rules = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": CLIENT_ID}}

    async def prepare(count: int) -> Work:
        tokens = supply.take(count)

        async def work() -> None:
            for token in tokens:
                decoder.decode(token, key, claims_options=rules).validate()

        return work

    return Contender("Authlib, key made once", BATCH, prepare)


def _pyjwk_client(material: Material) -> Contender:
    """The dependency that people write by hand, PyJWT's documentation beside them."""
    supply = Supply.of(material.good)
    client = pyjwt.PyJWKClient(f"{ISSUER}/keys", lifespan=DAY)
    assert client.jwk_set_cache
    client.jwk_set_cache.put({"keys": [material.public_jwk]})  # what it would have fetched
    scheme = HTTPBearer()

    async def current_user(request: Request) -> dict[str, Any]:
        credentials = await scheme(request)
        assert credentials
        key = client.get_signing_key_from_jwt(credentials.credentials)
        return pyjwt.decode(
            credentials.credentials, key.key, algorithms=["RS256"], audience=CLIENT_ID, issuer=ISSUER
        )

    async def prepare(count: int) -> Work:
        requests = requests_with(supply.take(count))

        async def work() -> None:
            for request in requests:
                await current_user(request)

        return work

    return Contender("PyJWKClient, dependency by hand", BATCH, prepare)


def _fastapi_azure_auth(material: Material) -> Contender:
    supply = Supply.of(material.good)
    scheme = SingleTenantAzureAuthorizationCodeBearer(app_client_id=CLIENT_ID, tenant_id=TENANT)
    # What it would have fetched.
    scheme.openid_config.issuer = ISSUER
    scheme.openid_config._load_keys([material.public_jwk])
    scheme.openid_config._config_timestamp = datetime.now()  # noqa: DTZ005 - as it keeps it
    scopes = SecurityScopes()

    async def prepare(count: int) -> Work:
        requests = requests_with(supply.take(count))

        async def work() -> None:
            for request in requests:
                await scheme(request, scopes)

        return work

    return Contender("fastapi-azure-auth, whole scheme", BATCH, prepare)

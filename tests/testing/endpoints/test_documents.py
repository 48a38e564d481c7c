"""The emulator's documents are Entra's, field by field."""

import base64
import hashlib
import uuid
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from cryptography import x509

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.testing.conftest import Client

BASE = "https://login.entra.localhost"
V2_FIELDS = [
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "jwks_uri",
    "response_modes_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "response_types_supported",
    "scopes_supported",
    "issuer",
    "request_uri_parameter_supported",
    "userinfo_endpoint",
    "authorization_endpoint",
    "device_authorization_endpoint",
    "http_logout_supported",
    "frontchannel_logout_supported",
    "end_session_endpoint",
    "claims_supported",
    "kerberos_endpoint",
    "tenant_region_scope",
    "cloud_instance_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "rbac_url",
]


async def test_the_tenants_document_has_entras_fields_in_entras_order(
    client: Client, emulator: EntraEmulator
) -> None:
    """Clients see what Entra would show them, under the emulator's address."""
    answer = await client.http.get(f"/{client.tenant}/v2.0/.well-known/openid-configuration")
    document = answer.json()
    assert list(document) == [*V2_FIELDS, "local_entra"]
    assert document["issuer"] == f"{BASE}/{client.tenant}/v2.0"
    assert document["jwks_uri"] == f"{BASE}/{client.tenant}/discovery/v2.0/keys"
    assert document["authorization_endpoint"] == f"{BASE}/{client.tenant}/oauth2/v2.0/authorize"
    assert document["token_endpoint"] == f"{BASE}/{client.tenant}/oauth2/v2.0/token"
    assert answer.headers["cache-control"] == "max-age=86400, private"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert uuid.UUID(answer.headers["x-ms-request-id"])
    assert emulator.requests[0].status == 200


async def test_a_domain_names_the_same_tenant_by_its_id(client: Client) -> None:
    """Documents asked for by domain come back with the GUID."""
    by_domain = await client.http.get("/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration")
    by_id = await client.http.get(f"/{client.tenant}/v2.0/.well-known/openid-configuration")
    assert by_domain.json() == by_id.json()


async def test_tenants_are_found_in_any_case(client: Client) -> None:
    """GUIDs and domains are compared as Entra compares them."""
    for tenant in (client.tenant.upper(), "Contoso.OnMicrosoft.com"):
        document = (await client.http.get(f"/{tenant}/v2.0/.well-known/openid-configuration")).json()
        assert document["issuer"] == f"{BASE}/{client.tenant}/v2.0"


async def test_browsers_may_ask_before_they_read(client: Client) -> None:
    """The method that the answers allow is answered."""
    answer = await client.http.options(f"/{client.tenant}/discovery/v2.0/keys")
    assert (answer.status_code, answer.headers["access-control-allow-methods"]) == (200, "GET, OPTIONS")


@pytest.mark.parametrize("tenant", ["common", "organizations"])
async def test_shared_documents_have_a_template_for_an_issuer(client: Client, tenant: str) -> None:
    """``{tenantid}`` stands for the tenant, and the endpoints stay shared."""
    document = (await client.http.get(f"/{tenant}/v2.0/.well-known/openid-configuration")).json()
    assert document["issuer"] == BASE + "/{tenantid}/v2.0"
    assert document["jwks_uri"] == f"{BASE}/{tenant}/discovery/v2.0/keys"
    assert document["tenant_region_scope"] is None
    assert (await client.http.get(f"/{tenant}/discovery/v2.0/keys")).status_code == 200
    v1 = (await client.http.get(f"/{tenant}/.well-known/openid-configuration")).json()
    assert v1["issuer"] == "https://sts.windows.net/{tenantid}/"


async def test_the_v1_document_differs_where_entras_does(client: Client) -> None:
    """Another issuer, other paths, a session iframe."""
    document = (await client.http.get(f"/{client.tenant}/.well-known/openid-configuration")).json()
    assert document["issuer"] == f"https://sts.windows.net/{client.tenant}/"
    assert document["jwks_uri"] == f"{BASE}/{client.tenant}/discovery/keys"
    assert document["check_session_iframe"].endswith("/oauth2/checksession")
    assert document["scopes_supported"] == ["openid"]


async def test_keys_have_entras_members_and_a_certificate_that_fits(client: Client) -> None:
    """``kid`` is ``x5t``, the SHA-1 of the certificate in ``x5c``; there is no ``alg``."""
    (key,) = (await client.http.get(f"/{client.tenant}/discovery/v2.0/keys")).json()["keys"]
    assert list(key) == ["kty", "use", "kid", "x5t", "n", "e", "x5c", "cloud_instance_name", "issuer"]
    der = base64.b64decode(key["x5c"][0], validate=True)
    thumbprint = base64.urlsafe_b64encode(hashlib.sha1(der).digest()).rstrip(b"=").decode()
    assert key["kid"] == key["x5t"] == thumbprint
    assert key["issuer"] == BASE + "/{tenantid}/v2.0"
    certificate = x509.load_der_x509_certificate(der)
    numbers = certificate.public_key().public_numbers()  # type: ignore[union-attr]
    modulus = numbers.n.to_bytes(256, "big")  # type: ignore[union-attr]
    assert base64.urlsafe_b64decode(key["n"] + "==") == modulus
    assert certificate.subject.rfc4514_string() == "CN=accounts.accesscontrol.windows.net"


async def test_v1_keys_do_not_name_an_issuer(client: Client) -> None:
    """The same keys, without the member that only version 2.0 has."""
    (v1,) = (await client.http.get(f"/{client.tenant}/discovery/keys")).json()["keys"]
    (v2,) = (await client.http.get(f"/{client.tenant}/discovery/v2.0/keys")).json()["keys"]
    assert v1 == {name: value for name, value in v2.items() if name != "issuer"}


async def test_appid_is_handed_on_to_the_keys(client: Client) -> None:
    """Applications with keys of their own find them by the address in the document."""
    document = (
        await client.http.get(f"/{client.tenant}/v2.0/.well-known/openid-configuration?appid=x")
    ).json()
    assert document["jwks_uri"].endswith("/discovery/v2.0/keys?appid=x")


@pytest.mark.parametrize("path", ["v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"])
async def test_an_unknown_tenant_is_aadsts90002(client: Client, path: str) -> None:
    """As JSON with everything that Entra's errors have."""
    answer = await client.http.get(f"/nowhere.example/{path}")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


async def test_instance_discovery_trusts_the_emulator(client: Client) -> None:
    """Microsoft's clients ask it before they trust a host."""
    authorize = f"{BASE}/{client.tenant}/oauth2/v2.0/authorize"
    for authorization_endpoint, tenant in ((authorize, client.tenant), ("", "common")):
        answer = await client.http.get(
            "/common/discovery/instance",
            params={"api-version": "1.1", "authorization_endpoint": authorization_endpoint},
        )
        document = answer.json()
        assert document["tenant_discovery_endpoint"].startswith(f"{BASE}/{tenant}/v2.0/")
        assert document["metadata"][0]["aliases"] == ["login.entra.localhost"]


@pytest.mark.parametrize("host", ["https://evil.example", f"{BASE}.evil.example", "x"])
async def test_instance_discovery_does_not_know_other_hosts(client: Client, host: str) -> None:
    """A client must not learn to trust another host."""
    answer = await client.http.get(
        "/common/discovery/instance", params={"authorization_endpoint": f"{host}/x/oauth2/v2.0/authorize"}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_instance")


async def test_keys_rotate_with_and_without_overlap(emulator: EntraEmulator, client: Client) -> None:
    """The new key signs; the old ones stay published, or are gone at once."""

    async def published() -> list[str]:
        keys = (await client.http.get(f"/{client.tenant}/discovery/v2.0/keys")).json()["keys"]
        return [key["kid"] for key in keys]

    first = await published()
    emulator.rotate_keys()
    second = await published()
    assert second[1:] == first
    assert second[0] not in first
    emulator.retire_keys()
    assert await published() == second[:1]
    emulator.rotate_keys(overlap=False)
    assert set(await published()).isdisjoint(second)


async def test_rotating_without_overlap_before_anything_was_signed(emulator: EntraEmulator) -> None:
    """The key that never was seen is dropped too."""
    emulator.rotate_keys(overlap=False)
    assert len(emulator.keys) == 1


def test_signs_as_rfc_7515_does() -> None:
    """The example of appendix A.2: the same input and key give the same signature."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    def number(text: str) -> int:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")

    n = number(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
        "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
        "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"
        "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    )
    d = number(
        "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46su"
        "i395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4"
        "qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB"
        "4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"
    )
    p, q = rsa.rsa_recover_prime_factors(n, 65537, d)
    numbers = rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(65537, n),
    )
    key = SigningKey(numbers.private_key(), b"")
    signed = (
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y"
        "b290Ijp0cnVlfQ"
    )
    assert key.signature(signed.encode()) == (
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9"
        "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB"
        "_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
        "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    )
    header, payload, signature = key.sign({"alg": "RS256"}, {"a": 1}).split(".")
    assert header == signed.partition(".")[0]
    assert signature == key.signature(f"{header}.{payload}".encode())


async def test_being_down_and_up_again(emulator: EntraEmulator, client: Client) -> None:
    """In the same process, connections fail as without a listener; the attempts are recorded."""
    emulator.down()
    with pytest.raises(httpx2.ConnectError):
        await client.http.get("/common/discovery/instance?x=1")
    assert (emulator.requests[0].query, emulator.requests[0].status) == ("x=1", 0)
    emulator.up()
    assert (await client.http.get("/common/discovery/instance")).status_code == 200
    assert emulator.count("/instance") == 2


async def test_being_slow(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    """Every answer waits for as long as was asked."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    # There alone: a server of another test may be sleeping in its own thread.
    monkeypatch.setattr("camunda_entra_fastapi.testing.world.faults.asyncio", SimpleNamespace(sleep=sleep))
    emulator.slow(1.5)
    await client.http.get("/common/discovery/instance")
    assert waits == [1.5]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_served_over_http(emulator: EntraEmulator, host: str) -> None:
    """A real server on this machine, whose address everything it says is under while it runs."""
    with emulator.serve(host) as address:
        document = httpx2.get(f"{address}/{emulator.tenant.id}/v2.0/.well-known/openid-configuration").json()
        assert document["issuer"] == emulator.settings().issuer == f"{address}/{emulator.tenant.id}/v2.0"
        emulator.down()
        assert httpx2.get(document["jwks_uri"]).status_code == 503
    assert emulator.base_url == BASE


def test_an_application_that_does_not_start_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """The caller does not wait for a server that never starts."""

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(RuntimeError, match="failed to start"), serving(broken):
        pass


def test_a_port_that_is_taken_is_said(emulator: EntraEmulator) -> None:
    """A second emulator on the same port says so."""
    with emulator.serve() as address:
        port = int(address.rpartition(":")[2])
        with (
            pytest.raises(RuntimeError, match=rf"port {port}. Is the port taken"),
            EntraEmulator().serve(port=port),
        ):
            pass

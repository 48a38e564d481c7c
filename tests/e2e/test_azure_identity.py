"""Azure's credentials for Python get tokens of the local Entra over TLS, and are refused as by Entra."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AsyncioRequestsTransport
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    OnBehalfOfCredential,
    WorkloadIdentityCredential,
)
from azure.identity import aio as asynchronous

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.e2e.conftest import (
    COMMAND_LINE,
    PORTAL,
    SECRET,
    Certified,
    Cluster,
    call_operate,
    certify,
    register,
)

SCOPE = f"api://{OPERATE}/.default"


def trusting(emulator: EntraEmulator) -> dict[str, Any]:
    """What every credential is told of the local Entra, and how it trusts its certificate."""
    return {
        "tenant_id": emulator.tenant.id,
        "client_id": PORTAL,
        "authority": emulator.base_url,
        "disable_instance_discovery": True,
        "connection_verify": str(emulator.ca_file),
    }


def trusting_without_aiohttp(emulator: EntraEmulator) -> dict[str, Any]:
    """The same for asynchronous credentials, which would want aiohttp; requests in threads do as well."""
    told = trusting(emulator)
    return told | {"transport": AsyncioRequestsTransport(connection_verify=told.pop("connection_verify"))}


def of_a_person(emulator: EntraEmulator) -> str:
    """The token that a person called the portal with."""
    return emulator.token(application=PORTAL, client=COMMAND_LINE, user="Ben Reader")


def mounted(folder: Path, token: str) -> str:
    """The file in which a pod finds its token."""
    file = folder / "azure-identity-token"
    file.write_text(token)
    return str(file)


def as_pem(certified: Certified) -> dict[str, Any]:
    """A certificate credential's options, from PEM."""
    return {"certificate_data": (certified.key_pem + certified.pem).encode()}


def as_pkcs12(certified: Certified) -> dict[str, Any]:
    """A certificate credential's options, from PKCS#12."""
    return {"certificate_data": certified.pkcs12("password"), "password": "password"}


def as_chain(certified: Certified) -> dict[str, Any]:
    """A certificate credential's options, with the certificate sent along in ``x5c``."""
    return as_pem(certified) | {"send_certificate_chain": True}


def codes(error: pytest.ExceptionInfo[ClientAuthenticationError]) -> list[str]:
    """The codes in an error's words, which are all that every credential hands on."""
    return re.findall("AADSTS([0-9]+): ", error.value.message)


def test_a_secret_gives_a_token_of_the_application(emulator: EntraEmulator) -> None:
    """ClientSecretCredential gets a token that Operate accepts as the portal's own."""
    with ClientSecretCredential(client_secret=SECRET, **trusting(emulator)) as credential:
        found = call_operate(emulator, credential.get_token(SCOPE).token)
    assert (found["is_app"], found["client"], found["roles"]) == (True, PORTAL, ["Incidents.Read.All"])


def test_a_token_is_asked_for_once(emulator: EntraEmulator) -> None:
    """The credential understands how long the token lives."""
    with ClientSecretCredential(client_secret=SECRET, **trusting(emulator)) as credential:
        assert credential.get_token(SCOPE).token == credential.get_token(SCOPE).token
    assert emulator.count("/token") == 1


def test_a_wrong_secret_is_refused(emulator: EntraEmulator) -> None:
    """ClientSecretCredential raises ClientAuthenticationError with AADSTS7000215."""
    with (
        ClientSecretCredential(client_secret="not the secret", **trusting(emulator)) as credential,
        pytest.raises(ClientAuthenticationError) as error,
    ):
        credential.get_token(SCOPE)
    assert codes(error)[:1] == ["7000215"]


@pytest.mark.parametrize("options", [as_pem, as_pkcs12, as_chain])
def test_a_certificate_gives_a_token(
    emulator: EntraEmulator, certified: Certified, options: Callable[[Certified], dict[str, Any]]
) -> None:
    """CertificateCredential signs with the key of a registered certificate."""
    with CertificateCredential(**trusting(emulator), **options(certified)) as credential:
        found = call_operate(emulator, credential.get_token(SCOPE).token)
    assert (found["client"], found["claims"]["azpacr"]) == (PORTAL, "2")


def test_a_certificate_that_is_not_registered_is_refused(emulator: EntraEmulator) -> None:
    """CertificateCredential raises ClientAuthenticationError with AADSTS700027."""
    with (
        CertificateCredential(**trusting(emulator), **as_pem(certify("stranger"))) as credential,
        pytest.raises(ClientAuthenticationError) as error,
    ):
        credential.get_token(SCOPE)
    assert codes(error)[:1] == ["700027"]


def test_a_mounted_token_gives_a_token(emulator: EntraEmulator, cluster: Cluster, tmp_path: Path) -> None:
    """WorkloadIdentityCredential sends the pod's token in place of a secret."""
    file = mounted(tmp_path, cluster.token())
    with WorkloadIdentityCredential(token_file_path=file, **trusting(emulator)) as credential:
        found = call_operate(emulator, credential.get_token(SCOPE).token)
    assert (found["is_app"], found["client"]) == (True, PORTAL)


def test_the_variables_of_a_pod_are_enough(
    emulator: EntraEmulator, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the cluster's webhook sets names tenant, client, file and authority."""
    monkeypatch.setenv("AZURE_TENANT_ID", emulator.tenant.id)
    monkeypatch.setenv("AZURE_CLIENT_ID", PORTAL)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"{emulator.base_url}/")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", mounted(tmp_path, cluster.token()))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))
    with WorkloadIdentityCredential(disable_instance_discovery=True) as credential:
        assert call_operate(emulator, credential.get_token(SCOPE).token)["client"] == PORTAL


def test_another_pods_token_is_refused(emulator: EntraEmulator, cluster: Cluster, tmp_path: Path) -> None:
    """A subject that no federated credential names is AADSTS700213."""
    file = mounted(tmp_path, cluster.token("system:serviceaccount:camunda:stranger"))
    with (
        WorkloadIdentityCredential(token_file_path=file, **trusting(emulator)) as credential,
        pytest.raises(ClientAuthenticationError) as error,
    ):
        credential.get_token(SCOPE)
    assert codes(error)[:1] == ["700213"]


def test_a_service_acts_on_behalf_of_its_caller(emulator: EntraEmulator) -> None:
    """OnBehalfOfCredential exchanges the caller's token for one that Operate accepts as that person's."""
    told = trusting(emulator) | {"client_secret": SECRET, "user_assertion": of_a_person(emulator)}
    with OnBehalfOfCredential(**told) as credential:
        found = call_operate(emulator, credential.get_token(SCOPE).token)
    assert (found["name"], found["is_app"], found["client"]) == ("Ben Reader", False, PORTAL)


def test_a_service_with_a_certificate_acts_on_behalf_of_its_caller(
    emulator: EntraEmulator, certified: Certified
) -> None:
    """OnBehalfOfCredential proves with a certificate that it is the service."""
    told = trusting(emulator) | {"user_assertion": of_a_person(emulator)}
    pem = as_pem(certified)["certificate_data"]
    with OnBehalfOfCredential(client_certificate=pem, **told) as credential:
        assert call_operate(emulator, credential.get_token(SCOPE).token)["claims"]["azpacr"] == "2"


def test_without_consent_nobody_acts_on_behalf(emulator: EntraEmulator) -> None:
    """OnBehalfOfCredential raises ClientAuthenticationError with AADSTS65001."""
    register(emulator, PORTAL, admin_consent=False)
    told = trusting(emulator) | {"client_secret": SECRET, "user_assertion": of_a_person(emulator)}
    with OnBehalfOfCredential(**told) as credential, pytest.raises(ClientAuthenticationError) as error:
        credential.get_token(SCOPE)
    assert codes(error)[:1] == ["65001"]


def test_a_token_for_another_api_is_no_assertion(emulator: EntraEmulator) -> None:
    """OnBehalfOfCredential raises ClientAuthenticationError with AADSTS500131."""
    assertion = emulator.token(application=UNRELATED, client=COMMAND_LINE)
    told = trusting(emulator) | {"client_secret": SECRET, "user_assertion": assertion}
    with OnBehalfOfCredential(**told) as credential, pytest.raises(ClientAuthenticationError) as error:
        credential.get_token(SCOPE)
    assert codes(error)[:1] == ["500131"]


@pytest.mark.parametrize("kind", ["secret", "PEM", "PKCS#12", "mounted token", "on behalf of"])
async def test_asynchronous_credentials_get_tokens(
    emulator: EntraEmulator, certified: Certified, cluster: Cluster, tmp_path: Path, kind: str
) -> None:
    """They sign and send by themselves, where the others leave it to MSAL, and are believed as well."""
    told = trusting_without_aiohttp(emulator)
    make: dict[str, Callable[[], Any]] = {
        "secret": lambda: asynchronous.ClientSecretCredential(client_secret=SECRET, **told),
        "PEM": lambda: asynchronous.CertificateCredential(**told, **as_pem(certified)),
        "PKCS#12": lambda: asynchronous.CertificateCredential(**told, **as_pkcs12(certified)),
        "mounted token": lambda: asynchronous.WorkloadIdentityCredential(
            token_file_path=mounted(tmp_path, cluster.token()), **told
        ),
        "on behalf of": lambda: asynchronous.OnBehalfOfCredential(
            client_secret=SECRET, user_assertion=of_a_person(emulator), **told
        ),
    }
    async with make[kind]() as credential:
        token = await credential.get_token(SCOPE)
    assert call_operate(emulator, token.token)["client"] == PORTAL


async def test_an_asynchronous_credential_with_a_wrong_secret_is_refused(emulator: EntraEmulator) -> None:
    """The error is the same as elsewhere."""
    told = trusting_without_aiohttp(emulator)
    async with asynchronous.ClientSecretCredential(client_secret="not the secret", **told) as credential:
        with pytest.raises(ClientAuthenticationError) as error:
            await credential.get_token(SCOPE)
    assert codes(error)[:1] == ["7000215"]

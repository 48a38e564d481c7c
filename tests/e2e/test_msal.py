"""Microsoft's client for Python signs in at the local Entra over TLS, and is refused as by Entra."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msal  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives import hashes

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import (
    OPERATE,
    UNRELATED,
    ConditionalAccess,
    FederatedCredential,
)
from tests.e2e.browser_less import Person
from tests.e2e.conftest import (
    COMMAND_LINE,
    PORTAL,
    SECRET,
    SIGNED_IN,
    Certified,
    Cluster,
    call_operate,
    certify,
    register,
)

SCOPE = f"api://{OPERATE}/.default"
STRONGER = json.dumps({"access_token": {"acrs": {"essential": True, "value": "c1"}}})


def trusting(emulator: EntraEmulator) -> dict[str, Any]:
    """What every client is told of the local Entra."""
    return {
        "authority": f"{emulator.base_url}/{emulator.tenant.id}",
        "instance_discovery": False,
        "verify": str(emulator.ca_file),
    }


def portal_of(emulator: EntraEmulator, credential: Any = SECRET, **options: Any) -> Any:
    """The portal, which is confidential."""
    options = trusting(emulator) | options
    return msal.ConfidentialClientApplication(PORTAL, client_credential=credential, **options)


def command_line_of(emulator: EntraEmulator) -> Any:
    """The command line, which can keep no secret."""
    return msal.PublicClientApplication(COMMAND_LINE, **trusting(emulator))


def begin(portal: Any, **options: Any) -> dict[str, Any]:
    """An authorization request; MSAL warns of answers by query, where logs and histories keep the code."""
    options = {"redirect_uri": SIGNED_IN, "response_mode": "form_post"} | options
    flow: dict[str, Any] = portal.initiate_auth_code_flow([SCOPE], **options)
    return flow


def poll(command_line: Any, flow: dict[str, Any]) -> dict[str, Any]:
    """What the device is told now."""
    result: dict[str, Any] = command_line.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)
    return result


def sign_in(portal: Any, person: Person, *presses: str, **options: Any) -> dict[str, Any]:
    """What the portal has after a person pressed those buttons."""
    flow = begin(portal, **options)
    answer = person.arrive(flow["auth_uri"], *presses)
    result: dict[str, Any] = portal.acquire_token_by_auth_code_flow(flow, answer)
    return result


def codes(result: dict[str, Any]) -> list[int]:
    """The numbers of a refusal, which its words repeat."""
    assert "access_token" not in result
    assert result["error_description"].startswith(f"AADSTS{result['error_codes'][0]}: ")
    found: list[int] = result["error_codes"]
    return found


def by_sha256(certified: Certified) -> dict[str, str]:
    """A certificate as MSAL wants it today: it signs with PS256."""
    return {"private_key": certified.key_pem, "public_certificate": certified.pem}


def by_sha1(certified: Certified) -> dict[str, str]:
    """A certificate as it was: MSAL signs with RS256, and names it by its SHA-1 thumbprint."""
    thumbprint = certified.certificate.fingerprint(hashes.SHA1()).hex()
    return {"private_key": certified.key_pem, "thumbprint": thumbprint}


def test_a_secret_is_good_for_a_token_of_the_application(emulator: EntraEmulator) -> None:
    """Client credentials by secret give a token that Operate accepts as the portal's own."""
    result = portal_of(emulator).acquire_token_for_client([SCOPE])
    assert set(result) == {"token_type", "expires_in", "ext_expires_in", "access_token", "token_source"}
    found = call_operate(emulator, result["access_token"])
    assert (found["is_app"], found["client"], found["roles"]) == (True, PORTAL, ["Incidents.Read.All"])
    assert found["claims"]["azpacr"] == "1"


def test_the_authority_is_trusted_by_the_variable_that_requests_reads(
    emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a program cannot be changed, REQUESTS_CA_BUNDLE lets MSAL trust the local Entra."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))
    assert "access_token" in portal_of(emulator, verify=True).acquire_token_for_client([SCOPE])


def test_a_token_is_taken_from_the_cache_until_it_is_old(emulator: EntraEmulator) -> None:
    """MSAL understands how long a token lives, and asks once for it."""
    portal = portal_of(emulator)
    first, second = (portal.acquire_token_for_client([SCOPE]) for _ in range(2))
    assert first["access_token"] == second["access_token"]
    assert second["token_source"] == "cache"
    assert emulator.count("/token") == 1


def test_a_wrong_secret_is_refused(emulator: EntraEmulator) -> None:
    """MSAL hands AADSTS7000215 to the program."""
    result = portal_of(emulator, "not the secret").acquire_token_for_client([SCOPE])
    assert (result["error"], codes(result)) == ("invalid_client", [7000215])
    assert result["trace_id"]
    assert result["correlation_id"]


@pytest.mark.parametrize("credential", [by_sha256, by_sha1])
def test_a_certificate_is_good_for_a_token(
    emulator: EntraEmulator, certified: Certified, credential: Callable[[Certified], dict[str, str]]
) -> None:
    """MSAL signs with the key of a registered certificate, in either of its two ways."""
    result = portal_of(emulator, credential(certified)).acquire_token_for_client([SCOPE])
    assert "access_token" in result, result
    assert call_operate(emulator, result["access_token"])["claims"]["azpacr"] == "2"


def test_a_certificate_is_good_from_a_pkcs12_file(
    emulator: EntraEmulator, certified: Certified, tmp_path: Path
) -> None:
    """MSAL reads key and certificate from one file with a password."""
    file = tmp_path / "portal.pfx"
    file.write_bytes(certified.pkcs12("password"))
    credential = {"private_key_pfx_path": str(file), "passphrase": "password"}
    assert "access_token" in portal_of(emulator, credential).acquire_token_for_client([SCOPE])


@pytest.mark.parametrize("credential", [by_sha256, by_sha1])
def test_a_certificate_that_is_not_registered_is_refused(
    emulator: EntraEmulator, credential: Callable[[Certified], dict[str, str]]
) -> None:
    """A thumbprint that nobody uploaded is AADSTS700027."""
    result = portal_of(emulator, credential(certify("stranger"))).acquire_token_for_client([SCOPE])
    assert (result["error"], codes(result)) == ("invalid_client", [700027])


@pytest.mark.parametrize("credential", [by_sha256, by_sha1])
def test_a_registered_certificate_does_not_help_a_strangers_key(
    emulator: EntraEmulator, certified: Certified, credential: Callable[[Certified], dict[str, str]]
) -> None:
    """The signature must be of the certificate's key, whatever thumbprint is named."""
    thief = replace(certified, private=certify("stranger").private)
    result = portal_of(emulator, credential(thief)).acquire_token_for_client([SCOPE])
    assert codes(result) == [700027]


def test_a_token_of_a_cluster_stands_for_a_secret(emulator: EntraEmulator, cluster: Cluster) -> None:
    """A federated credential's issuer is asked for its keys over HTTP, and its token is believed."""
    result = portal_of(emulator, {"client_assertion": cluster.token}).acquire_token_for_client([SCOPE])
    assert "access_token" in result, result
    found = call_operate(emulator, result["access_token"])
    assert (found["client"], found["claims"]["azpacr"]) == (PORTAL, "2")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subject": "system:serviceaccount:camunda:stranger"}, 700213),
        ({"audience": "api://SomethingElse"}, 700212),
    ],
)
def test_a_clusters_token_for_something_else_is_refused(
    emulator: EntraEmulator, cluster: Cluster, changes: dict[str, str], code: int
) -> None:
    """Subject and audience must be those of the federated credential."""
    assertion = {"client_assertion": lambda: cluster.token(**changes)}
    assert codes(portal_of(emulator, assertion).acquire_token_for_client([SCOPE])) == [code]


def test_a_token_of_a_cluster_that_is_not_trusted_is_refused(
    emulator: EntraEmulator, cluster: Cluster
) -> None:
    """An issuer that no federated credential names is AADSTS700211."""
    register(
        emulator, PORTAL, federated_credentials=(FederatedCredential("https://other.example", "portal"),)
    )
    assertion = {"client_assertion": cluster.token}
    assert codes(portal_of(emulator, assertion).acquire_token_for_client([SCOPE])) == [700211]


def test_a_clusters_token_signed_by_somebody_else_is_refused(
    emulator: EntraEmulator, cluster: Cluster
) -> None:
    """What the issuer did not sign is AADSTS700027."""
    forged = replace(cluster, key=certify("stranger"))
    assertion = {"client_assertion": forged.token}
    assert codes(portal_of(emulator, assertion).acquire_token_for_client([SCOPE])) == [700027]


def test_a_person_signs_in(emulator: EntraEmulator, person: Person) -> None:
    """The code flow with PKCE and a nonce ends with tokens that MSAL and Operate accept."""
    portal = portal_of(emulator)
    result = sign_in(portal, person, "Ada Admin")
    assert "access_token" in result, result
    assert result["id_token_claims"]["name"] == "Ada Admin"
    assert result["id_token_claims"]["aud"] == PORTAL
    found = call_operate(emulator, result["access_token"])
    assert (found["name"], found["is_app"], found["client"]) == ("Ada Admin", False, PORTAL)
    assert found["scopes"] == ["Incidents.Read", "access_as_user"]
    assert found["roles"] == ["Operate.Admin"]
    (account,) = portal.get_accounts()
    assert account["username"] == "ada@contoso.example"
    assert account["home_account_id"] == f"{found['claims']['oid']}.{emulator.tenant.id}"


@pytest.mark.filterwarnings("ignore:response_mode='form_post' is:UserWarning:msal")  # what is tested
def test_a_person_signs_in_with_an_answer_by_query(emulator: EntraEmulator, person: Person) -> None:
    """The answer comes in the address, too, as MSAL has it when it is told nothing else but warns of."""
    result = sign_in(portal_of(emulator), person, "Ben Reader", response_mode=None)
    assert call_operate(emulator, result["access_token"])["name"] == "Ben Reader"


def test_a_wrong_verifier_is_refused(emulator: EntraEmulator, person: Person) -> None:
    """A code is no good to whoever did not start the sign-in."""
    portal = portal_of(emulator)
    flow = begin(portal)
    answer = person.arrive(flow["auth_uri"], "Ada Admin")
    result = portal.acquire_token_by_auth_code_flow(flow | {"code_verifier": "x" * 43}, answer)
    assert (result["error"], codes(result)) == ("invalid_grant", [501481])


def test_a_code_is_good_once(emulator: EntraEmulator, person: Person) -> None:
    """The same answer a second time is AADSTS54005."""
    portal = portal_of(emulator)
    flow = begin(portal)
    answer = person.arrive(flow["auth_uri"], "Ada Admin")
    assert "access_token" in portal.acquire_token_by_auth_code_flow(flow, answer)
    assert codes(portal.acquire_token_by_auth_code_flow(flow, answer)) == [54005]


def test_a_person_consents_once(emulator: EntraEmulator, person: Person) -> None:
    """Who has consented is not asked again, and neither is asked who is signed in."""
    register(emulator, PORTAL, admin_consent=False)
    assert "access_token" in sign_in(portal_of(emulator), person, "Ben Reader", "Accept")
    assert "access_token" in sign_in(portal_of(emulator), person)


def test_a_person_declines(emulator: EntraEmulator, person: Person) -> None:
    """MSAL hands the refusal at the authorization endpoint to the program."""
    register(emulator, PORTAL, admin_consent=False)
    result = sign_in(portal_of(emulator), person, "Ben Reader", "Decline")
    assert result["error"] == "access_denied"
    assert "AADSTS65004" in result["error_description"]


def test_a_persons_token_is_taken_from_the_cache(emulator: EntraEmulator, person: Person) -> None:
    """MSAL finds it by the scopes of the response, so ``.default`` must be among them."""
    portal = portal_of(emulator)
    first = sign_in(portal, person, "Ada Admin")
    assert SCOPE in first["scope"].split()
    (account,) = portal.get_accounts()
    again = portal.acquire_token_silent([SCOPE], account)
    assert (again["token_source"], again["access_token"]) == ("cache", first["access_token"])
    assert emulator.count("/token") == 1


def test_a_refresh_token_gives_another_token(emulator: EntraEmulator, person: Person) -> None:
    """MSAL renews the token without the person."""
    portal = portal_of(emulator)
    first = sign_in(portal, person, "Ada Admin")
    (account,) = portal.get_accounts()
    emulator.travel(60)
    renewed = portal.acquire_token_silent_with_error([SCOPE], account, force_refresh=True)
    assert "access_token" in renewed, renewed
    assert renewed["access_token"] != first["access_token"]
    assert call_operate(emulator, renewed["access_token"])["name"] == "Ada Admin"


def test_a_refresh_token_of_a_revoked_sign_in_is_refused(emulator: EntraEmulator, person: Person) -> None:
    """AADSTS50173 tells MSAL that the person has to sign in again."""
    portal = portal_of(emulator)
    sign_in(portal, person, "Ada Admin")
    (account,) = portal.get_accounts()
    emulator.travel(60)
    emulator.revoke("Ada Admin")
    result = portal.acquire_token_silent_with_error([SCOPE], account, force_refresh=True)
    assert (codes(result), result["suberror"]) == ([50173], "bad_token")


def test_a_device_signs_in_and_the_api_calls_on(emulator: EntraEmulator, person: Person) -> None:
    """The command line's token for the portal is exchanged for one for Operate, on behalf of the person."""
    command_line = command_line_of(emulator)
    flow = command_line.initiate_device_flow([f"api://{PORTAL}/access_as_user"])
    assert "user_code" in flow, flow
    person.open(flow["verification_uri"])
    person.press("Next", user_code=flow["user_code"])
    person.press("Ben Reader")
    result = poll(command_line, flow)
    assert result["id_token_claims"]["name"] == "Ben Reader"

    exchanged = portal_of(emulator).acquire_token_on_behalf_of(result["access_token"], [SCOPE])
    assert "access_token" in exchanged, exchanged
    found = call_operate(emulator, exchanged["access_token"])
    assert (found["name"], found["is_app"], found["client"]) == ("Ben Reader", False, PORTAL)


@pytest.mark.filterwarnings("ignore:Attempted too soon:UserWarning:msal")  # a test does not sleep
def test_a_device_waits_for_its_person(emulator: EntraEmulator, person: Person) -> None:
    """A poll before the sign-in is pending, and the same poll afterwards succeeds."""
    command_line = command_line_of(emulator)
    flow = command_line.initiate_device_flow([SCOPE])
    pending = poll(command_line, flow)
    assert (pending["error"], codes(pending)) == ("authorization_pending", [70016])
    person.open(flow["verification_uri"])
    person.press("Next", user_code=flow["user_code"].lower())
    person.press("Ben Reader")
    result = poll(command_line, flow)
    assert call_operate(emulator, result["access_token"])["name"] == "Ben Reader"
    (account,) = command_line.get_accounts()
    emulator.travel(60)
    assert "access_token" in command_line.acquire_token_silent_with_error(
        [SCOPE], account, force_refresh=True
    )


def test_a_person_does_not_want_the_device(emulator: EntraEmulator, person: Person) -> None:
    """The device is told that the person declined."""
    command_line = command_line_of(emulator)
    flow = command_line.initiate_device_flow([SCOPE])
    person.open(flow["verification_uri"])
    person.press("Next", user_code=flow["user_code"])
    person.press("Cancel")
    result = poll(command_line, flow)
    assert (result["error"], codes(result)) == ("authorization_declined", [70017])


def test_a_device_must_be_allowed_to_be_one(emulator: EntraEmulator) -> None:
    """Without public client flows in its registration, a client without credential is AADSTS7000218."""
    register(emulator, COMMAND_LINE, allow_public_client=False)
    command_line = command_line_of(emulator)
    flow = command_line.initiate_device_flow([SCOPE])
    result = poll(command_line, flow)
    assert (result["error"], codes(result)) == ("invalid_client", [7000218])


def test_without_consent_nobody_acts_on_behalf(emulator: EntraEmulator) -> None:
    """Nobody can be asked in the middle of a chain, so consent must have been there before."""
    register(emulator, PORTAL, admin_consent=False)
    assertion = emulator.token(application=PORTAL, client=COMMAND_LINE, user="Ben Reader")
    result = portal_of(emulator).acquire_token_on_behalf_of(assertion, [SCOPE])
    assert (result["error"], result["suberror"]) == ("invalid_grant", "consent_required")
    assert codes(result) == [65001]


def test_a_token_for_another_api_is_no_assertion(emulator: EntraEmulator) -> None:
    """An API can exchange the tokens that were sent to it, and no others."""
    assertion = emulator.token(application=UNRELATED, client=COMMAND_LINE)
    result = portal_of(emulator).acquire_token_on_behalf_of(assertion, [SCOPE])
    assert codes(result) == [500131]


def test_a_stronger_sign_in_is_demanded_and_given(emulator: EntraEmulator, person: Person) -> None:
    """MSAL passes an API's claims challenge on, until the person shows a second factor."""
    policy = ConditionalAccess("mfa", applications=(OPERATE,), context="c1")
    emulator.directory = emulator.directory.with_tenant(replace(emulator.tenant, policies=(policy,)))
    portal = portal_of(emulator)
    weak = sign_in(portal, person, "Ada Admin")
    assert "acrs" not in call_operate(emulator, weak["access_token"])["claims"]

    (account,) = portal.get_accounts()
    refused = portal.acquire_token_silent_with_error([SCOPE], account, claims_challenge=STRONGER)
    assert (refused["error"], codes(refused)) == ("interaction_required", [50076])
    assert json.loads(refused["claims"])["access_token"]["acrs"]["values"] == ["c1"]

    strong = sign_in(portal, person, "It is me", claims_challenge=STRONGER)
    assert "access_token" in strong, strong
    assert call_operate(emulator, strong["access_token"])["claims"]["acrs"] == ["c1"]


def test_the_challenge_of_a_refused_exchange_goes_back_to_the_caller(
    emulator: EntraEmulator, person: Person
) -> None:
    """On behalf of somebody who signed in too weakly, the error brings the claims that are wanted."""
    policy = ConditionalAccess("mfa", applications=(OPERATE,))
    emulator.directory = emulator.directory.with_tenant(replace(emulator.tenant, policies=(policy,)))
    assertion = emulator.token(application=PORTAL, client=COMMAND_LINE, user="Ben Reader")
    result = portal_of(emulator).acquire_token_on_behalf_of(assertion, [SCOPE])
    assert (result["error"], result["suberror"]) == ("interaction_required", "basic_action")
    assert codes(result) == [50076]
    assert set(json.loads(result["claims"])["access_token"]) == {"capolids"}


def test_a_client_that_handles_challenges_says_so(emulator: EntraEmulator, person: Person) -> None:
    """With the capability cp1, tokens live for long, and Operate sees that its challenges are understood."""
    result = sign_in(portal_of(emulator, client_capabilities=["CP1"]), person, "Ada Admin")
    assert result["expires_in"] > emulator.token_lifetime
    assert call_operate(emulator, result["access_token"])["claims"]["xms_cc"] == ["cp1"]

"""The two that share no code: what the emulator issues, the validator accepts, and nothing else."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import Directory, EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED

Judge = Callable[[str], tuple[int, str]]
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
quick = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def emulator() -> EntraEmulator:
    """One for all tests, which change nothing in it."""
    return EntraEmulator()


@pytest.fixture(scope="module")
def judge(emulator: EntraEmulator) -> Iterator[Judge]:
    """Gives status, and object ID or code, of our answer to a token."""
    entra = CamundaEntra(
        emulator.settings(
            accept_v1_tokens=True,
            audience=(OPERATE, f"api://{OPERATE}"),  # the latter is that of version 1.0 tokens
            token_cache_size=0,
        ),
        http_client=emulator.http_client(),
    )
    app = FastAPI()

    @app.get("/")
    def who(user: Annotated[EntraUser, Depends(entra.current_user)]) -> str:
        return str(user.oid)

    with TestClient(app) as client:

        def ask(token: str) -> tuple[int, str]:
            answer = client.get("/", headers={"Authorization": f"Bearer {token}"})
            body = answer.json()
            return answer.status_code, body if answer.status_code == 200 else body["detail"]["code"]

        yield ask


def claims_of(token: str) -> dict[str, Any]:
    """What a token says."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("user", ["Ada Admin", "Ben Reader", "Gabi Guest"])
def test_what_is_issued_for_people_is_accepted(
    emulator: EntraEmulator, judge: Judge, user: str, version: Any
) -> None:
    """Of both versions, as the very person that it is of."""
    token = emulator.token(user=user, version=version)
    assert judge(token) == (200, claims_of(token)["oid"])


def test_what_is_issued_for_applications_is_accepted(emulator: EntraEmulator, judge: Judge) -> None:
    """With a role, as the application's service principal."""
    token = emulator.token(app_only=True, client=BILLING)
    assert judge(token) == (200, claims_of(token)["oid"])


def test_what_is_issued_for_others_is_refused(emulator: EntraEmulator, judge: Judge) -> None:
    """Another API's token, Graph's, an ID token, another tenant's, one that has expired: each by its name."""
    graph = emulator.token(application="https://graph.microsoft.com", scopes=["User.Read"])
    assert judge(emulator.token(application=UNRELATED)) == (401, "audience_mismatch")
    assert judge(graph)[0] == 401
    assert judge(emulator.id_token()) == (401, "id_token")
    assert judge(emulator.token(tenant="fabrikam.onmicrosoft.com", user="Ada Admin")) == (
        401,
        "issuer_mismatch",
    )
    assert judge(emulator.token(lifetime=-3600)) == (401, "token_expired")


def test_what_another_emulator_issued_is_refused(judge: Judge) -> None:
    """The same directory, the same names, another key."""
    assert judge(EntraEmulator().token()) == (401, "key_unknown")


def test_a_key_of_ones_own_under_a_known_name_is_refused(emulator: EntraEmulator, judge: Judge) -> None:
    """The name of a key is not the key."""
    stranger = EntraEmulator(directory=Directory.default())
    token = stranger.token(header={"kid": emulator.keys[0].key_id})
    assert judge(token) == (401, "signature_invalid")


@quick
@given(position=st.integers(0, 3000), character=st.sampled_from(BASE64URL))
def test_one_changed_character_is_one_too_many(
    emulator: EntraEmulator, judge: Judge, position: int, character: str
) -> None:
    """Wherever it is: in the header, the claims or the signature."""
    token = emulator.token(user="Ada Admin", aio="fixed", rh="fixed", uti="fixed")
    place = position % len(token)
    assume(token[place] not in (".", character))
    assert judge(f"{token[:place]}{character}{token[place + 1 :]}")[0] == 401


@quick
@given(
    changes=st.dictionaries(
        st.sampled_from(["aud", "iss", "tid", "oid", "exp", "nbf", "roles", "scp", "ver", "azp"]),
        st.one_of(st.none(), st.text(max_size=20), st.integers(), st.lists(st.text(max_size=5), max_size=3)),
        min_size=1,
    )
)
def test_changed_claims_are_not_covered_by_the_old_signature(
    emulator: EntraEmulator, judge: Judge, changes: dict[str, Any]
) -> None:
    """Whatever they say now."""
    header, _, signature = (token := emulator.token()).split(".")
    claims = claims_of(token) | changes
    assume(claims != claims_of(token))
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert judge(f"{header}.{payload}.{signature}") == (401, "signature_invalid")


def test_what_one_registration_asks_for_reaches_the_other_side() -> None:
    """Optional claims and groups are the emulator's, the user's properties are ours."""
    directory = Directory.default()
    contoso = directory.tenants[0]
    operate, *others = contoso.applications
    wanted = replace(operate.optional_claims, access_token=("acct", "idtyp:include_user_token"))
    changed = replace(operate, optional_claims=wanted, group_membership_claims="SecurityGroup")
    there = EntraEmulator(directory=directory.with_tenant(replace(contoso, applications=(changed, *others))))
    entra = CamundaEntra(there.settings(), http_client=there.http_client())
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/")
    def who(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, Any]:
        return {"guest": user.is_guest, "groups": user.groups, "app": user.is_app}

    with TestClient(app) as client:
        headers = {"Authorization": f"Bearer {there.token(user='Gabi Guest')}"}
        told = client.get("/", headers=headers).json()
    assert told == {"guest": True, "groups": ["9a0b0000-0000-4000-8000-000000000003"], "app": False}

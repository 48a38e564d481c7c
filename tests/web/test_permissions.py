"""``require`` and ``require_any``: who may, who may not, and what they are told."""

from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from tests.web.conftest import GROUP, bearer

OVERAGE = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}}


def test_all_that_is_named_is_enough(client: TestClient, emulator: EntraEmulator) -> None:
    """Scope, role and group together open the route."""
    token = emulator.token(scopes=["Incidents.Read"], roles=["Operate.Admin"], groups=[GROUP])
    assert client.get("/all", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize(
    ("lacking", "code", "words"),
    [
        ({"scopes": ["access_as_user"]}, "scope_missing", "lacks the scope 'Incidents.Read'"),
        ({"roles": ["Operate.Reader"]}, "role_missing", "lacks the role 'Operate.Admin'"),
        ({"groups": []}, "group_missing", f"The user is not in the group '{GROUP}'"),
        ({"groups": None}, "group_missing", "not in the group"),
        ({"groups": None, **OVERAGE}, "groups_not_listed", "more groups than a token lists"),
        ({"groups": None, "hasgroups": True}, "groups_not_listed", "ApplicationGroup"),
    ],
)
def test_lacking_one_is_refused(
    client: TestClient, emulator: EntraEmulator, lacking: dict[str, Any], code: str, words: str
) -> None:
    """The first thing that lacks is named, with what to do about it."""
    full: dict[str, Any] = {"scopes": ["Incidents.Read"], "roles": ["Operate.Admin"], "groups": [GROUP]}
    answer = client.get("/all", headers=bearer(emulator.token(**full | lacking)))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (403, code)
    assert words in answer.json()["detail"]["message"]
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert 'scope="' in answer.headers["WWW-Authenticate"]


def test_an_application_is_told_that_it_never_has_scopes(client: TestClient, emulator: EntraEmulator) -> None:
    """Asking for more scopes would not help a daemon."""
    answer = client.get(
        "/scoped", headers=bearer(emulator.token(app_only=True, roles=["Incidents.Read.All"]))
    )
    assert answer.status_code == 403
    assert "roles but never scopes" in answer.json()["detail"]["message"]


@pytest.mark.parametrize(
    "token",
    [
        {"scopes": ["Incidents.Read"]},
        {"app_only": True, "roles": ["Incidents.Read.All"]},
        {"groups": [GROUP]},
    ],
)
def test_any_one_is_enough(client: TestClient, emulator: EntraEmulator, token: dict[str, Any]) -> None:
    """A person with the scope, an application with the role, a member of the group."""
    assert client.get("/any", headers=bearer(emulator.token(**token))).status_code == 200


@pytest.mark.parametrize(
    ("claims", "code"),
    [({"groups": None}, "permission_missing"), (OVERAGE | {"groups": None}, "groups_not_listed")],
)
def test_none_of_it_is_refused(
    client: TestClient, emulator: EntraEmulator, claims: dict[str, Any], code: str
) -> None:
    """All that would have helped is listed; unlisted groups are not taken for no groups."""
    answer = client.get("/any", headers=bearer(emulator.token(roles=["Operate.Reader"], **claims)))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (403, code)


def test_none_of_it_names_what_would_help(client: TestClient, emulator: EntraEmulator) -> None:
    """The message lists scopes, roles and groups by kind."""
    message = client.get("/any", headers=bearer(emulator.token(groups=None))).json()["detail"]["message"]
    assert f"scope 'Incidents.Read', role 'Incidents.Read.All', group '{GROUP}'" in message


def test_overriding_current_user_reaches_every_dependency(app: FastAPI, entra: CamundaEntra) -> None:
    """Tests of an application replace one dependency, not one for each permission."""
    everyone = {"scp": "Incidents.Read", "roles": ["Operate.Admin"], "groups": [GROUP]}
    claims = {"aud": "a", "iss": "i", "sub": "s", "iat": 1, "nbf": 1, "exp": 2, "name": "Fake", "azp": "c"}
    app.dependency_overrides[entra.current_user] = lambda: EntraUser.from_claims(claims | everyone, "none")
    with TestClient(app) as client:
        for path in ("/me", "/scoped", "/all", "/any"):
            assert client.get(path).status_code == 200, path
        app.dependency_overrides[entra.current_user] = lambda: EntraUser.from_claims(claims, "none")
        assert client.get("/all").status_code == 403


@pytest.mark.parametrize("argument", ["scopes", "roles", "groups"])
def test_a_text_instead_of_a_list_is_told_at_once(entra: CamundaEntra, argument: str) -> None:
    """Its letters would become names that nobody has."""
    for demand in (entra.require, entra.require_any):
        with pytest.raises(TypeError, match=rf"{argument} takes a list, for example {argument}=\['Admin'\]"):
            demand(**{argument: "Admin"})


def test_require_any_of_nothing_is_told_at_once(entra: CamundaEntra) -> None:
    """Nobody could ever pass."""
    with pytest.raises(ValueError, match="at least one scope, role or group"):
        entra.require_any()


def test_require_of_nothing_is_the_current_user(entra: CamundaEntra, emulator: EntraEmulator) -> None:
    """Nothing more is asked for than to be somebody."""
    app = FastAPI()

    @app.get("/", dependencies=[Depends(entra.require())])
    async def anything() -> None: ...

    with TestClient(app) as client:
        assert client.get("/").status_code == 401
        assert client.get("/", headers=bearer(emulator.token())).status_code == 200

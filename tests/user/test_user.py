"""The current user: what it says, that it cannot be changed, and that it keeps the token to itself."""

import copy
import json
import logging
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.testclient import TestClient
from fastapi_azure_auth.user import User
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from camunda_entra_fastapi.user import EntraUser
from tests.tokens import ABSENT, CALLER, CLIENT_ID, ISSUER, NOW, TENANT, app_claims, user_claims

TOKEN = "header.payload.signature-of-ada"


def made(**changes: Any) -> EntraUser:
    """The user of a person's token with those changes."""
    return EntraUser.from_claims(user_claims(**changes), TOKEN)


def by_hand(**changes: Any) -> EntraUser:
    """A user as a test of an application makes it."""
    fields: dict[str, Any] = {
        "aud": CLIENT_ID,
        "iss": ISSUER,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 3600,
        "sub": "ada",
        "ver": "2.0",
        "claims": {},
        "access_token": TOKEN,
    }
    return EntraUser(**fields | changes)


# What it says


def test_user_says_what_the_token_says() -> None:
    """Claims become fields of the same name, and properties with names that people use."""
    user = made(roles=["Operate.Admin"], groups=["g1", "g2"], wids=["w"], acct=0, email="ada@contoso.example")
    assert isinstance(user, User)
    assert (user.name, user.oid, user.tid) == ("Ada Example", "cccccccc-1111-4222-8333-444444444444", TENANT)
    assert (user.iss, user.aud, user.ver) == (ISSUER, CLIENT_ID, "2.0")
    assert (user.exp, user.nbf, user.iat) == (NOW + 3600, NOW - 300, NOW - 300)
    assert (user.preferred_username, user.email) == ("ada@contoso.example", "ada@contoso.example")
    assert user.sub == user.subject == "pairwise-subject"
    assert user.scp == user.scopes == ["Incidents.Read", "access_as_user"]
    assert user.roles == ["Operate.Admin"]
    assert user.groups == ["g1", "g2"]
    assert user.wids == ["w"]
    assert (user.acct, user.is_guest, user.is_app) == (0, False, False)
    assert user.client_id == user.azp == CALLER
    assert user.access_token == TOKEN
    assert user.claims == user_claims(
        roles=["Operate.Admin"], groups=["g1", "g2"], wids=["w"], acct=0, email="ada@contoso.example"
    )


def test_what_the_token_does_not_say_is_absent() -> None:
    """Missing claims read as None, and missing lists as empty ones."""
    user = EntraUser.from_claims(app_claims(roles=ABSENT, azp=ABSENT, ver=ABSENT), TOKEN)
    assert (user.name, user.email, user.acct, user.client_id) == (None, None, None, None)
    assert user.scopes == user.roles == user.groups == user.wids == user.amr == []
    assert (user.is_guest, user.is_app, user.ver) == (False, True, "2.0")


def test_permissions_can_be_asked_for() -> None:
    """Roles and scopes are compared whole and exactly."""
    user = made(roles=["Operate.Admin"])
    assert [user.has_role(role) for role in ("Operate.Admin", "operate.admin", "Operate", "")] == [
        True,
        *[False] * 3,
    ]
    scopes = ("Incidents.Read", "access_as_user", "incidents.read", "Incidents", "")
    assert [user.has_scope(scope) for scope in scopes] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("claim", "expected"),
    [("a b", ["a", "b"]), ("  a   b ", ["a", "b"]), ("", []), (ABSENT, []), (["a"], []), (7, []), (None, [])],
)
def test_scopes_are_the_words_of_scp(claim: object, expected: list[str]) -> None:
    """Only a text has scopes, and blanks are none."""
    assert made(scp=claim).scopes == expected


@pytest.mark.parametrize("name", ["roles", "groups"])
@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", 7, None, ["b"]], ["a"]),
        ("a", []),
        ({"a": 1}, []),
        (None, []),
        (True, []),
    ],
)
def test_roles_and_groups_are_the_texts_of_a_list(name: str, claim: object, expected: list[str]) -> None:
    """Members that are no texts grant nothing, nor do values that are no lists."""
    assert getattr(made(**{name: claim}), name) == expected


def test_client_is_azp_or_in_version_1_appid() -> None:
    """The client's ID is found in both versions; an odd or empty value is none."""
    assert made(azp=CALLER, appid="other").client_id == CALLER
    assert made(azp=ABSENT, appid=CALLER).client_id == CALLER
    assert made(azp="", appid=CALLER).client_id == CALLER
    assert made(azp=7, appid=CALLER).client_id == CALLER
    assert made(azp=ABSENT).client_id is None


def test_expiry_is_an_aware_datetime_in_utc() -> None:
    """The expiry can be compared with the time of now, wherever the service runs."""
    user = made(exp=NOW + 0.75)
    assert user.exp == NOW
    assert user.expires_at == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
    assert user.expires_at.utcoffset() == timedelta(0)
    assert made(exp=253_402_300_799).expires_at.year == 9999


def test_first_audience_is_named_where_there_are_several() -> None:
    """The base class knows one audience; all of them are in the claims."""
    user = made(aud=["api://incidents", CLIENT_ID])
    assert user.aud == "api://incidents"
    assert user.claims["aud"] == ["api://incidents", CLIENT_ID]


@pytest.mark.parametrize(
    ("claim", "value", "shown"),
    [
        ("acr", "c1", None),
        ("acr", "1", "1"),
        ("acr", 1, None),
        ("acct", "guest", None),
        ("acct", True, None),
        ("acct", 1.0, None),
        ("acct", 1, 1),
        ("email", ["ada@contoso.example"], None),
        ("email", "ada@contoso.example", "ada@contoso.example"),
        ("name", 7, None),
        ("name", None, None),
        ("ver", "3.0", "2.0"),
        ("ver", 2.0, "2.0"),
        ("ver", ["2.0"], "2.0"),
        ("ver", "1.0", "1.0"),
        ("auth_time", "1760000000", None),
        ("auth_time", 10**30, 10**30),
        ("azpacr", "7", None),
        ("verified_primary_email", "ada@contoso.example", []),
        ("verified_primary_email", ["ada@contoso.example", 7], []),
        ("verified_primary_email", ["ada@contoso.example"], ["ada@contoso.example"]),
        ("amr", ["pwd", "mfa"], ["pwd", "mfa"]),
    ],
)
def test_odd_claims_read_as_absent_and_stay_in_claims(claim: str, value: object, shown: object) -> None:
    """A value of another kind than documented makes no user fail, and none is guessed."""
    user = made(**{claim: value})
    assert getattr(user, claim) == shown
    assert user.claims[claim] == value


def test_claims_with_the_names_of_fields_that_are_no_claims_do_no_harm() -> None:
    """A claim called ``access_token``, ``claims`` or ``is_guest`` is a claim and nothing more."""
    user = made(access_token="x", claims={"roles": ["a"]}, is_guest=True, subject="x", scopes=["x"])
    assert (user.access_token, user.is_guest, user.subject) == (TOKEN, False, "pairwise-subject")
    assert user.scopes == ["Incidents.Read", "access_as_user"]
    assert user.claims["claims"] == {"roles": ["a"]}


def test_unknown_attribute_is_an_attribute_error() -> None:
    """A misspelt name fails as it does everywhere."""
    with pytest.raises(AttributeError, match="nmae"):
        made().nmae  # type: ignore[attr-defined]  # noqa: B018


def test_a_field_that_was_never_given_is_an_attribute_error() -> None:
    """Pydantic constructs users without their fields, where it is told not to check."""
    with pytest.raises(AttributeError, match="sub"):
        EntraUser.model_construct().sub  # noqa: B018


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
CHECKED = ("sub", "iss", "aud", "exp", "nbf", "iat")
EXTRA_NAMES = st.sampled_from(sorted({*EntraUser.model_fields, "hasgroups", "_claim_names"} - set(CHECKED)))


@settings(deadline=None)
@given(st.dictionaries(EXTRA_NAMES | st.text().filter(lambda name: name not in CHECKED), JSON))
def test_any_further_claims_make_a_user(extra: dict[str, Any]) -> None:
    """Whatever the claims that no check needs hold, a user is made who can be asked and written out."""
    user = EntraUser.from_claims(user_claims() | extra, TOKEN)
    for name in (*EntraUser.model_fields, "is_app", "client_id", "expires_at", "scopes"):
        getattr(user, name)
    assert TOKEN not in repr(user) + str(user) + user.model_dump_json()
    assert json.loads(user.model_dump_json())["sub"] == "pairwise-subject"
    assert user == pickle.loads(pickle.dumps(user))
    assert hash(user) == hash(copy.deepcopy(user))


# It cannot be changed


@pytest.mark.parametrize("user", [made(), by_hand()], ids=["from a token", "by hand"])
@pytest.mark.parametrize("name", ["name", "roles", "claims", "access_token", "is_guest", "exp"])
def test_no_field_can_be_set_or_deleted(user: EntraUser, name: str) -> None:
    """One object serves many requests, so its fields stay as they are."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(user, name, "x")
    with pytest.raises(ValidationError, match="frozen"):
        delattr(user, name)


@pytest.mark.parametrize("name", ["is_app", "client_id", "expires_at", "scopes", "subject"])
def test_no_property_can_be_set(name: str) -> None:
    """Properties from the claims cannot be set."""
    with pytest.raises((AttributeError, ValidationError)):
        setattr(made(), name, "x")


@pytest.mark.parametrize(
    "change",
    [
        lambda user: user.roles.append("Admin"),
        lambda user: user.scopes.extend(["Admin"]),
        lambda user: user.groups.insert(0, "g"),
        lambda user: user.wids.append("w"),
        lambda user: user.claims.update(roles=["Admin"]),
        lambda user: user.claims["roles"].append("Admin"),
        lambda user: user.claims["nested"]["list"][0].__setitem__("a", 2),
        lambda user: user.claims.__setitem__("roles", []),
    ],
)
@pytest.mark.parametrize("source", ["token", "hand"])
def test_nothing_within_a_user_can_be_changed(change: Callable[[EntraUser], object], source: str) -> None:
    """No list or dict of a user can be written to, however deep, whoever made the user."""
    extra: dict[str, Any] = {"roles": ["Reader"], "nested": {"list": [{"a": 1}]}}
    user = made(**extra) if source == "token" else by_hand(roles=["Reader"], claims=copy.deepcopy(extra))
    with pytest.raises(TypeError, match="cannot be changed"):
        change(user)
    assert user.roles == ["Reader"]
    assert user.claims["nested"] == {"list": [{"a": 1}]}


def test_user_does_not_change_with_the_claims_it_was_made_of() -> None:
    """A change to the original dict of claims does not change the user."""
    claims = user_claims(roles=["Reader"])
    user = EntraUser.from_claims(claims, TOKEN)
    claims["roles"].append("Admin")
    claims["tid"] = "other"
    assert (user.roles, user.claims["roles"], user.claims["tid"]) == (["Reader"], ["Reader"], TENANT)


def test_users_share_no_defaults() -> None:
    """An empty list of one user is not shared with another one."""
    assert made().roles == []
    with pytest.raises(TypeError):
        made().wids.append("x")
    assert User.model_fields["wids"].default == []


def test_lists_and_claims_are_lists_and_dicts() -> None:
    """Code written for the base class goes on to work."""
    user = made(roles=["x"])
    assert user.roles == ["x"]
    assert isinstance(user.roles, list)
    assert isinstance(user.claims, dict)
    assert sorted([*user.roles, "a"]) == ["a", "x"]
    assert dict(user.claims) == user_claims(roles=["x"])


# Equality and copies


def test_a_field_that_another_thread_has_just_worked_out_is_there() -> None:
    """Threads share a user: whoever looked a moment too early gets what is there now."""
    user = made(name="Ada Example")
    late = EntraUser.__getattr__  # type: ignore[attr-defined]  # Python calls it where looking found nothing
    vars(user)
    assert late(user, "name") == "Ada Example"


def test_equal_tokens_make_equal_users() -> None:
    """Users are values: equal when token and claims are, and usable in sets."""
    assert made() == made()
    assert hash(made()) == hash(made())
    assert len({made(), made(), made(sub="other")}) == 2
    for other in (made(roles=["x"]), made(sub="other"), EntraUser.from_claims(user_claims(), "other token")):
        assert made() != other


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda user: user.model_copy(),
        lambda user: user.model_copy(deep=True),
        lambda user: pickle.loads(pickle.dumps(user)),
    ],
    ids=["copy", "deepcopy", "model_copy", "model_copy deep", "pickle"],
)
@pytest.mark.parametrize("user", [made(roles=["x"]), by_hand(roles=["x"])], ids=["from a token", "by hand"])
def test_copies_are_equal_whole_and_frozen(copied: Callable[[EntraUser], EntraUser], user: EntraUser) -> None:
    """A copy has all that the original has, the token included, and is as unchangeable."""
    again = copied(user)
    assert again == user
    assert hash(again) == hash(user)
    assert again.access_token == TOKEN
    assert again.expires_at == user.expires_at
    with pytest.raises(TypeError, match="cannot be changed"):
        again.roles.append("Admin")
    assert TOKEN not in repr(again) + again.model_dump_json()


def test_copy_with_other_values_is_as_frozen_and_as_discreet() -> None:
    """Values that replace a user's are frozen, and a replaced token shows up no more than the first."""
    user = made(roles=["x"])
    for deep in (False, True):
        again = user.model_copy(update={"access_token": "another-token", "roles": ["y"]}, deep=deep)
        assert (again.access_token, again.roles, again.name) == ("another-token", ["y"], user.name)
        for shown in (
            repr(again),
            str(vars(again)),
            again.model_dump_json(),
            TypeAdapter(User).dump_json(again),
        ):
            assert "another-token" not in str(shown)
        with pytest.raises(TypeError, match="cannot be changed"):
            again.roles.append("z")
    assert (user.access_token, user.roles) == (TOKEN, ["x"])


def test_user_constructed_without_a_token_has_none() -> None:
    """The unchecked construction of pydantic works; what was left out is an attribute error."""
    user = EntraUser.model_construct(sub="ada", roles=["x"])
    assert (user.sub, user.roles) == ("ada", ["x"])
    with pytest.raises(AttributeError):
        user.access_token  # noqa: B018


# It keeps the token to itself


@pytest.mark.parametrize("user", [made(roles=["x"]), by_hand(roles=["x"])], ids=["from a token", "by hand"])
@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        "{}".format,
        "{!r}".format,
        lambda user: user.model_dump(),
        lambda user: user.model_dump(mode="json"),
        lambda user: user.model_dump(include={"access_token", "sub"}),
        lambda user: user.model_dump(exclude_unset=True),
        lambda user: user.model_dump_json(),
        lambda user: user.model_dump_json(by_alias=True, round_trip=True),
        dict,
        vars,
        list,
        jsonable_encoder,
        lambda user: jsonable_encoder({"users": [user]}),
        TypeAdapter(EntraUser).dump_python,
        TypeAdapter(User).dump_python,
        TypeAdapter(User).dump_json,
        lambda user: TypeAdapter(list[Any]).dump_json([user]),
    ],
)
def test_token_is_shown_nowhere_but_by_its_name(user: EntraUser, shown: Callable[[Any], Any]) -> None:
    """No way to print or serialize a user shows the token, which can still be asked for."""
    assert TOKEN not in str(shown(user))
    assert user.access_token == TOKEN


def test_repr_tells_who_it_is_and_no_more() -> None:
    """A log line shows name, IDs, client and permissions, and nothing personal besides."""
    user = made(roles=["x"], email="ada@contoso.example", ipaddr="203.0.113.7")
    assert repr(user) == (
        "EntraUser(name='Ada Example', oid='cccccccc-1111-4222-8333-444444444444', "
        f"tid='{TENANT}', sub='pairwise-subject', client_id='{CALLER}', is_app=False, "
        "roles=['x'], scopes=['Incidents.Read', 'access_as_user'])"
    )


def test_logs_and_errors_do_not_hold_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a log line about a user nor the error from changing one shows the token."""
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r", made(), [made()])
    assert "Ada Example" in caplog.text
    assert TOKEN not in caplog.text
    with pytest.raises(ValidationError) as caught:
        made().name = "x"
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("user", [made(roles=["x"]), by_hand(roles=["x"])], ids=["from a token", "by hand"])
def test_no_response_holds_the_token(user: EntraUser) -> None:
    """A route that returns the user returns no token, however the route is declared."""
    app = FastAPI()
    app.add_api_route("/annotated", lambda: user, response_model=EntraUser)
    app.add_api_route("/base", lambda: user, response_model=User)
    app.add_api_route("/untyped", lambda: user, response_model=None)
    app.add_api_route("/within", lambda: {"users": [user], "who": user}, response_model=None)
    app.add_api_route("/list", lambda: [user], response_model=list[EntraUser])
    app.add_api_route("/base-list", lambda: [user], response_model=list[User])

    @app.get("/returned")
    async def returned() -> EntraUser:
        return user

    @app.get("/returned-base")
    async def returned_base() -> User:
        return user

    with TestClient(app) as client:
        for route in (
            "annotated",
            "base",
            "untyped",
            "within",
            "list",
            "base-list",
            "returned",
            "returned-base",
        ):
            response = client.get(f"/{route}")
            assert response.status_code == 200
            assert user.sub in response.text
            assert "access_token" not in response.text
            assert TOKEN not in response.text


def test_openapi_does_not_promise_the_token() -> None:
    """The documented response of a route that returns the user has no token."""
    app = FastAPI()
    app.add_api_route("/me", made, response_model=EntraUser)
    schema = app.openapi()["components"]["schemas"]["EntraUser"]
    assert "access_token" not in schema["properties"]
    assert "roles" in schema["properties"]


# Made by hand


def test_user_made_by_hand_stands_in_for_a_dependency() -> None:
    """Tests of an application override the dependency with a user of few fields."""

    def current_user() -> EntraUser:
        raise AssertionError

    app = FastAPI()

    @app.get("/me")
    async def me(user: Annotated[EntraUser, Depends(current_user)]) -> dict[str, object]:
        return {"sub": user.subject, "admin": user.has_role("Admin"), "token": user.access_token == TOKEN}

    app.dependency_overrides[current_user] = lambda: by_hand(roles=["Admin"])
    with TestClient(app) as client:
        assert client.get("/me").json() == {"sub": "ada", "admin": True, "token": True}


def test_user_made_by_hand_answers_from_its_fields() -> None:
    """All that can be asked of a user is answered even where its claims are left empty."""
    person = by_hand(scp="Incidents.Read Incidents.Write", azp=CALLER)
    assert person.scopes == ["Incidents.Read", "Incidents.Write"]
    assert (person.is_app, person.client_id, person.is_guest) == (False, CALLER, False)
    assert person.expires_at == datetime(2025, 10, 9, 9, 53, 20, tzinfo=UTC)
    assert "sub='ada'" in repr(person)
    service = by_hand(roles=["Incidents.Read.All"], appid=CALLER)
    assert (service.is_app, service.client_id) == (True, CALLER)
    assert by_hand(idtyp="app", scp=["a"]).is_app is True
    assert by_hand(idtyp="user").is_app is False


def test_user_made_by_hand_is_checked() -> None:
    """Missing and wrong fields are named, as pydantic does."""
    with pytest.raises(ValidationError, match="access_token"):
        EntraUser(aud="a", iss="i", iat=1, nbf=1, exp=1, sub="s", ver="2.0", claims={})  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="roles"):
        by_hand(roles="Admin")

"""The directory: values that are validated when they are made."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from camunda_entra_fastapi.testing.directory import (
    BILLING,
    CONSUMERS,
    CONTOSO,
    OPERATE,
    Application,
    ConditionalAccess,
    Consent,
    Directory,
    Group,
    Scope,
    Secret,
    Tenant,
    User,
)
from camunda_entra_fastapi.testing.directory.graph import GRAPH
from tests.testing.certificates import CERTIFICATE, PRIVATE_KEY

TENANT = "11111111-0000-4000-8000-000000000001"
API = "11111111-0000-4000-8000-000000000002"
JOB = "11111111-0000-4000-8000-000000000003"
ELSEWHERE = "11111111-0000-4000-8000-000000000004"


def directory(**parts: Any) -> Directory:
    """A directory of one tenant, which has an API with one role and one scope, and those parts."""
    api = Application(API, "API", app_roles=("Reader",), scopes=("Read",), identifier_uris=("api://it",))
    members = {"applications": (api,), "users": (User("ada@one.example", "Ada"),)} | parts
    return Directory((Tenant(TENANT, "One", "one.example", **members),))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("relative/path", "must be an absolute URL"),
        ("https://host/#part", "without fragment"),
        ("https://*.example.com", "wildcard"),
        ("https://host/a b", "spaces"),
        ("https:///path", "must name a host"),
        ("http://example.com/callback", "http is for localhost only"),
    ],
)
def test_redirect_uris_are_those_that_entra_takes(value: str, message: str) -> None:
    """A registration that Entra would refuse is refused here, with the rule."""
    with pytest.raises(ValueError, match=message):
        Application(API, "API", redirect_uris={value: "web"})


@pytest.mark.parametrize(
    "value",
    ["https://host/x", "http://localhost:1/x", "http://[::1]/x", "http://127.0.0.1", "app.one://auth"],
)
def test_good_redirect_uris_are_taken_as_they_are(value: str) -> None:
    """They are compared character by character later."""
    assert list(Application(API, "API", redirect_uris={value: "spa"}).redirect_uris) == [value]


def test_guids_are_in_lower_case() -> None:
    """Whatever case people write them in."""
    assert Application(API.upper(), "API").client_id == API
    with pytest.raises(ValueError, match="must be a GUID like"):
        Application("not-one", "API")


def test_ids_are_derived_when_left_out() -> None:
    """The same name has the same ID in each run; an ID that is given stays."""
    assert User("ada@one.example").id == User("ada@one.example", "Ada").id != User("ben@one.example").id
    assert Group("Staff").id == Group("Staff").id != User("Staff").id
    assert Application(API, "A").id == Application(API, "B").id != API
    assert [Group("G", API).id, User("u", id=API).id, Application(JOB, "J", id=API).id] == [API] * 3


def test_a_user_without_a_name_is_called_by_the_username() -> None:
    """And so is the mailbox."""
    nameless = User("ada@one.example")
    assert (nameless.name, nameless.address) == ("ada@one.example", "ada@one.example")
    named = User("ada@one.example", "Ada", email="ada@mail.example")
    assert (named.name, named.address) == ("Ada", "ada@mail.example")


@pytest.mark.parametrize("make", [lambda: User(""), lambda: Group("x" * 257), lambda: Scope("")])
def test_names_have_1_to_256_characters(make: Callable[[], object]) -> None:
    """Nothing is nameless, and nothing is a novel."""
    with pytest.raises(ValueError, match=r"256|at least 1"):
        make()


def test_an_empty_secret_is_none() -> None:
    """An empty secret would match a request without one."""
    with pytest.raises(ValueError, match="at least 1 character"):
        Application(API, "API", secrets=("",))


def test_a_certificate_leaves_its_private_key_outside() -> None:
    """PEM files often have both; the directory, and what is dumped of it, has the certificate alone."""
    app = Application(API, "API", certificates=(PRIVATE_KEY + CERTIFICATE,))
    assert app.certificates == (CERTIFICATE,)
    assert "PRIVATE" not in repr(app)
    assert app.is_confidential
    with pytest.raises(ValueError, match="must be a certificate in PEM"):
        Application(API, "API", certificates=(PRIVATE_KEY,))


@pytest.mark.parametrize("context", ["c0", "c100", "d1", "c1x", ""])
def test_authentication_contexts_are_c1_to_c99(context: str) -> None:
    """As the Entra admin center names them."""
    with pytest.raises(ValueError, match="c1 to c99"):
        ConditionalAccess("mfa", context=context)
    assert ConditionalAccess("mfa", context="c99").context == "c99"


def test_personal_accounts_need_version_2() -> None:
    """Entra refuses to save such a registration with version 1.0."""
    audience: Any = "AzureADandPersonalMicrosoftAccount"
    with pytest.raises(ValueError, match="must be 2"):
        Application(API, "API", sign_in_audience=audience, requested_access_token_version=None)
    app = Application(API, "API", sign_in_audience=audience)
    assert (app.for_personal_accounts, app.for_many_tenants) == (True, True)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"users": (User("a", roles={ELSEWHERE: ("Reader",)}),)},
            f"tenants[0].users[0].roles: '{ELSEWHERE}' is no application of this tenant",
        ),
        (
            {"users": (User("a", roles={API: ("Writer",)}),)},
            "tenants[0].users[0].roles: API has no role 'Writer'; it has Reader.",
        ),
        ({"users": (User("a", groups=("Staff",)),)}, "tenants[0].users[0].groups: 'Staff' is no group"),
        ({"groups": (Group("G", member_of=("H",)),)}, "tenants[0].groups[0].member_of: 'H' is no group"),
        (
            {"applications": (Application(JOB, "Job", granted_roles={GRAPH.client_id: ("No",)}),)},
            "tenants[0].applications[0].granted_roles: Microsoft Graph has no role 'No'; it has Application",
        ),
        (
            {"applications": (Application(JOB, "Job", permissions={JOB: ("No",)}),)},
            "tenants[0].applications[0].permissions: Job exposes no scope 'No'; it has none.",
        ),
        (
            {"applications": (Application(JOB, "Job", assigned=("Nobody",)),)},
            "tenants[0].applications[0].assigned: 'Nobody' is no user, group or application here.",
        ),
        (
            {"consents": (Consent(ELSEWHERE, API, ("Read",)),)},
            f"tenants[0].consents[0].client: '{ELSEWHERE}' is no application",
        ),
        (
            {"consents": (Consent(API, API, ("Write",), user="Nobody"),)},
            "tenants[0].consents[0].scopes: API exposes no scope 'Write'; it has Read.\n"
            "tenants[0].consents[0].user: 'Nobody' is no user of the tenant.",
        ),
        (
            {"policies": (ConditionalAccess("mfa", users=("Nobody",), applications=(ELSEWHERE,)),)},
            "tenants[0].policies[0].users: 'Nobody' is no user of the tenant.\n"
            f"tenants[0].policies[0].applications: '{ELSEWHERE}' is no application",
        ),
    ],
)
def test_what_is_named_must_be_there(parts: dict[str, Any], message: str) -> None:
    """A reference that leads nowhere is most likely misspelt; each is reported with its place."""
    with pytest.raises(ValueError, match="tenants") as refused:
        directory(**parts)
    assert message in str(refused.value)


def test_what_is_named_may_be_named_in_several_ways() -> None:
    """People by ID, username or name; groups by ID or name, those not listed by ID; applications by ID."""
    staff, ada = Group("Staff"), User("ada@one.example", "Ada", groups=("Staff", ELSEWHERE))
    names = (staff.id, "Staff", ada.id, "ADA@one.example", "Ada", API, JOB)
    api = Application(API, "API", app_roles=("Reader",))
    job = Application(JOB, "Job", assigned=names, granted_roles={API: ("Reader",)})
    consent = Consent(API, GRAPH.client_id, ("User.Read",), user="Ada")
    policy = ConditionalAccess("block", (GRAPH.client_id,), ("Ada",))
    made = directory(
        users=(ada,), groups=(staff,), applications=(api, job), consents=(consent,), policies=(policy,)
    )
    (tenant,) = made.tenants
    assert [group.name for group in tenant.groups_of(ada)] == ["Staff", ELSEWHERE]
    assert policy.concerns(ada, GRAPH)
    assert not policy.concerns(ada, api)
    assert not policy.concerns(User("ben"), GRAPH)


def test_groups_within_groups_are_found_once() -> None:
    """Also where two ways lead to one, or in a circle."""
    a, b, c = Group("a", member_of=("c",)), Group("b", member_of=("c",)), Group("c", member_of=("a",))
    ada = User("ada", groups=("a", "b"))
    (tenant,) = directory(users=(ada,), groups=(a, b, c)).tenants
    assert [group.name for group in tenant.groups_of(ada)] == ["a", "b", "c"]


def test_secrets_and_scopes_may_be_plain_texts() -> None:
    """Which is the same as one without an end, or without a description."""
    end = datetime(2030, 1, 1, tzinfo=UTC)
    app = Application(
        API, "API", secrets=("one", Secret("two", end)), scopes=("Read", Scope("Write", "W", True))
    )
    one, two = app.known_secrets
    assert (one.value, one.has_expired(end.timestamp())) == ("one", False)
    assert (two.has_expired(end.timestamp() - 1), two.has_expired(end.timestamp())) == (False, True)
    assert [scope.description for scope in app.exposed.values()] == ["", "W"]


def test_a_registration_lists_all_that_needs_no_administrator_or_what_it_names() -> None:
    """Which is what ``.default`` asks for."""
    api = Application(API, "API", scopes=("Read", Scope("Write", admin_only=True)))
    assert Application(JOB, "Job").listed(api) == ("Read",)
    assert Application(JOB, "Job", permissions={API: ("Write",)}).listed(api) == ("Write",)
    assert Application(JOB, "Job", permissions={}).listed(api) == ()


@pytest.mark.parametrize("audience", ["AzureADMyOrg", "AzureADMultipleOrgs"])
def test_another_tenants_application_can_be_used_if_it_is_for_many(audience: Any) -> None:
    """Consents, roles and policies of one tenant may concern a multi-tenant application of another."""
    shared = Application(
        ELSEWHERE, "Shared", app_roles=("Reader",), scopes=("Read",), sign_in_audience=audience
    )
    home = Tenant("22222222-0000-4000-8000-000000000001", "Two", "two.example", applications=(shared,))
    away = Tenant(
        TENANT,
        "One",
        "one.example",
        users=(User("ada", roles={ELSEWHERE: ("Reader",)}),),
        consents=(Consent(ELSEWHERE, ELSEWHERE, ("Read",), user="ada"),),
    )
    if audience == "AzureADMyOrg":
        with pytest.raises(ValueError, match="nor one of another for many tenants"):
            Directory((away, home))
    else:
        made = Directory((away, home))
        assert made.application_in(away, ELSEWHERE) == shared
        assert made.home_of(ELSEWHERE) == home


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"users": (User("a", id=API), User("b", id=API))}, "user ID"),
        ({"users": (User("a"), User("A", id=API))}, "The username 'a' is in the directory twice."),
        ({"groups": (Group("a"), Group("a", API))}, "The group 'a' is"),
        ({"applications": (Application(API, "a"), Application(API, "b"))}, "application"),
        ({"applications": (Application(API, "a", identifier_uris=GRAPH.identifier_uris),)}, "graph"),
    ],
)
def test_nothing_is_there_twice(parts: dict[str, Any], message: str) -> None:
    """Each name stands for one thing, in any case that it is written in."""
    with pytest.raises(ValueError, match=message):
        Tenant(TENANT, "One", "one.example", **parts)


def test_all_duplicates_are_reported_at_once() -> None:
    """All duplicates are reported at once, so that one correction is enough."""
    users = (User("a"), User("a"), User("b"), User("b"), User("b"))
    with pytest.raises(ValueError, match="twice") as refused:
        Tenant(TENANT, "One", "one.example", users=users)
    for name in ("a", "b"):
        assert str(refused.value).count(f"The username {name!r} is in the directory twice.") == 1


def test_no_error_repeats_a_secret() -> None:
    """Whatever is wrong beside it, or with it."""
    for wrong in ({"name": ""}, {"client_id": "x"}, {"secrets": "hunter2"}, {"nonsense": "hunter2"}):
        members: dict[str, Any] = {"client_id": API, "name": "API", "secrets": ("hunter2",)} | wrong
        with pytest.raises((ValueError, TypeError)) as refused:
            Application(**members)
        assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(Application(API, "API", secrets=("hunter2",)))


def test_tenants_and_client_ids_are_unique_in_the_directory() -> None:
    """An address names one tenant, and a client ID one application, wherever it is registered."""
    one = Tenant(TENANT, "One", "one.example", applications=(Application(API, "API"),))
    with pytest.raises(ValueError, match=r"tenant 'one\.example'"):
        Directory((one, Tenant(ELSEWHERE, "Two", "ONE.example")))
    with pytest.raises(ValueError, match="client ID"):
        Directory((one, replace(one, id=ELSEWHERE, domain="two.example")))
    with pytest.raises(ValueError, match="at least one tenant"):
        Directory(())


def test_the_default_directory_fits_the_six_variables() -> None:
    """An Operate with a secret, and a daemon that may call it."""
    made = Directory.default()
    assert made == Directory.default()
    assert (made.tenants[0].id, made.tenants[0].applications[0].client_id) == (CONTOSO, OPERATE)
    billing = made.tenants[0].application(BILLING)
    assert billing is not None
    assert billing.granted_roles == {OPERATE: ("Incidents.Read.All",)}
    changed = made.with_tenant(replace(made.tenants[0], name="Changed"))
    assert [tenant.name for tenant in changed.tenants] == ["Changed", "Fabrikam"]
    assert made.tenant("CONTOSO.onmicrosoft.com") == made.tenants[0]
    assert not made.tenants[0].is_consumers
    assert replace(made.tenants[0], id=CONSUMERS).is_consumers

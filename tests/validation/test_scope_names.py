"""Scopes that no token can have are refused where they are written, with the name to write."""

import pytest

from camunda_entra_fastapi.validation import scope_names
from camunda_entra_fastapi.validation.scope_names import check_scope_names

API = "aaaaaaaa-1111-4222-8333-444444444444"

# Learn, "Scopes and permissions in the Microsoft identity platform" (2025): requested by the API's
# identifier, in scp without it, .default in no token; OpenID Connect Core 1.0, 5.4 and 11: OpenID's own.
WRITTEN: list[tuple[str, str]] = [
    (f"api://{API}/Incidents.Read", "write 'Incidents.Read'"),
    (f"API://{API}/Incidents.Read", "write 'Incidents.Read'"),
    (f"{API}/Incidents.Read", "write 'Incidents.Read'"),
    ("api://operate/v1/Incidents.Read", "write 'Incidents.Read'"),
    ("https://contoso.onmicrosoft.com/operate/Incidents.Read", "write 'Incidents.Read'"),
    ("urn:contoso:operate/Incidents.Read", "write 'Incidents.Read'"),
    (f"{API}/.default", "as it stands under Expose an API"),
    (f"api://{API}/.default", "as it stands under Expose an API"),
    (f"api://{API}/", "as it stands under Expose an API"),
    (".default", "as it stands under Expose an API"),
    ("openid", "OpenID Connect's own"),
    ("profile", "a scope that this API exposes, for example 'access_as_user'"),
    ("email", "OpenID Connect's own"),
    ("offline_access", "OpenID Connect's own"),
    ("OpenID", "OpenID Connect's own"),
    ("Incidents.Read access_as_user", "each name by itself: ['Incidents.Read', 'access_as_user']"),
    ("", "each name by itself: ['access_as_user']"),
    ("api://x/a\nb", "each name by itself"),
]


@pytest.mark.parametrize(("scope", "told"), WRITTEN)
def test_what_no_token_can_have_is_refused(scope: str, told: str) -> None:
    """Such a name would turn everybody away, whatever they ask for."""
    for scopes in ([scope], ["Incidents.Read", scope]):
        with pytest.raises(ValueError, match="is in no token, so nobody would have it") as caught:
            check_scope_names(scopes)
        assert told in str(caught.value)


@pytest.mark.parametrize(
    "scope",
    [
        *(
            "Incidents.Read",
            "access_as_user",
            "user_impersonation",
            "files/read",
            "a:b",
            "openid2",
            "Profile.Read",
        ),
        *("a/.b", f"x{API}/read", "http:read"),
    ],
)
def test_every_name_that_an_api_can_expose_is_accepted(scope: str) -> None:
    """Slashes and colons may be part of one (Learn, app manifest: ``oauth2PermissionScopes``)."""
    check_scope_names([scope])


@pytest.mark.parametrize("scope", ["a" * 100 + " ", "api://x/" + "n" * 100])
def test_whatever_a_query_holds_is_cut_to_size(scope: str) -> None:
    """A long scope is judged as a short one is, and costs neither room in the cache nor in the message."""
    before = scope_names._remedy_for.cache_info().currsize
    with pytest.raises(ValueError, match="is in no token") as refused:
        check_scope_names([scope * 500])
    assert len(str(refused.value)) < 1000
    assert scope_names._remedy_for.cache_info().currsize == before

"""Variables that are no settings: which are warned of, and what is suggested (row 10)."""

import logging

import pytest

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.settings.misspellings import _ALIASES, SETTINGS_PAGE
from camunda_entra_fastapi.settings.sources import variables_of
from tests.settings.test_settings import problem, problems, settings

KNOWN = {variable for field in EntraSettings.model_fields for variable in variables_of(field)}
MEANT = {
    "CAMUNDA_IDENTITY_AUDIENCES": "CAMUNDA_IDENTITY_AUDIENCE",
    "CAMUNDA_IDENTITY_AUDIANCE": "CAMUNDA_IDENTITY_AUDIENCE",
    "CAMUNDA_IDENTITY_SECRET": "CAMUNDA_IDENTITY_CLIENT_SECRET",
    "CAMUNDA_IDENTITY_CLIENT_SECERT": "CAMUNDA_IDENTITY_CLIENT_SECRET",
    "CAMUNDA_IDENTITY_CLIENT_SECRETS": "CAMUNDA_IDENTITY_CLIENT_SECRET",
    "CAMUNDA_IDENTITY_BACKEND_URL": "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",
    "CAMUNDA_IDENTITY_ISSUER_BACKEND": "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",
    "CAMUNDA_IDENTITY_TENANT_ID": "CAMUNDA_IDENTITY_ISSUER",
    "CAMUNDA_IDENTITY_ISSUER_URL": "CAMUNDA_IDENTITY_ISSUER",
    "CAMUNDA_IDENTITY_ISUER": "CAMUNDA_IDENTITY_ISSUER",
    "CAMUNDA_ENTRA_REDIS_URL": "CAMUNDA_ENTRA_SESSION_STORE",
    "CAMUNDA_ENTRA_CLIENT_ID": "CAMUNDA_IDENTITY_CLIENT_ID",
    "CAMUNDA_ENTRA_BASEURL": "CAMUNDA_ENTRA_BASE_URL",
    "CAMUNDA_ENTRA_ALLOWED_TENANT": "CAMUNDA_ENTRA_ALLOWED_TENANTS",
    "CAMUNDA_ENTRA_COOKIES_NAME": "CAMUNDA_ENTRA_COOKIE_NAME",
}
OTHERS = (
    "CAMUNDA_IDENTITY_BASE_URL",
    "CAMUNDA_IDENTITY_BASEURL",
    "CAMUNDA_IDENTITY_RESOURCE",
    "CAMUNDA_IDENTITY_REDIRECT_ROOT_URL",
    "CAMUNDA_IDENTITY_ENABLED",
    "CAMUNDA_CLIENT_ID",
    "AUDIENCES",
)
"""Variables of Camunda's components, and of anybody else's."""


@pytest.mark.parametrize(("name", "meant"), MEANT.items())
def test_a_near_miss_is_warned_of_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, meant: str
) -> None:
    """Without the value, which may be a secret."""
    monkeypatch.setenv(name, "s3cr3t")
    with caplog.at_level(logging.WARNING):
        settings()
    assert caplog.messages == [f"'{name}' is not a setting and has no effect. Did you mean {meant}?"]


def test_a_setting_that_is_like_none_leads_to_the_list(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong suggestion costs more than none."""
    monkeypatch.setenv("CAMUNDA_ENTRA_FLAVOUR", "x")
    with caplog.at_level(logging.WARNING):
        settings()
    assert caplog.messages == [f"'CAMUNDA_ENTRA_FLAVOUR' is not a setting and has no effect. {SETTINGS_PAGE}"]
    assert problem(flavour=1) == f"'flavour' is not a setting. Remove it. {SETTINGS_PAGE}"


@pytest.mark.parametrize("name", OTHERS)
def test_variables_of_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Camunda's components share an environment with this service."""
    monkeypatch.setenv(name, "x")
    with caplog.at_level(logging.WARNING):
        settings()
    assert caplog.messages == []


def test_each_alias_is_no_setting_and_means_one() -> None:
    """Else the table would suggest what is not there, or hide what is."""
    assert not _ALIASES.keys() & KNOWN
    assert set(_ALIASES.values()) <= KNOWN


@pytest.mark.parametrize("text", ["<secret>", "<the secret's value>", "<…>"])
def test_a_placeholder_is_no_secret(text: str) -> None:
    """As for the client ID: what instructions have in a value's place is not one."""
    assert problem(client_secret=text) == (
        "CAMUNDA_IDENTITY_CLIENT_SECRET still holds a placeholder. "
        "Put the secret's Value (not its Secret ID) there."
    )
    assert problem(session_secret=text + ",x" * 20).startswith(
        "CAMUNDA_ENTRA_SESSION_SECRET still holds a placeholder. Put a secret of 32 characters or more there."
    )


@pytest.mark.parametrize("text", ["<b", "a>", "$ecret", "%a%", "{x}", "your_secret"])
def test_what_may_be_a_secret_is_taken(text: str) -> None:
    """Other forms of placeholders are possible passwords."""
    secret = settings(client_secret=text).client_secret
    assert secret is not None
    assert secret.get_secret_value() == text


@pytest.mark.parametrize("source", ["argument", "environment"])
def test_a_wrong_callback_path_is_told_once(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """The path after signing out is the same one where nobody set another, and no second mistake."""
    if source == "argument":
        (only,) = problems(callback_path="callback")
    else:
        monkeypatch.setenv("CAMUNDA_ENTRA_CALLBACK_PATH", "callback")
        with pytest.raises(SettingsError) as caught:
            settings()
        (only,) = caught.value.problems
    assert only.startswith("CAMUNDA_ENTRA_CALLBACK_PATH is not a path.")

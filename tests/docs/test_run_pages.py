"""The how-to pages about running a service say what code and recipes say."""

import re
from pathlib import Path
from typing import Final

import pytest

from camunda_entra_fastapi import EntraSettings
from camunda_entra_fastapi.errors import CODES
from camunda_entra_fastapi.sessions.memory import LIMIT, MAX_BYTES
from camunda_entra_fastapi.validation.compact import MAX_TOKEN_BYTES
from camunda_entra_fastapi.validation.identity import LIFETIME, TYPE
from tests.e2e.test_rotation import CHANGES

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ROOT / "docs" / "how-to" / "run"
OWN: Final = sorted(page for page in PAGES.glob("*.md") if page.stem != "logs-metrics-alerts")


def text_of(page: str) -> str:
    """A page, without its line breaks."""
    return " ".join((PAGES / f"{page}.md").read_text(encoding="utf-8").split())


def rows(page: str, header: str) -> list[list[str]]:
    """The cells of the table whose first line that is."""
    lines = (PAGES / f"{page}.md").read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines[lines.index(header) + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


@pytest.mark.parametrize("page", OWN, ids=lambda page: page.stem)
def test_each_page_says_first_what_the_reader_has_at_its_end(page: Path) -> None:
    """One heading, one sentence, and tables of three columns at most, as phones show no more."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert lines[2].startswith("At the end ")
    assert all(line.count("|") <= 4 for line in lines if re.match(r"\|[ -]", line))


@pytest.mark.parametrize("page", OWN, ids=lambda page: page.stem)
def test_names_on_a_page_are_names_of_the_code(page: Path) -> None:
    """Every variable is a setting, and every file of the repository is there."""
    text = page.read_text(encoding="utf-8")
    known = {
        f"CAMUNDA_{kind}_{name.upper()}"
        for name in EntraSettings.model_fields
        for kind in ("IDENTITY", "ENTRA")
    }
    named = set(re.findall(r"CAMUNDA_(?:IDENTITY|ENTRA)_[A-Z_]*[A-Z]", text))
    assert named - known <= {"CAMUNDA_ENTRA_SECRETS_DIR"}
    for link in re.findall(r"\]\((\.\./\.\./\.\./[^)#]+)\)", text):
        assert (page.parent / link).resolve().exists(), link


def test_who_is_signed_out_is_what_was_tried() -> None:
    """Each row of the table that a setting decides is a case of tests/e2e/test_rotation.py."""
    table = dict(rows("rotate-secrets", "| what changes | who is signed out |"))
    cases = {
        "the client secret, and no session secret is set": ("client_secret",),
        "the client secret, and a session secret is set": ("client_secret with a session secret",),
        "the session secret, the new one alone": ("session_secret",),
        "the session secret, the new one in front of the old one": ("session_secret and the old one",),
        "the session store, the cookie's name, the issuer or the client ID": ("session_store", "cookie_name"),
    }
    assert table.keys() - cases.keys() == {"the certificate, or Entra's own signing keys"}
    for what, names in cases.items():
        assert {CHANGES[name][1] for name in names} == {table[what] == "nobody"}


def test_urls_of_stores_are_accepted() -> None:
    """Every form that the table of servers gives."""
    urls = [url for _, cell in rows("redis", "| server | URL |") for url in re.findall(r"`(.*?)`", cell)]
    assert len(urls) == 5
    for url in urls:
        given = url.replace("host", "redis.example.com")
        six = {"type": "AZUREAD", "client_id": "8f0c1111-2222-4333-8444-555566667777"}
        issuer = "https://login.microsoftonline.com/8f0c1111-2222-4333-8444-555566667777/v2.0"
        assert EntraSettings(**six, issuer=issuer, session_store=given).session_store == given


def test_room_for_headers_is_what_the_recipes_make() -> None:
    """Each setting of the table stands so in a recipe that runs in the tests."""
    recipes = {
        "nginx": ROOT / "samples/gateways/nginx.conf",
        "HAProxy": ROOT / "samples/gateways/haproxy.cfg",
        "Caddy": ROOT / "samples/gateways/Caddyfile",
        "Envoy": ROOT / "samples/gateways/envoy.yaml",
    }
    table = dict(rows("proxy", "| proxy | settings |"))
    for proxy, recipe in recipes.items():
        for setting in re.findall(r"`(.*?)`", table[proxy]):
            assert setting in recipe.read_text(encoding="utf-8")


def test_figures_are_those_of_the_code() -> None:
    """Limits that a page names are constants."""
    assert MAX_TOKEN_BYTES == 16 * 1024
    assert "at most 16 KB are accepted" in text_of("proxy")
    assert (LIMIT, MAX_BYTES) == (10_000, 256 * 1024 * 1024)
    assert "up to 256 MiB" in text_of("kubernetes")
    assert EntraSettings.model_fields["token_cache_size"].default == 10_000
    assert "33 MiB with the default of 10,000" in text_of("kubernetes")
    lifetime = EntraSettings.model_fields["session_lifetime"].default
    assert lifetime.total_seconds() == 8 * 3600
    assert "`CAMUNDA_ENTRA_SESSION_LIFETIME` (eight hours)" in text_of("rotate-secrets")
    assert (LIFETIME, TYPE) == (60, "entra-identity+jwt")
    assert "one minute" in text_of("signed-identity")
    assert TYPE in text_of("signed-identity")
    assert {"host_malformed", "cross_origin"} <= set(CODES)


def test_the_page_on_rotation_names_the_line_of_doctor_that_tells_of_the_client_secret() -> None:
    """By its name in doctor's output, which is there on its page, so that a reader finds it."""
    output = (PAGES.parent / "trouble" / "doctor.md").read_text(encoding="utf-8")
    (line,) = set(re.findall(r"^. ([a-z ]+?) {2,}derived from the client secret", output, re.MULTILINE))
    assert f"`camunda-entra doctor` says so in its line *{line}*." in text_of("rotate-secrets")

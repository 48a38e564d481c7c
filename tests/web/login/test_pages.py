"""The pages that people see: what they say, and that nothing from outside gets a hold in them."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Final

import pytest

from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.web.pages import Action, Page, render, texts

CLIENT_ID: Final = "22222222-3333-4444-8555-666666666666"
TRACE: Final = "3f1d2c4b-5a69-4788-9abc-def012345678"
CONSENT_URL: Final = "https://operate.example.com/auth/admin-consent"
RETRY: Final = "/auth/login?return_to=/x"
HOSTILE: Final = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}"
LINKS_AND_LOADS: Final = ("href", "src", "action", "style", "srcset", "data", "formaction", "ping")


class Elements(HTMLParser):
    """The elements of a document, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a name."""
        return [attributes for name, attributes in self.found if name == tag]


def refused(refusal: Refusal | None, consent_url: str | None = CONSENT_URL) -> Page:
    """The page for a refusal."""
    return texts.sign_in_failed(
        refusal,
        "The account is a guest.",
        retry_url=RETRY,
        admin_consent_url=consent_url,
        client_id=CLIENT_ID,
    )


def every_page() -> Iterator[Page]:
    """One of each."""
    yield refused(None)
    for error in ("access_denied", "invalid_client", "interaction_required", "server_error", "unknown_one"):
        yield refused(Refusal(error))
    yield refused(Refusal("interaction_required", aadsts=53003))
    yield texts.expired(RETRY)
    yield texts.unavailable("Microsoft Entra ID cannot be reached.", RETRY)
    yield texts.unavailable("Microsoft Entra ID has trouble.", RETRY, Refusal("server_error", aadsts=90033))
    yield texts.misconfigured(RETRY, CLIENT_ID)
    yield texts.cancelled(RETRY, "/auth/admin-consent")
    yield refused(Refusal("access_denied", None, 90094))
    yield texts.signed_out("/auth/login")
    yield texts.confirm_sign_out("/auth/logout")
    yield texts.consent_given("/auth/login")
    yield texts.consent_failed(Refusal("access_denied"), "/auth/admin-consent")


@pytest.mark.parametrize("page", list(every_page()), ids=lambda page: page.title)
def test_pages_are_whole_and_load_nothing(page: Page) -> None:
    """One heading, a language, no script, nothing from elsewhere, and a title that is the heading."""
    html, _ = render(page)
    elements = Elements(html)
    assert html.startswith("<!doctype html>")
    assert elements.named("html") == [{"lang": "en"}]
    assert len(elements.named("h1")) == len(elements.named("main")) == len(elements.named("title")) == 1
    assert html.count(f"{page.title}</h1>") == html.count(f"{page.title}</title>") == 1
    assert not {"link", "img", "iframe", "object", "base"} & {tag for tag, _ in elements.found}
    assert elements.named("script") == ([{}] if page.facts else [])
    for tag, attributes in elements.found:
        assert not any(name.startswith("on") for name in attributes)
        held = {name for name in attributes if name in LINKS_AND_LOADS}
        assert held <= {"href"} if tag == "a" else held <= {"action"} if tag == "form" else not held
    assert [element["href"] for element in elements.named("a")] + [
        element["action"] for element in elements.named("form")
    ] == [*(action.href for action in page.actions), *([page.link] if page.link else ())]
    text = unescape(html)
    assert page.what in text
    assert page.remedy in text
    assert (page.who or "") in text
    assert ("Who can do it" in text) is (page.who is not None)
    assert ("What to do" in text) is (page.remedy != "")


@pytest.mark.parametrize("good", [True, False, None])
def test_nothing_that_is_given_becomes_markup(good: bool | None) -> None:
    """Every field may hold what somebody outside has written."""
    page = Page(
        title=HOSTILE,
        what=HOSTILE,
        remedy=HOSTILE,
        who=HOSTILE,
        actions=(
            Action(HOSTILE, "/x?\"'><script>alert(1)</script>"),
            Action(HOSTILE, "/y?\"'><script>alert(1)</script>", post=True),
        ),
        facts=((HOSTILE, HOSTILE),),
        good=good,
    )
    html, headers = render(page)
    plain, plain_headers = render(
        Page("t", "w", "r", "w", (Action("l", "/x"), Action("l", "/y", post=True)), (("n", "v"),), good)
    )
    assert [tag for tag, _ in Elements(html).found] == [tag for tag, _ in Elements(plain).found]
    assert html.count("<script") == 1
    assert "49" not in re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)
    assert html.count("{{ 7*7 }}") == 9
    assert headers == render(page)[1] == plain_headers


def test_the_policy_allows_the_pages_own_style_alone() -> None:
    """The hash is of exactly what stands between the tags, and nothing else may be loaded or run."""
    html, headers = render(texts.signed_out("/auth/login"))
    styles = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    assert len(styles) == 1
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert headers == {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]


def test_the_policy_allows_the_script_that_copies_where_there_is_something_to_copy() -> None:
    """By the hash of exactly what stands between the tags; inline handlers and all else stay forbidden."""
    html, headers = render(refused(None))
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"; script-src 'sha256-{digest}'; " in headers["Content-Security-Policy"]
    assert re.findall(r"<button[^>]*>Copy", html) == ['<button type="button" class="copy" hidden>Copy']


def test_the_style_is_the_same_on_every_page() -> None:
    """Also where blocks of the template are left out, and after many pages."""
    policies = {render(page)[1]["Content-Security-Policy"] for page in every_page()}
    assert len({re.findall("style-src [^;]+", policy)[0] for policy in policies}) == 1


def test_a_link_to_be_sent_on_is_a_link_like_all_others() -> None:
    """No script, no other scheme."""
    with pytest.raises(ValueError, match="link"):
        Page("t", "w", link="javascript:alert(1)")
    for elsewhere in ("javascript:alert(1)", "https://evil.example/", "//evil.example", "x"):
        with pytest.raises(ValueError, match="onward"):
            Page("t", "w", onward=elsewhere)


def test_a_form_may_redirect_to_the_named_sites() -> None:
    """Signing out answers a form with a redirect to Entra; only origins get into the policy, each once."""
    urls = (
        "https://login.microsoftonline.com/x/oauth2/v2.0/logout?a=b;script-src *",
        "https://login.microsoftonline.com/y",
        "http://localhost:8080/z",
        "http://[::1]:8080/z",
    )
    _, headers = render(texts.confirm_sign_out("/auth/logout"), redirects_to=urls)
    assert (
        "; form-action 'self' http://[::1]:8080 http://localhost:8080 https://login.microsoftonline.com; "
        in headers["Content-Security-Policy"]
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/path",
        "ftp://host/",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user@host/",
        "https://host;script-src/",
        "https://host *",
        "https://*",
        "https://host:port/",
        "https://[::1",
    ],
)
def test_only_addresses_of_sites_get_into_the_policy(url: str) -> None:
    """Whatever could end the directive, or name more than one site, is a mistake of the caller's."""
    with pytest.raises(ValueError, match="redirects_to"):
        render(texts.confirm_sign_out("/auth/logout"), redirects_to=[url])


def test_a_page_with_a_form_lets_the_browser_say_where_the_form_stood() -> None:
    """Under no-referrer its Origin header would be null, and the same-origin rule would refuse it."""
    html, headers = render(texts.confirm_sign_out("/auth/logout"))
    assert headers["Referrer-Policy"] == "same-origin"
    assert Elements(html).named("form") == [{"method": "post", "action": "/auth/logout"}]
    assert len(Elements(html).named("button")) == 1


@pytest.mark.parametrize(
    "href",
    [
        "/",
        "/auth/login?return_to=%2Fx#y",
        "https://operate.example.com/auth",
        "http://localhost:8000/",
        "http://127.0.0.1",
        "http://[::1]:8000/x",
    ],
)
def test_links_go_to_sites_and_to_paths_of_this_one(href: str) -> None:
    """The service's links."""
    assert Action("Try again", href).href == href


@pytest.mark.parametrize(
    "href",
    [
        "",
        "x",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " /x",
        "/x y",
        "/\u00e4",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "\x01javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "mailto:x@example.com",
        "https:evil.example",
        "https:/evil.example",
        "https://",
        "https://operate.example.com@evil.example/",
        "http://[::1",
    ],
)
def test_other_links_are_refused(href: str) -> None:
    """Among them all that a browser reads as another site or as a script."""
    with pytest.raises(ValueError, match="href"):
        Action("Try again", href)


def test_missing_consent_names_the_administrator_and_gives_the_link() -> None:
    """Where the person cannot consent, the administrator's link comes first, and again to be sent on."""
    page = refused(Refusal("access_denied", None, 90094, TRACE, TRACE, "2026-01-02 03:04:05Z"))
    assert page.title == "Consent is needed"
    assert page.good is False
    assert "Cloud Application Administrator" in (page.who or "")
    assert page.actions == (Action("Consent as an administrator", CONSENT_URL), Action("Try again", RETRY))
    assert page.facts == (
        ("Error", "AADSTS90094, access_denied"),
        ("Trace ID", TRACE),
        ("Correlation ID", TRACE),
        ("Time", "2026-01-02 03:04:05Z"),
        ("Application ID", CLIENT_ID),
    )
    assert page.link == CONSENT_URL
    html, _ = render(page)
    assert f'<dt>Consent link</dt><dd><a href="{CONSENT_URL}">{CONSENT_URL}</a></dd>' in html


@pytest.mark.parametrize(
    ("refusal", "title"),
    [
        (Refusal("invalid_grant", "consent_required", 65001), "Consent is needed"),
        (Refusal("access_denied", None, 65004), "Consent was declined"),
        (Refusal("access_denied"), "Sign-in was cancelled"),
        (Refusal("consent_required"), "Consent is needed"),
    ],
)
def test_what_the_person_may_be_able_to_mend_offers_trying_again_first(refusal: Refusal, title: str) -> None:
    """People can often consent themselves, or pressed Cancel by mistake; the other link is there, too."""
    page = refused(refusal)
    assert page.title == title
    assert (page.who or "").startswith("You")
    assert page.actions == (Action("Try again", RETRY), Action("Consent as an administrator", CONSENT_URL))


def test_without_a_consent_link_the_page_says_who_consents_all_the_same() -> None:
    """The administrator finds the way through the Entra admin center."""
    page = refused(Refusal("access_denied", None, 90094), consent_url=None)
    assert page.actions == (Action("Try again", RETRY),)
    assert "administrator" in (page.who or "")
    assert "Entra admin center" in page.remedy


def test_a_consent_link_that_is_a_path_is_not_given_to_be_sent_on() -> None:
    """It would mean nothing in a message to somebody else."""
    page = refused(Refusal("access_denied", None, 90094), consent_url="/auth/admin-consent")
    assert page.actions[0].href == "/auth/admin-consent"
    assert [name for name, _ in page.facts] == ["Error", "Application ID"]
    assert page.link is None


def test_who_pressed_cancel_hears_little_of_consent() -> None:
    """The commonest page is the shortest; one button is for whom Entra sent to an administrator."""
    page = refused(Refusal("access_denied", "cancel", None, TRACE, TRACE, "2026-01-02 03:04:05Z"))
    html, _ = render(page)
    assert page.title == "Sign-in was cancelled"
    assert page.actions == (
        Action("Sign in again", RETRY),
        Action("Consent as an administrator", CONSENT_URL),
    )
    assert html.count("onsent") == len(["its label", "its address"])
    assert "For support" not in html


def test_a_fault_in_the_service_s_own_setup_is_told_to_visitors_without_variables() -> None:
    """They can do nothing about it; what is wrong is for the log and for programs."""
    page = refused(Refusal("invalid_client", None, 7000215, TRACE))
    html, _ = render(page)
    assert "Nothing is wrong with your account" in page.what
    assert "operators" in page.remedy
    assert "CAMUNDA_" not in html
    assert "secret" not in html.replace("no secrets", "")


@pytest.mark.parametrize(
    ("refusal", "title", "who"),
    [
        (Refusal("invalid_client", None, 7000215), "Sign-in is not possible right now", "Whoever runs this"),
        (Refusal("access_denied", None, 50105), "Your organization does not allow this", "An administrator"),
        (Refusal("invalid_grant", None, 50173), "Please sign in again", None),
        (Refusal("access_denied", None, 50020), "Sign-in did not work", None),
        (Refusal("server_error"), "Microsoft Entra ID has trouble", None),
    ],
)
def test_other_refusals_name_who_must_act_and_offer_no_consent(
    refusal: Refusal, title: str, who: str | None
) -> None:
    """An administrator's consent would mend none of them."""
    page = refused(refusal)
    assert page.title == title
    assert page.who == who if who is None else (page.who or "").startswith(who)
    assert page.actions == (Action("Try again", RETRY),)


def test_a_refusal_of_our_own_shows_its_message() -> None:
    """Where Entra signed somebody in and this service does not take it."""
    page = refused(None)
    assert page.title == "Sign-in did not work"
    assert page.what == "The account is a guest."
    assert page.facts == (("Application ID", CLIENT_ID),)


def test_the_facts_for_support_are_shown_in_pairs() -> None:
    """Names and values, each a term and its description."""
    html, _ = render(refused(Refusal("invalid_client", None, 7000215, TRACE)))
    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html) == [
        ("Error", "AADSTS7000215, invalid_client"),
        ("Trace ID", TRACE),
        ("Application ID", CLIENT_ID),
    ]


def test_a_late_callback_is_told_calmly() -> None:
    """Nothing is wrong with the person's account, and one click begins anew."""
    page = texts.expired(RETRY)
    assert "Nothing is wrong with your account" in page.what
    assert page.actions == (Action("Sign in again", RETRY),)
    assert page.good is False


def test_trouble_elsewhere_says_to_come_back() -> None:
    """Nobody here can do anything but wait."""
    page = texts.unavailable("Microsoft Entra ID cannot be reached.", RETRY)
    assert page.what == "Microsoft Entra ID cannot be reached."
    assert page.actions == (Action("Try again", RETRY),)
    assert page.who is None


@pytest.mark.parametrize("page", [texts.signed_out("/in"), texts.consent_given("/in")])
def test_good_endings_look_good_and_lead_to_signing_in(page: Page) -> None:
    """A tick, and a link back."""
    html, _ = render(page)
    assert page.good is True
    assert 'class="sign good"' in html
    assert [action.href for action in page.actions] == ["/in"]


@pytest.mark.parametrize(
    ("refusal", "what"),
    [
        (Refusal("permission_denied"), "left with Cancel"),
        (Refusal("consent_required", None, 65004), "left with Cancel"),
        (Refusal("access_denied", None, 90094), "Only an administrator"),
        (Refusal("invalid_client", None, 650056), "permissions asked for are missing"),
        (Refusal("invalid_request", None, 50011), "redirect URI"),
        (Refusal("server_error"), "trouble"),
    ],
)
def test_failed_consent_says_why(refusal: Refusal, what: str) -> None:
    """Cancelled, not allowed, or asked for wrongly."""
    page = texts.consent_failed(refusal, "/auth/admin-consent")
    assert page.title == "Consent was not given"
    assert what in page.what
    assert page.remedy
    assert page.actions == (Action("Try again", "/auth/admin-consent"),)
    assert page.facts[0][0] == "Error"

"""The texts of the pages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.remote.aadsts import Kind, explain
from camunda_entra_fastapi.remote.aadsts_table import b2c
from camunda_entra_fastapi.web.pages import Action, Page

_ROLES: Final = "Privileged Role Administrator, Cloud Application Administrator or Application Administrator"
_ADMINISTRATOR: Final = f"An administrator of your organization: a {_ROLES}."
_ANYBODY: Final = (
    f"You, if your organization leaves it to its people. Otherwise an administrator: a {_ROLES}."
)
_TITLES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.CONSENT: "Consent is needed",
        Kind.PERSON: "Sign-in did not work",
        Kind.REGISTRATION: "Sign-in is not possible right now",
        Kind.POLICY: "Your organization does not allow this",
        Kind.SESSION: "Please sign in again",
        Kind.ENTRA: "Microsoft Entra ID has trouble",
    }
)
_WHO: Final[Mapping[Kind, str | None]] = MappingProxyType(
    {
        Kind.CONSENT: _ADMINISTRATOR,
        Kind.PERSON: None,
        Kind.REGISTRATION: "Whoever runs this service.",
        Kind.POLICY: "An administrator of your organization.",
        Kind.SESSION: None,
        Kind.ENTRA: None,
    }
)
"""Who has to act; None where it is the reader, or nobody."""
_ADMINISTRATORS_ALONE: Final = frozenset(
    {90093, 90094, 90095, 90099, 650056, 700011, 900941, 900981, 7000229}
)
"""Codes where another try fails in the same way until an administrator has consented."""
_DECLINED: Final = 65004
_CANCEL: Final = "cancel"
"""Entra's ``error_subcode`` for its button of that name."""
_CANCELLED: Final = frozenset({"access_denied", "permission_denied"})
_B2C_TITLES: Final[Mapping[int, str]] = MappingProxyType(
    {b2c.CANCELLED: "Sign-in was cancelled", b2c.FORGOTTEN_PASSWORD: "The password has to be reset"}
)


def sign_in_failed(
    refusal: Refusal | None,
    message: str,
    *,
    retry_url: str,
    admin_consent_url: str | None,
    client_id: str,
) -> Page:
    """A failed sign-in. ``message`` gives the reason where Entra gave none: without a ``refusal``."""
    retry = Action("Try again", retry_url)
    if refusal is not None and refusal.aadsts is None and refusal.suberror == _CANCEL:
        return cancelled(retry_url, admin_consent_url)
    if refusal is None:
        return Page(
            title=_TITLES[Kind.PERSON],
            what=message,
            remedy="Try again. If it stays so, pass this on to whoever runs this service.",
            actions=(retry,),
            facts=(_application(client_id),),
            good=False,
        )
    explanation = explain(refusal)
    title = _B2C_TITLES.get(refusal.aadb2c or 0, _TITLES[explanation.kind])
    if explanation.kind is Kind.REGISTRATION:
        return misconfigured(retry_url, client_id, refusal)
    who, actions, link = _WHO[explanation.kind], (retry,), None
    if explanation.kind is Kind.CONSENT:
        title, link = _consent_title(refusal), admin_consent_url
        grant = () if link is None else (Action("Consent as an administrator", link),)
        if refusal.aadsts in _ADMINISTRATORS_ALONE:
            actions = (*grant, retry)
        else:
            actions, who = (retry, *grant), _ANYBODY
    return Page(
        title=title,
        what=explanation.cause,
        remedy=explanation.remedy,
        who=who,
        actions=actions,
        facts=(*_facts(refusal), _application(client_id)),
        link=link if link is not None and not link.startswith("/") else None,
        good=False,
    )


def expired(retry_url: str, restart_url: str | None = None) -> Page:
    """A callback that belongs to no sign-in of this browser: late, repeated, or begun elsewhere.

    The browser goes on to ``restart_url`` by itself, if there is one.
    """
    return Page(
        title=_TITLES[Kind.SESSION],
        what="This sign-in took too long, was begun in another browser, or is over already. "
        "Nothing is wrong with your account.",
        remedy="Sign in again from here. If you see this every time, let the browser keep the cookies "
        "of this site.",
        actions=(Action("Sign in again", retry_url),),
        good=False,
        onward=restart_url,
    )


def cancelled(retry_url: str, admin_consent_url: str | None) -> Page:
    """Somebody has left Entra's page with *Cancel*, as Entra itself says.

    Entra says the same of whoever turns back where an administrator has to approve first (AADSTS90094),
    so the way to consent is there, without many words.
    """
    consent = () if admin_consent_url is None else (Action("Consent as an administrator", admin_consent_url),)
    return Page(
        title="Sign-in was cancelled",
        what="You left the sign-in with Cancel, so nobody is signed in here.",
        actions=(Action("Sign in again", retry_url), *consent),
    )


def misconfigured(retry_url: str, client_id: str, refusal: Refusal | None = None) -> Page:
    """This service, or its registration, is not set up for what Entra has answered.

    People can do nothing about it. What is wrong, and the variable to change, is in the log.
    """
    return Page(
        title=_TITLES[Kind.REGISTRATION],
        what="This service cannot sign anybody in at the moment. Nothing is wrong with your account.",
        remedy="Come back later. The service has told its operators what is wrong: it is in its log.",
        who=_WHO[Kind.REGISTRATION],
        actions=(Action("Try again", retry_url),),
        facts=(*(() if refusal is None else _facts(refusal)), _application(client_id)),
        good=False,
    )


def unavailable(message: str, retry_url: str, refusal: Refusal | None = None) -> Page:
    """Entra or the session store cannot be asked; ``message`` says which.

    ``refusal`` is Entra's error response, if there was one.
    """
    return Page(
        title="Sign-in is not possible right now",
        what=message,
        remedy="Wait a minute, then try again. Nothing is wrong with your account.",
        actions=(Action("Try again", retry_url),),
        facts=() if refusal is None else _facts(refusal),
        good=False,
    )


def sign_in_in_window(entra_url: str) -> Page:
    """In a frame, where Entra's pages are never shown: a link that opens a window."""
    return Page(
        title="Please sign in",
        what="Microsoft shows its sign-in in a window of its own. You go on here when it closes.",
        actions=(Action("Sign in", entra_url),),
        script="window.js",
    )


def signed_out_here(end_session_url: str) -> Page:
    """In a frame, where Entra's page for signing out is not shown either."""
    return Page(
        title="You are signed out here",
        what="At Microsoft you stay signed in. There you sign out in a window of its own.",
        actions=(Action("Sign out at Microsoft, too", end_session_url),),
        good=True,
        script="window.js",
    )


def going_on(callback_url: str) -> Page:
    """In such a window, after signing in at Entra; it closes at once."""
    return Page(
        title="You go on where you signed in",
        what="This window closes by itself.",
        actions=(Action("Go on here", callback_url),),
        script="hand_over.js",
    )


def signed_out(login_url: str) -> Page:
    """The end of a session, here and at Entra."""
    return Page(
        title="You are signed out",
        what="On a device that others use too, close all windows of the browser now.",
        actions=(Action("Sign in again", login_url),),
        good=True,
    )


def confirm_sign_out(logout_url: str) -> Page:
    """A question, for links that another site may have made the browser follow."""
    return Page(
        title="Do you want to sign out?",
        what="This ends your session here and at Microsoft Entra ID. If you did not ask for it, close this "
        "page, and you stay signed in.",
        actions=(Action("Sign out", logout_url, post=True),),
    )


def consent_given(login_url: str) -> Page:
    """The administrator has consented. Entra's response does not say who it was and is no sign-in."""
    return Page(
        title="Consent was given",
        what="The permissions are granted for the whole organization. Its people can sign in now without "
        "being asked for consent.",
        actions=(Action("Sign in", login_url),),
        good=True,
    )


def consent_over(login_url: str, retry_url: str) -> Page:
    """An answer about consent that was read before, or came late: Back, for example, brings it once more."""
    return Page(
        title="Nothing is left to do here",
        what="Entra's answer about this consent was read before, or it came late. What was accepted at Entra "
        "is granted all the same, and opening this page again changes nothing.",
        remedy="If you do not know whether you accepted, ask again: it does no harm.",
        actions=(Action("Sign in", login_url), Action("Ask for consent again", retry_url)),
    )


def consent_failed(refusal: Refusal, retry_url: str) -> Page:
    """The administrator did not consent, or could not."""
    explanation = explain(refusal)
    what, remedy, who = explanation.cause, explanation.remedy, _WHO[explanation.kind]
    if explanation.kind is Kind.CONSENT and refusal.aadsts not in _ADMINISTRATORS_ALONE:
        what = "The page that asks for consent was left with Cancel, so nothing has changed."
        remedy = "Try again with an account that may consent for the whole organization, and accept."
    return Page(
        title="Consent was not given",
        what=what,
        remedy=remedy,
        who=who,
        actions=(Action("Try again", retry_url),),
        facts=_facts(refusal),
        good=False,
    )


def go_on(url: str) -> Page:
    """In a redirect's place, where a service worker asked instead of the browser."""
    return Page(title="One moment", what="Your browser goes on by itself.", actions=(Action("Go on", url),))


def _consent_title(refusal: Refusal) -> str:
    if refusal.aadsts == _DECLINED:
        return "Consent was declined"
    if refusal.aadsts is None and refusal.error in _CANCELLED:
        return "Sign-in was cancelled"
    return _TITLES[Kind.CONSENT]


def _facts(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    named = {
        "Error": ", ".join(part for part in (refusal.code, refusal.error, refusal.suberror) if part),
        "Trace ID": refusal.trace_id,
        "Correlation ID": refusal.correlation_id,
        "Time": refusal.timestamp,
    }
    return tuple((name, value) for name, value in named.items() if value)


def _application(client_id: str) -> tuple[str, str]:
    return "Application ID", client_id

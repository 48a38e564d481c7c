"""The texts for people whom a page or an action is refused: what is missing, and who can give it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from camunda_entra_fastapi.errors import (
    AccessDenied,
    CredentialsMissing,
    CrossOrigin,
    EntraError,
    EntraRefused,
    EntraUnavailable,
    InsufficientClaims,
    InvalidRequest,
    SessionsUnavailable,
)
from camunda_entra_fastapi.web.pages import Action, Page

_OPERATORS: Final = "Whoever runs this service. Nothing is wrong with your account."
_ADMINISTRATOR: Final = (
    "Whoever decides who may use this application: in Entra, an administrator assigns people and roles under "
    "Enterprise applications, Users and groups."
)
_ASSIGNMENT: Final = (
    "Ask for it. Then sign in again: what you were given counts from the next sign-in on.",
    _ADMINISTRATOR,
)
_CONSENT: Final = (
    "Sign in again. Entra asks for consent, if that is all that is missing.",
    "You, if your organization leaves it to its people. Otherwise an administrator.",
)
_OTHER: Final = "Sign in with an account that may, or ask for access."
_DENIED: Final[Mapping[str, tuple[str, str, str | None]]] = MappingProxyType(
    {
        "guest_not_allowed": ("Guests are not let in here.", _OTHER, _ADMINISTRATOR),
        "groups_not_listed": (
            "This is for members of a group. You are in so many groups that Entra did not list them.",
            "Ask whoever runs this service to look groups up, or to use roles.",
            _OPERATORS,
        ),
        "consent_required": (
            "This service may not call another one in your name yet: somebody has to consent.",
            "Ask an administrator to consent for your organization, then sign in again.",
            "An administrator of your organization.",
        ),
        "access_token_unavailable": ("Your sign-in is too old for this.", "Sign in again.", None),
    }
)
"""What happened, what to do and who can do it, where no permission is missing that can be named."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is refused, and where they can go.

    Attributes:
        login_url: Where they sign in, with the page to return to; None without login pages.
        here: The page that they asked for, or came from.
        account: Their account, if they are signed in.
        client_id: The application's ID.
    """

    login_url: str | None
    here: str
    account: str
    client_id: str


def refused(error: EntraError, message: str, visitor: Visitor) -> Page:
    """The page for a refused request. ``message`` is the one that programs get."""
    facts = _facts(error, visitor)
    if isinstance(error, EntraUnavailable | SessionsUnavailable):
        return Page(
            title="This does not work right now",
            what=message,
            remedy="Wait a minute, then try again.",
            actions=(Action("Try again", visitor.here),),
            facts=facts,
            good=False,
        )
    if isinstance(error, CredentialsMissing):
        return _sign_in_first(visitor)
    if isinstance(error, AccessDenied | InsufficientClaims):
        return _denied(error, message, visitor)
    if isinstance(error, CrossOrigin):
        return Page(
            title="This came from another site",
            what="A page of another site made your browser send this, so nothing was done.",
            remedy="If it was you who wanted it, open this service and do it there.",
            actions=(Action("Open this service", visitor.here),),
            facts=facts,
            good=False,
        )
    title = "This service is not set up correctly"
    if isinstance(error, InvalidRequest) and error.code != "verify_request_invalid":
        title = "This request cannot be understood"
    what = message if isinstance(error, EntraRefused | InvalidRequest) else "The sign-in is not accepted."
    return Page(title=title, what=what, remedy="Pass this on.", who=_OPERATORS, facts=facts, good=False)


def _sign_in_first(visitor: Visitor) -> Page:
    if visitor.login_url is None:
        return Page(
            title="This is for programs",
            what="This address takes an access token in the Authorization header, and a browser that opens a "
            "page sends none.",
        )
    return Page(
        title="Sign in first",
        what="This is for people who are signed in.",
        actions=(Action("Sign in", visitor.login_url),),
    )


def _denied(error: AccessDenied | InsufficientClaims, message: str, visitor: Visitor) -> Page:
    title = "You have no access to this"
    if isinstance(error, InsufficientClaims):
        title = "A stronger sign-in is needed"
        what, remedy, who = "This needs a sign-in that proves more, or is newer.", "Sign in again.", None
    elif error.missing:
        what = _lacking(error, visitor.account or "Your account")
        remedy, who = _CONSENT if error.code == "scope_missing" else _ASSIGNMENT
    else:
        what, remedy, who = _DENIED.get(error.code, (message, _OTHER, _ADMINISTRATOR))
    return Page(
        title=title,
        what=what,
        remedy=remedy,
        who=who,
        actions=_sign_in_again(visitor),
        facts=_facts(error, visitor),
        good=False,
    )


def _lacking(error: AccessDenied, account: str) -> str:
    """What is missing, in one sentence."""
    kind = error.missing[0][0]
    names = " and ".join(name for _, name in error.missing)
    if error.code == "permission_missing":
        names = ", ".join(f"{each} {name}" for each, name in error.missing)
        return f"{account} has none of these, and this needs one: {names}."
    plural = "s" if len(error.missing) > 1 else ""
    if kind == "group":
        return f"{account} is not in the group{plural} {names}, and this is for members alone."
    return f"{account} lacks the {kind}{plural} {names}, which this needs."


def _sign_in_again(visitor: Visitor) -> tuple[Action, ...]:
    if visitor.login_url is None:
        return ()
    again = Action("Sign in again", visitor.login_url)
    other = Action("Use another account", f"{visitor.login_url}&prompt=select_account")
    return again, other


def _facts(error: EntraError, visitor: Visitor) -> tuple[tuple[str, str], ...]:
    missing = error.missing if isinstance(error, AccessDenied) else ()
    named = {
        "Missing": ", ".join(f"{kind} {name}" for kind, name in missing),
        "Account": visitor.account,
        "Error": error.code,
        "Application ID": visitor.client_id,
    }
    return tuple((name, value) for name, value in named.items() if value)

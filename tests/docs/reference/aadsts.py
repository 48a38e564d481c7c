"""The page of Entra's codes, of their tables; each code has an anchor of its own."""

from collections.abc import Iterator, Mapping
from typing import Final

from camunda_entra_fastapi.remote.aadsts import BY_ERROR
from camunda_entra_fastapi.remote.aadsts_table import B2C_EXPLANATIONS, EXPLANATIONS, Explanation, Kind
from tests.docs.reference.markdown import cell, coded, generated

NAME: Final = "aadsts.md"
HEADINGS: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.CONSENT: (
        "Consent",
        "Somebody has to consent: an administrator, or the person. 403 `consent_required`, with the link for "
        "administrators.",
    ),
    Kind.PERSON: ("The person", "Whoever signs in can act. 400 `login_refused`."),
    Kind.POLICY: (
        "The organization's rules",
        "An administrator of the organization decides. 400 `login_refused`.",
    ),
    Kind.SESSION: ("A new sign-in", "Codes and tokens expire and are revoked. 400 `login_refused`."),
    Kind.REGISTRATION: (
        "Registration and settings",
        "Whoever runs the service has to act. 400 `login_refused`; a session that cannot be renewed "
        "for such a reason is kept, and 502 is the answer until it is mended.",
    ),
    Kind.ENTRA: (
        "Entra's own trouble",
        "Nobody's request is wrong, so no answer is 4xx: 503 `entra_throttled` where Entra is too busy, else "
        "502 `entra_failed`, with `Retry-After`. Sessions are kept.",
    ),
}
INTRODUCTION: Final = """\
# What Entra's codes mean

This page says what each code of Entra's means, and what to do about it. When Entra refuses, it names a
code: `AADSTS` and a number, or `AADB2C` and a number where the tenant is of Azure AD B2C. Pages for
people, answers for programs, `camunda-entra doctor` and the log explain it by the tables below. The
statuses are those of a sign-in.

The meanings are those of 2025: of
[Microsoft's reference](https://learn.microsoft.com/entra/identity-platform/reference-error-codes),
of the public list [EntraID-ErrorCodes](https://github.com/f-bader/EntraID-ErrorCodes) as of
3 September 2025, and of
[B2C's reference](https://learn.microsoft.com/azure/active-directory-b2c/error-codes); causes and remedies
are our words. Microsoft's own words for a code are at `https://login.microsoftonline.com/error?code=` and
its number.
"""


def page() -> str:
    """The page."""
    return generated("\n".join(lines()), "the tables in camunda_entra_fastapi/remote/aadsts_table")


def lines() -> Iterator[str]:
    """Its lines."""
    yield INTRODUCTION
    yield "## AADSTS codes\n"
    yield from _tables(EXPLANATIONS, "aadsts")
    yield "## AADB2C codes\n"
    yield "The numbers are B2C's own: AADB2C90091 has nothing to do with AADSTS90091.\n"
    yield from _tables(B2C_EXPLANATIONS, "aadb2c")
    yield "## Without a known code\n"
    yield "Then suberror or error decide (RFC 6749, 4.1.2.1 and 5.2).\n"
    yield from _rows("error", {f"`{error}`": explanation for error, explanation in BY_ERROR.items()})


def _tables(explanations: Mapping[int, Explanation], prefix: str) -> Iterator[str]:
    for kind, (heading, text) in HEADINGS.items():
        named = {_anchored(prefix, code): explanations[code] for code in sorted(explanations)}
        of_kind = {code: explanation for code, explanation in named.items() if explanation.kind is kind}
        if of_kind:
            yield f"### {heading}\n"
            yield f"{text}\n"
            yield from _rows("code", of_kind)


def _rows(heading: str, explanations: Mapping[str, Explanation]) -> Iterator[str]:
    """One row for all that are explained alike, in the order of the first."""
    alike: dict[Explanation, list[str]] = {}
    for name, explanation in explanations.items():
        alike.setdefault(explanation, []).append(name)
    yield f"| {heading} | what happened | what to do |"
    yield "| --- | --- | --- |"
    for explanation, names in alike.items():
        cells = (", ".join(names), _escaped(explanation.cause), _escaped(explanation.remedy))
        yield f"| {' | '.join(cells)} |"
    yield ""


def _anchored(prefix: str, code: int) -> str:
    """The code, with an anchor that links lead to."""
    return f'<a id="{prefix}{code}"></a>{code}'


def _escaped(text: str) -> str:
    """The text for a cell, with settings and placeholders as code."""
    return cell(coded(text))

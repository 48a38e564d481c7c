"""The findings of doctor and explain, for people and for programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MAX_LENGTH: Final = 600
"""Characters of a text that is printed."""


class State(StrEnum):
    """The state of what a finding is about."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, but it is good to know."""
    WRONG = "wrong"
    SKIPPED = "skipped"
    """It was not checked, as something before it is wrong or not set."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        name: What was checked, in a word or three.
        state: Its state.
        message: What was found: the cause, where something is wrong. ``told`` in JSON.
        remedy: Where to change what; empty where nothing needs changing.
        code: What programs know it by; a code of ``errors.CODES``, AADSTS and a number, or a word.
        expected: What it should be, where that is one value.
        actual: What it is.
        trace: The IDs by which Entra's logs and Microsoft's support find it.
        setting: The variable that is wrong, where it is one.
        helm: The Helm value of a Camunda component that says the same.
        documentation: The page that tells more.
        seconds: How long the check took, where that says something.
    """

    name: str
    state: State
    message: str
    remedy: str = ""
    code: str = ""
    expected: str = ""
    actual: str = ""
    trace: str = ""
    setting: str = ""
    helm: str = ""
    documentation: str = ""
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding as ``--json`` prints it, without what is empty."""
        members = {
            "name": self.name,
            "state": self.state.value,
            "told": self.message,
            "remedy": self.remedy,
            "code": self.code,
            "expected": self.expected,
            "actual": self.actual,
            "trace": self.trace,
            "setting": self.setting,
            "helm": self.helm,
            "documentation": self.documentation,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
        }
        return {name: value for name, value in members.items() if value not in ("", None)}


def is_ok(findings: Iterable[Finding]) -> bool:
    """Whether no finding is wrong."""
    return all(finding.state is not State.WRONG for finding in findings)


def split_remedy(message: str) -> tuple[str, str]:
    """A message's first sentence, which is the cause, and the others, which are the remedy."""
    cause, mark, remedy = message.partition(". ")
    while mark and cause.count("'") % 2 and "'" in remedy:  # a value in quotes may have such an end, too
        more, mark, remedy = remedy.partition(". ")
        cause += f". {more}"
    return (f"{cause}.", remedy) if mark else (message, "")


def printable(text: object, limit: int = MAX_LENGTH) -> str:
    """Untrusted text without what could move the cursor, change colours or the reading direction."""
    full = str(text)
    safe = "".join(character if character.isprintable() else "?" for character in full[:limit])
    return safe if len(full) <= limit else f"{safe}..."

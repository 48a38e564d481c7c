"""What was looked at and what was seen: the value that doctor and explain tell people and machines."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

LONGEST: Final = 600
"""Characters of a text that is shown."""


class State(StrEnum):
    """How it is."""

    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, but it is good to know."""
    WRONG = "wrong"
    SKIPPED = "skipped"
    """It could not be looked at, as something before it is wrong or not set."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What, in a word or three.
        state: How it is.
        told: What was seen: the cause, where something is wrong.
        remedy: Where to change what; empty where nothing needs changing.
        code: What machines know it by; a code of ``errors.CODES``, AADSTS and a number, or a word.
        expected: What it should be, where that is one value.
        actual: What it is.
        trace: What Entra's logs and Microsoft's support find it by.
        setting: The variable that is wrong, where it is one.
        seconds: How long looking took, where that says something.
    """

    name: str
    state: State
    told: str
    remedy: str = ""
    code: str = ""
    expected: str = ""
    actual: str = ""
    trace: str = ""
    setting: str = ""
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """For machines, without what is empty."""
        members = {**asdict(self), "state": self.state.value}
        if self.seconds is not None:
            members["seconds"] = round(self.seconds, 3)
        return {name: value for name, value in members.items() if value not in ("", None)}


def all_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong."""
    return all(finding.state is not State.WRONG for finding in findings)


def split_remedy(message: str) -> tuple[str, str]:
    """The first sentence of a message, which says what is wrong, and the others, which say what mends it."""
    cause, mark, remedy = message.partition(". ")
    while mark and cause.count("'") % 2 and "'" in remedy:  # a value in quotes may have such an end, too
        more, mark, remedy = remedy.partition(". ")
        cause += f". {more}"
    return (f"{cause}.", remedy) if mark else (message, "")


def printable(text: object, limit: int = LONGEST) -> str:
    """A stranger's text without what could move the cursor, change colours or turn the way of reading."""
    whole = str(text)
    shown = "".join(character if character.isprintable() else "?" for character in whole[:limit])
    return shown if len(whole) <= limit else f"{shown}..."

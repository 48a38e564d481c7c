"""Names as people type them: in any case, and in part, where that is enough to tell whose they are."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


class NotMatched(Exception):
    """A name stands for nobody, or for several; the message lists who there is."""


def best_match(kind: str, text: str, candidates: Iterable[tuple[T, Sequence[str]]]) -> T:
    """The candidate that a text names: by a whole name, else by a word in it, else by its beginning.

    Args:
        kind: What the candidates are, in the singular.
        text: The text.
        candidates: Each with its names; the first one is shown.

    Raises:
        NotMatched: It names none, or several.
    """
    wanted = text.strip().casefold()
    known = [(each, [name.casefold() for name in names], names[0]) for each, names in candidates]
    found = (
        [entry for entry in known if wanted in entry[1]]
        or [entry for entry in known if wanted in _words(entry[1])]
        or [entry for entry in known if wanted and any(word.startswith(wanted) for word in _words(entry[1]))]
    )
    if len(found) == 1:
        return found[0][0]
    shown = ", ".join(name for _, _, name in (found or known)) or "none"
    if found:
        raise NotMatched(f"{text[:80]!r} may be {shown}. Give more of the name.")
    near = get_close_matches(wanted, [word for entry in known for word in _words(entry[1])], n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NotMatched(f"There is no {kind} {text[:80]!r}.{hint} There are: {shown}.")


def shortest_name(names: Sequence[Sequence[str]], index: int) -> str:
    """The shortest text by which ``best_match`` finds that candidate: a word, or else its second name."""
    first, *_ = names[index][0].split()
    others = [word for other, each in enumerate(names) if other != index for word in _words(each)]
    return first.casefold() if first.casefold() not in map(str.casefold, others) else names[index][1]


def _words(names: Iterable[str]) -> list[str]:
    """The words of names, and of addresses what stands before the ``@``."""
    return [word for name in names for word in (*name.split(), name.partition("@")[0])]

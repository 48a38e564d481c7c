"""Names in a directory: each stands for one thing, and messages list them."""

from collections.abc import Iterable, Iterator


def raise_problems(problems: Iterable[str]) -> None:
    """Raise the problems, if there are any.

    Raises:
        ValueError: There is a problem; the message has a line for each.
    """
    if message := "\n".join(problems):
        raise ValueError(message)


def duplicates(kind: str, names: Iterable[str]) -> Iterator[str]:
    """A sentence for each name that occurs more than once."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    yield from (
        f"The {kind} {name!r} is in the directory twice." for name, times in seen.items() if times > 1
    )


def comma_separated(names: Iterable[str]) -> str:
    """The names with commas between them; ``none`` when there are none."""
    return ", ".join(names) or "none"

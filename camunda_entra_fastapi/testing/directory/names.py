"""Each name in a directory stands for one thing."""

from collections.abc import Iterable, Iterator


def refuse(problems: Iterable[str]) -> None:
    """Refuse what has problems.

    Raises:
        ValueError: There is one; the message has a line for each.
    """
    if told := "\n".join(problems):
        raise ValueError(told)


def doubles(kind: str, names: Iterable[str]) -> Iterator[str]:
    """A sentence for each name that is there more than once."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    yield from (
        f"The {kind} {name!r} is in the directory twice." for name, times in seen.items() if times > 1
    )

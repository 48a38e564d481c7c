"""Writes all generated pages, and the outputs that others show: ``make reference``."""

from tests.docs.reference import FOLDER, PAGES, outputs, written


def write() -> None:
    """Write what has changed."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    for path in written():
        before = path.read_text(encoding="utf-8")
        if (after := outputs.filled(before)) != before:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    write()

"""The page of changes, of CHANGELOG.md."""

import re
from pathlib import Path
from typing import Final

from tests.docs.reference.markdown import generated

NAME: Final = "changelog.md"
ROOT: Final = Path(__file__).parents[3]


def page() -> str:
    """The page: the file, with links that lead from where the page is."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/reference/", "](", text)
    text = re.sub(r"\]\(docs/", "](../", text)
    # What is not part of the documentation is named only.
    text = re.sub(r"\[([^\]]+)\]\((?!https?:|\.\./|#|[\w-]+\.md)[^)]+\)", r"`\1`", text)
    text = re.sub(r"\[(ARCHITECTURE|SECURITY|README)\.md\]\([^)]*\)", r"`\1.md`", text)
    return generated(text, "CHANGELOG.md")

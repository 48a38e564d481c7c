"""Fills the blocks of the documentation that are files of the repository: ``python -m tests.docs.files``."""

from tests.docs.blocks.parsing import blocks_of, file_text, pages


def fill() -> None:
    """Write them anew, from the last one of a page to its first, so that lines stay where they are."""
    for page in pages():
        lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
        for block in reversed(blocks_of(page)):
            if block.marker.startswith("file: "):
                last = block.line + block.text.count("\n")
                lines[block.line : last] = file_text(block.marker).splitlines(keepends=True)
        text = "".join(lines)
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    fill()

"""A Dockerfile, read as Docker does as far as the tests need it: instructions of the last stage."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_CONTINUED: Final = re.compile(r"\\\n")
_SETTING: Final = re.compile(r"(\w+)=(\S+)")


@dataclass
class Stage:
    """One ``FROM`` and what follows it."""

    base: str
    environment: dict[str, str] = field(default_factory=dict)
    copied: list[str] = field(default_factory=list)
    """What it copies from the folder of the build."""
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def value(self, instruction: str) -> str:
        """The text behind the only instruction of that name."""
        (value,) = [text for name, text in self.instructions if name == instruction]
        return value

    def command(self, instruction: str) -> list[str]:
        """The program and its arguments; one in the form of a shell is an error."""
        text = self.value(instruction)
        words: list[str] = json.loads(text[text.index("[") :])
        return words


def stages(file: Path) -> list[Stage]:
    """The stages of a Dockerfile, in their order."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    found: list[Stage] = []
    for line in _CONTINUED.sub(" ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        instruction, _, text = line.partition(" ")
        if instruction == "FROM":
            found.append(Stage(text.split()[0]))
            continue
        stage = found[-1]
        stage.instructions.append((instruction, text.strip()))
        if instruction == "ENV":
            stage.environment |= dict(_SETTING.findall(text))
        if instruction in ("ADD", "COPY") and "--from=" not in text:
            stage.copied += text.split()[:-1]
    return found

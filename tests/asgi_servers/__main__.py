"""``make servers``: ask every server, print what is told, and compare it with what is kept."""

import sys

from camunda_entra_fastapi.testing import EntraEmulator
from tests.asgi_servers.checks import examine
from tests.asgi_servers.commands import COMMANDS, version_of
from tests.asgi_servers.kept import keep, kept


def main(arguments: list[str]) -> int:
    """Ask the servers whose names contain one of the words, or all of them; ``--keep`` writes it down."""
    words = [word for word in arguments if not word.startswith("--")]
    names = [name for name in COMMANDS if not words or any(word in name for word in words)]
    before = kept()
    changed = []
    emulator = EntraEmulator()
    with emulator.serve():
        for name in names:
            command = COMMANDS[name]
            told = {"version": version_of(command.package)} | examine(command, emulator)
            print(f"\n{name}", flush=True)
            for column, text in told.items():
                was = before.get(name, {}).get(column)
                print(f"  {column:22}{text}" + ("" if was == text else f"   CHANGED, was: {was}"), flush=True)
                if was != text:
                    changed.append(f"{name}: {column}")
            if "--keep" in arguments:
                keep(kept() | {name: told})
    if "--keep" in arguments:
        return 0
    if changed:
        print("\nNot as it is kept, and in docs/how-to/run/asgi-servers.md:", *changed, sep="\n  ")
        print("Look why; then: .venv/bin/python -m tests.asgi_servers --keep")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs the commands of ``console`` blocks, or checks those that need what is not here."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.blocks.parsing import ROOT, Command, blocks_of
from tests.ports import free_port
from tests.waiting import wait_for

_FOR_REAL: Final = frozenset({"camunda-entra", "curl", "openssl", "pytest", "python", "echo", "cat", "mkdir"})
"""Programs that are run."""
_SHAPE_ALONE: Final = frozenset(
    {
        ".",
        "az",
        "cd",
        "diff",
        "grep",
        "docker",
        "git",
        "helm",
        "kubectl",
        "npm",
        "python3",
        "redis-cli",
        "sha256sum",
        "source",
        "systemctl",
        "terraform",
        "uv",
    }
)
"""Programs that need what no test has: their command lines are read, and files that they name are there."""
_SERVERS: Final = frozenset({"uvicorn", "fastapi", "gunicorn", "hypercorn"})
_PLACEHOLDERS: Final = {
    "<tenant ID>": "c0de0000-1111-4222-8333-444455556666",
    "<client ID>": "8f0c0000-0000-4000-8000-000000000001",
    "<secret>": "a-secret-of-the-page",
}


class Console:
    """The terminal of one page: a folder, an environment, servers in the background."""

    def __init__(self, folder: Path, environment: dict[str, str], six: dict[str, str]) -> None:
        """Nothing runs yet.

        Args:
            folder: The page's folder.
            environment: Its variables; ``export`` changes them.
            six: The variables of the local Entra, for files that readers have and pages name.
        """
        self._six = six
        self.environment = environment
        self._folder = folder
        self._servers: list[subprocess.Popen[bytes]] = []
        self._ports: dict[str, str] = {}

    def run(self, command: Command, place: str) -> None:
        """Run a command as it is written, or check it."""
        text = command.text.strip().removesuffix("&").strip()
        for shown, value in _PLACEHOLDERS.items():
            text = text.replace(shown, value)
        words = shlex.split(text, comments=True)
        program = words[0]
        if program == "export" or (program == "set" and ".env" in text):
            self._set(words, place)
        elif program == "pip":
            _check_pip(words, place)
        elif program == "make":
            _check_make(words[1:], place)
        elif program == "open":
            self._open(self._local(words[1]), place)
        elif words[:2] == ["camunda-entra", "demo"]:
            _check_files(words, place)  # tests/cli runs it
        elif program in _SERVERS or words[:2] == ["camunda-entra", "emulator"]:
            self._serve(words, text, place)
        elif self._is_for_real(program, words):
            self._execute(text, command, place)
        else:
            assert program in _SHAPE_ALONE | _FOR_REAL, f"{place}: nothing here can run {program}"
            _check_files(words, place)

    def close(self) -> None:
        """End what runs in the background."""
        for server in self._servers:
            server.terminate()
        for server in self._servers:
            with suppress(subprocess.TimeoutExpired):
                server.wait(15)
            server.kill()
            server.wait()

    def _write_named(self, text: str) -> None:
        """Files of variables, which readers have by then, and which a page names."""
        for name in re.findall(r"--env-file[ =](\S+)", text):
            if not (self._folder / name).exists() and "emulator" not in text:
                lines = (f"{variable}={value}\n" for variable, value in self._six.items())
                (self._folder / name).write_text("".join(lines))

    @staticmethod
    def _is_for_real(program: str, words: list[str]) -> bool:
        """What speaks to another machine is read alone."""
        addresses = [urlsplit(word) for word in words if re.match(r"https?://", word)]
        if program == "curl":
            return all(address.hostname in ("localhost", "127.0.0.1") for address in addresses)
        return program in _FOR_REAL

    def _local(self, text: str) -> str:
        """The command with the ports that its servers have here."""
        return re.sub(
            r"(?<=localhost:|127\.0\.0\.1:)(\d+)", lambda port: self._ports.get(port[1], port[1]), text
        )

    def _set(self, words: list[str], place: str) -> None:
        if words[0] == "export":
            for name, _, value in (word.partition("=") for word in words[1:]):
                self.environment[name] = value
            return
        from dotenv import dotenv_values

        file = self._folder / next(word for word in words if word.endswith(("env", "env;"))).rstrip(";")
        assert file.is_file(), f"{place}: there is no {file.name}"
        self.environment.update({name: value or "" for name, value in dotenv_values(file).items()})

    def _open(self, address: str, place: str) -> None:
        person = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        answer = httpx.get(address, headers=person, follow_redirects=True, timeout=60)
        assert answer.status_code == 200, f"{place}: {answer.status_code} {answer.text}"

    def _serve(self, words: list[str], text: str, place: str) -> None:
        """Start it on a free port, which takes the place of the one that the page names."""
        self._write_named(text)
        if not (self._folder / "main.py").exists():  # the reader's own; README's example is one
            example = next(block for block in blocks_of(ROOT / "README.md") if block.language == "python")
            (self._folder / "main.py").write_text(example.text, encoding="utf-8")
        default = "8400" if words[1] == "emulator" else "8000"
        shown = words[words.index("--port") + 1] if "--port" in words else default
        text = re.sub(r"\s+--(port|reload|host)\b(\s+[0-9.]+)?", "", text)
        if words[0] == "fastapi":
            text = f"uvicorn {Path(words[2]).stem}:app"
        assert not re.match(r"(gunicorn|hypercorn)\b", text), f"{place}: {words[0]} is not here"
        port = self._ports[shown] = str(free_port())
        log = self._folder / f"server-{port}.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                ["bash", "-c", f"exec {self._local(text)} --port {port}"],
                cwd=self._folder, env=self._variables(), stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._servers.append(server)

        def listens() -> bool:
            assert server.poll() is None, f"{place}: {log.read_text()}"
            with suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                return True
            return False

        wait_for(listens, lambda: f"{place}: {log.read_text()}")

    def _execute(self, text: str, command: Command, place: str) -> None:
        self._write_named(text)
        if text.startswith("camunda-entra register") and "--emulator" not in text and "--print" not in text:
            text += " --print az"  # every option is read, and nobody is asked to sign in at Microsoft
        run = subprocess.run(
            ["bash", "-c", self._local(text)], check=False, cwd=self._folder, env=self._variables(),
            input=self._input(text), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        said = run.stdout + run.stderr
        # doctor and explain end with 1 where they found something.
        allowed = (0, 1) if re.search(r"\b(doctor|explain)\b", text) else (0,)
        assert run.returncode in allowed, f"{place}: {text}\n{said}"
        assert "Traceback" not in said, f"{place}: {said}"
        if command.output.strip():
            shown = {here: there for there, here in self._ports.items()}
            for here, there in shown.items():
                said = said.replace(f":{here}", f":{there}")
            pattern = ".*".join(re.escape(part) for part in command.output.strip().split("…"))
            assert re.search(pattern, said, re.DOTALL), f"{place}: expected {command.output}, got {said}"

    def _input(self, text: str) -> str:
        """A token for ``explain``, which reads one."""
        if not re.match(r"camunda-entra explain\b", text):
            return ""
        from camunda_entra_fastapi.testing import EntraEmulator

        return EntraEmulator().token()

    def _variables(self) -> dict[str, str]:
        programs = Path(sys.executable).parent
        return self.environment | {
            "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(self._folder), "NO_COLOR": "1",
            "COLUMNS": "100", "TERM": "dumb", "PYTHONPATH": str(ROOT), "TMPDIR": str(self._folder),
        }  # fmt: skip


def _check_pip(words: list[str], place: str) -> None:
    """Each requirement is one, and of this package each extra is there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for word in words[2:]:
        if word.startswith(("-", ".", "/")) or words[1] not in ("install", "uninstall"):
            continue
        requirement = Requirement(word)
        if canonicalize_name(requirement.name) == project["name"]:
            assert requirement.extras <= set(project["optional-dependencies"]), f"{place}: {word}"


def _check_make(words: list[str], place: str) -> None:
    """Each target is one of the Makefile's."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in words:
        assert "=" in word or re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE), (
            f"{place}: make {word}"
        )


def _check_files(words: list[str], place: str) -> None:
    """A file that is named with its folder in the repository is there."""
    for word in words[1:]:
        if word.startswith("samples/"):
            assert (ROOT / word).exists(), f"{place}: there is no {word}"

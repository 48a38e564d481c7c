"""What ``make system-packages`` installs where this is there and that is not; ``apt-get`` is a stand-in."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).with_name("system_packages.sh")
OTHERS: Final = ("chromium", "haproxy", "redis-server", "wrk")
UPDATE: Final = "update -qq"
INSTALL: Final = "install -y -qq --no-install-recommends"


@dataclass
class Machine:
    """A folder that is the whole PATH, and what the script did there."""

    folder: Path

    def has(self, command: str, script: str = "exit 1") -> None:
        """There is that command, which does what the script says."""
        path = self.folder / command
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def has_node(self, version: str) -> None:
        """There is a Node.js of that version."""
        self.has("node", f'[ "$1" = --version ] && echo {version}')

    def run(self) -> "subprocess.CompletedProcess[str]":
        """Run the script as make does."""
        return subprocess.run(
            ["/bin/sh", SCRIPT], env={"PATH": str(self.folder)}, capture_output=True, text=True, check=False
        )

    @property
    def asked(self) -> list[str]:
        """What ``apt-get`` was asked for."""
        asked = self.folder / "asked"
        return asked.read_text().splitlines() if asked.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """All is there, and we are root."""
    machine = Machine(tmp_path)
    for command in (*OTHERS, "npm"):
        machine.has(command)
    machine.has_node("v20.20.2")
    machine.has("id", '[ "$1" = -u ] && echo 0')
    machine.has("apt-get", f'echo "$*" >> {tmp_path}/asked')
    return machine


@pytest.mark.parametrize("version", ["v18.0.0", "v20.20.2", "v100.1.0", "v25.0.0-nightly20260101abcdef"])
def test_where_all_is_there_nothing_is_asked_for(machine: Machine, version: str) -> None:
    """Whoever made the packages, and whoever we are."""
    machine.has_node(version)
    machine.has("id", "echo 1000")
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr, machine.asked) == (0, "", "", [])


@pytest.mark.parametrize("command", OTHERS)
def test_only_what_is_missing_is_installed(machine: Machine, command: str) -> None:
    """One line says what and why, and no other package is named, which might conflict with what is there."""
    (machine.folder / command).unlink()
    done = machine.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"The tests need what is not here: {command}. Installing: {command}\n"
    assert machine.asked == [UPDATE, f"{INSTALL} {command}"]


def test_node_without_npm_gets_npm_alone(machine: Machine) -> None:
    """The Node.js that is there stays."""
    (machine.folder / "npm").unlink()
    assert machine.run().returncode == 0
    assert machine.asked == [UPDATE, f"{INSTALL} npm"]


def test_without_node_both_are_installed(machine: Machine) -> None:
    """And so is everything else on an empty machine."""
    for command in (*OTHERS, "node", "npm"):
        (machine.folder / command).unlink()
    node = machine.folder / "node"
    machine.has(
        "apt-get",
        f'echo "$*" >> {machine.folder}/asked\n'
        f"printf '#!/bin/sh\\necho v18.20.4\\n' > {node}\n"
        f"/bin/chmod +x {node}",
    )
    done = machine.run()
    assert (done.returncode, done.stderr) == (0, "")
    names = "chromium, haproxy, node, npm, redis-server, wrk"
    packages = "chromium haproxy nodejs npm redis-server wrk"
    assert done.stdout == f"The tests need what is not here: {names}. Installing: {packages}\n"
    assert machine.asked == [UPDATE, f"{INSTALL} {packages}"]


@pytest.mark.parametrize("version", ["v16.20.2", "v8.17.0", "v0.12.18"])
def test_a_node_that_is_too_old_is_told(machine: Machine, version: str) -> None:
    """In one line, before anything else is installed in vain."""
    machine.has_node(version)
    (machine.folder / "wrk").unlink()
    done = machine.run()
    assert (done.returncode, done.stdout, machine.asked) == (1, "", [])
    assert done.stderr == (
        f"The tests need Node.js 18 or newer; {machine.folder}/node is {version}. "
        "Put a newer one first in PATH.\n"
    )


def test_a_distribution_whose_node_is_too_old_is_told(machine: Machine) -> None:
    """What was just installed is looked at, too."""
    (machine.folder / "node").unlink()
    node = machine.folder / "node"
    machine.has("apt-get", f"printf '#!/bin/sh\\necho v12.22.12\\n' > {node}\n/bin/chmod +x {node}")
    done = machine.run()
    assert done.returncode == 1
    assert done.stderr.startswith(f"The tests need Node.js 18 or newer; {node} is v12.22.12.")


def test_who_is_not_root_is_told_what_to_run(machine: Machine) -> None:
    """One line with the missing packages alone, and nothing is tried."""
    for command in ("npm", "wrk"):
        (machine.folder / command).unlink()
    machine.has("id", "echo 1000")
    done = machine.run()
    assert (done.returncode, done.stdout, machine.asked) == (1, "", [])
    assert done.stderr == (
        "The tests need what is not here: npm, wrk. "
        "Run: sudo apt-get install --no-install-recommends npm wrk\n"
    )


def test_a_system_without_apt_is_told_what_is_missing(machine: Machine) -> None:
    """By command, for its packages may be called otherwise."""
    for command in ("node", "apt-get"):
        (machine.folder / command).unlink()
    done = machine.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "The tests need what is not here: node. "
        "Install it as your system does; Debian's packages are: nodejs\n"
    )


@pytest.mark.parametrize("step", ["update", "install"])
def test_a_failure_of_apt_is_a_failure(machine: Machine, step: str) -> None:
    """Its own words are shown."""
    (machine.folder / "haproxy").unlink()
    machine.has("apt-get", f'[ "$1" = {step} ] || exit 0\necho "E: no" >&2\nexit 100')
    done = machine.run()
    assert (done.returncode, done.stderr) == (100, "E: no\n")

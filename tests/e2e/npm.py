"""Microsoft's JavaScript clients from npm, in the versions that the lock file pins."""

import fcntl
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent / "javascript"
_LOCK_FILE = FOLDER / "package-lock.json"
_MODULES = FOLDER / "node_modules"
_INSTALLED = _MODULES / "installed-lock.json"


def install() -> Path:
    """Install what the lock file says, unless that was done; gives the folder of the packages.

    No package may run a script of its own while it is installed.

    Raises:
        subprocess.CalledProcessError: npm failed; its words are in the output of the test.
    """
    with _LOCK_FILE.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once would tear down each other's packages
        if not _is_current():
            subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=FOLDER, check=True, timeout=300)
            shutil.copyfile(_LOCK_FILE, _INSTALLED)
    return _MODULES


def _is_current() -> bool:
    return _INSTALLED.is_file() and _INSTALLED.read_bytes() == _LOCK_FILE.read_bytes()

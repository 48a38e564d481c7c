"""How the command line is called: by its name, or from where it is."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

NAME: Final = "camunda-entra"


def invocation() -> str:
    """The command as a shell in this folder finds it: by its name, or else by its path.

    After ``make demo`` it is in no shell's PATH.
    """
    here = Path(sys.executable).with_name(NAME)
    found = shutil.which(NAME)
    if not here.exists() or (found is not None and Path(found).samefile(here)):
        return NAME
    folder = Path.cwd()
    if not here.is_relative_to(folder):
        return shlex.quote(str(here))
    relative = str(here.relative_to(folder))
    return shlex.quote(relative if "/" in relative else f"./{relative}")

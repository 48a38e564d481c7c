"""Load from ``wrk``, with headers of several kinds in turn, and every answer counted."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.waiting import PATIENCE

_SCRIPT: Final = """
local threads, kinds, number, status = {}, %s, 0, {}
function setup(thread) threads[#threads + 1] = thread end
function request()
  number = number %% #kinds + 1
  return wrk.format("GET", nil, kinds[number])
end
function response(code)
  status[code] = (status[code] or 0) + 1
  told = ""
  for each, count in pairs(status) do told = told .. each .. ":" .. count .. " " end
end
function done(summary)
  local counts, errors = {}, summary.errors
  for _, thread in ipairs(threads) do
    for code, count in (thread:get("told") or ""):gmatch("(%%d+):(%%d+)") do
      counts[code] = (counts[code] or 0) + count
    end
  end
  local parts = {}
  for code, count in pairs(counts) do parts[#parts + 1] = string.format('"%%s": %%d', code, count) end
  io.write(string.format(
    '{"requests": %%d, "seconds": %%f, "unheard": %%d, "statuses": {%%s}}\\n',
    summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.timeout,
    table.concat(parts, ", ")))
end
"""


@dataclass(frozen=True)
class Load:
    """What was asked, and how it was answered."""

    requests: int
    seconds: float
    unheard: int
    """How often a connection was refused or broken off, or a request not answered."""
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def wrk(url: str, kinds: list[dict[str, str]], folder: Path, *, connections: int, seconds: int) -> Load:
    """Ask for as long, with those headers in turn."""
    tables = (
        "{" + ", ".join(f"[{json.dumps(n)}] = {json.dumps(v)}" for n, v in kind.items()) + "}"
        for kind in kinds
    )
    script = folder / "load.lua"
    script.write_text(_SCRIPT % ("{" + ", ".join(tables) + "}"))
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        f"{PATIENCE}s",
        "-s",
        str(script),
        url,
    ]
    output = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=seconds + PATIENCE
    ).stdout
    told: dict[str, Any] = json.loads(output.splitlines()[-1])
    told["statuses"] = {int(code): count for code, count in told["statuses"].items()}
    return Load(**told)

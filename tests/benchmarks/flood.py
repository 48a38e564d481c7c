"""A client with a good token while another sends ten thousand others, well-formed and signed by nobody.

Both have as many connections, and the service answers whoever is next. So of each pair of requests one is
the good client's, and it keeps the share of the processor that its request has of what both cost.
"""

import base64
import json
import secrets
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from camunda_entra_fastapi.testing import EntraEmulator
from tests.benchmarks.measurement import Goal, Row, row_of
from tests.benchmarks.over_http import bearer, entra
from tests.benchmarks.serving import Service, answers, load, service, wait_for

TOKENS: Final = 10_000
CONNECTIONS: Final = 8
AHEAD: Final = 1
"""Seconds that the flood begins earlier than what is measured in it, and ends later."""
MEGABYTE: Final = 1_000_000

_SENDS_THEM_ALL: Final = """
local lines, number = {}, 0
function init()
  for line in io.lines("FILE") do
    lines[#lines + 1] = wrk.format("GET", nil, {Authorization = "Bearer " .. line})
  end
end
function request()
  number = number % #lines + 1
  return lines[number]
end
"""


def flood(rounds: int, seconds: int) -> list[Row]:
    """The good client's throughput by what is fair, and the service's memory afterwards by before."""
    with entra() as emulator, TemporaryDirectory() as folder:
        script = Path(folder) / "flood.lua"
        tokens = Path(folder) / "tokens"
        script.write_text(_SENDS_THEM_ALL.replace("FILE", str(tokens)))
        tokens.write_text("\n".join(_forge(emulator, TOKENS)))
        token = bearer(emulator)
        with service("ours", emulator.environment()) as running:
            wait_for(running, token)
            good = ["-H", f"Authorization: {token['Authorization']}"]
            bad = ["-s", str(script)]
            _alone(running, good, 1)
            _alone(running, bad, 1, refused=True)
            before = running.resident_bytes()
            ratios, rates = [], []
            for _ in range(rounds):
                rate, cost = _alone(running, good, seconds)
                _, cost_of_refusal = _alone(running, bad, seconds, refused=True)
                others = load(_url(running), *_options(seconds + 2 * AHEAD), *bad)
                time.sleep(AHEAD)
                count, passed = answers(load(_url(running), *_options(seconds), *good))
                answers(others, refused=True)
                rates.append(count / passed)
                fair = cost / (cost + cost_of_refusal)
                ratios.append(count / passed / rate / fair)
            after = running.resident_bytes()
    figures = {"requests/s in the flood": median(rates), "what is fair, of those alone": fair}
    sizes = {"MB before": before / MEGABYTE, "MB after": after / MEGABYTE}
    return [
        row_of("a good client in the flood, by what is fair", figures, ratios, Goal(0.9, at_least=True)),
        Row("memory after it, by before", sizes, after / before, goal=Goal(1.05)),
    ]


def _alone(
    running: Service, options: list[str], seconds: int, *, refused: bool = False
) -> tuple[float, float]:
    """Requests a second, and processor seconds for each, while nobody else asks."""
    before = running.processor_seconds()
    count, passed = answers(load(_url(running), *_options(seconds), *options), refused=refused)
    return count / passed, (running.processor_seconds() - before) / count


def _options(seconds: int) -> list[str]:
    return ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]


def _url(running: Service) -> str:
    return f"{running.address}/incidents"


def _forge(emulator: EntraEmulator, count: int) -> list[str]:
    """Each with claims of its own, and a signature that is as long as a real one."""
    header, payload, signature = emulator.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return [
        ".".join(
            (header, _base64url(json.dumps(claims | {"uti": secrets.token_urlsafe(16)}).encode()), noise)
        )
        for noise in (
            _base64url(b"\x00" + secrets.token_bytes(len(signature) * 3 // 4 - 1)) for _ in range(count)
        )
    ]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

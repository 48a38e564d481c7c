"""How many times more requests nginx answers, by refusing them, than the service beside it can judge."""

import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from starlette.responses import Response

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving import serving
from tests.e2e.gateways import RECIPES, Addresses, nginx, running
from tests.e2e.wrk import wrk
from tests.ports import free_port

CONNECTIONS: Final = 600
UNLIMITED: Final = "rate=1000000r/s"
NO_MEMORY: Final = {"CAMUNDA_ENTRA_TOKEN_CACHE_SIZE": "0"}
"""Every request costs the service a verification."""


def refused_by_served(rounds: int, seconds: int) -> float:
    """Requests answered a second with a limit of half of what can be served, by requests served without one.

    Both gateways stand side by side before the same service, and each works once in a round.
    """
    emulator = EntraEmulator(token_lifetime=24 * 3600)
    with ExitStack() as stack:
        stack.enter_context(emulator.serve())
        free, limited, beside = (
            Path(stack.enter_context(TemporaryDirectory(prefix="gateway-flood-"))) for _ in range(3)
        )
        asked, open_port, port = free_port(), free_port(), free_port()
        command = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(asked), "--no-access-log"]
        environment = emulator.environment() | NO_MEMORY
        stack.enter_context(running(command, beside, asked, environment, RECIPES))
        verifier = f"http://127.0.0.1:{asked}"
        behind = stack.enter_context(serving(Response()))
        kinds = [{"Authorization": f"Bearer {emulator.token()}"}]

        def measure(port: int, folder: Path, connections: int) -> float:
            url = f"http://127.0.0.1:{port}/"
            return wrk(url, kinds, folder, connections=connections, seconds=seconds).rate

        stack.enter_context(nginx(Addresses(open_port, verifier, behind), free, UNLIMITED))
        limit = measure(open_port, free, 16) / 2
        stack.enter_context(nginx(Addresses(port, verifier, behind), limited, f"rate={limit:.0f}r/s"))
        return median(
            measure(port, limited, CONNECTIONS) / measure(open_port, free, 16) for _ in range(rounds)
        )

"""The program that ``instructions`` runs under callgrind: each contender's work between two marks."""

import asyncio
import gc
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repository, as for the tests

from tests.benchmarks.material import mint
from tests.benchmarks.ours import ours
from tests.benchmarks.peers import floor
from tests.benchmarks.whole_requests import whole_requests

BATCH: Final = 100
RUN_IN: Final = 60
"""Enough for the interpreter to have specialised what it runs."""

MARK: Final = "sys_getswitchinterval"
"""What nobody else calls meanwhile, as CPython's own symbols name it. Callgrind notes its count at each."""


async def main() -> None:
    """Work, and name who worked, in order."""
    material = mint(2 * (BATCH + RUN_IN))
    async with AsyncExitStack() as stack:
        requests = await whole_requests(stack, stores=["cookie"])
        contenders = [floor(material), *await ours(material), *requests]
        for contender in contenders:
            await (await contender.prepare(RUN_IN))()
            work = await contender.prepare(BATCH)
            gc.collect()
            gc.disable()
            sys.getswitchinterval()
            await work()
            sys.getswitchinterval()
            gc.enable()
        print(json.dumps([contender.name for contender in contenders]), flush=True)
        os._exit(0)  # the last mark was the last call; whoever tidies up may make more


if __name__ == "__main__":
    asyncio.run(main())

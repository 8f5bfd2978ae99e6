"""A worker with a disk of its own whose forge fails at random, till SIGTERM:
`python chaos_worker.py DATA SERVER PROBABILITY`.

Git goes to SERVER; what the worker asks the forge beside that fails before it is done, or when
all is done and only the answer is lost; or it takes its time.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from journeyman import app, config
from journeyman.forge import ForgeError
from journeyman.forge.embedded.distant import DistantForge
from journeyman.service.records import StoredRecords

STALL_SECONDS = 3.0
Call = Callable[..., Awaitable[Any]]


def flaky(call: Call) -> Any:
    @wraps(call)
    async def failing(self: FlakyForge, *arguments: Any) -> Any:
        if random.random() >= self.probability:
            return await call(self, *arguments)
        match random.choice(("before", "after", "stall")):
            case "before":
                raise ForgeError("The forge answers 503.")
            case "after":
                await call(self, *arguments)
                raise ForgeError("The connection was reset.")
            case _:
                await asyncio.sleep(STALL_SECONDS)
                return await call(self, *arguments)

    return failing


class FlakyForge(DistantForge):
    """Fails as one behind a network does."""

    probability = 0.0
    find_pull = flaky(DistantForge.find_pull)
    open_pull = flaky(DistantForge.open_pull)
    update_pull = flaky(DistantForge.update_pull)


async def main(data: str, server: str, probability: float) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    settings = config.load(flags={"data": data})
    async with app.parts(settings, server_url=server) as parts:
        records = StoredRecords(parts.database)
        forge = FlakyForge(records, Path(data) / "repositories", server)
        forge.probability = probability
        async with app.working(replace(parts, forge=forge), settings.public_url):
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))

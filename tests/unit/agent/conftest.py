"""Sessions for the tests of the loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.unit.agent.sessions import Bench, Served


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
async def served(bench: Bench) -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        yield Served(bench, stack)

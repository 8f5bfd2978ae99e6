"""A repository with a webhook, a receiver on a socket, and deliverers that the test starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest

from journeyman.domain.hooks import ContentType, Delivery, Hook, HookConfig
from journeyman.sandbox.firewall import addresses, dial
from journeyman.service.clock import utc_now
from journeyman.service.deliveries import Deliveries
from journeyman.service.vault import Vault
from journeyman.webhooks.sender import HttpSender
from journeyman.worker.deliverer import Deliverer
from tests.conftest import Clock, World
from tests.peers.receiver import Receiver, receiving

LOCAL = addresses.ranges(["127.0.0.0/8"])
SECRET = "It's a Secret to Everybody"


@dataclass
class Site:
    world: World
    receiver: Receiver
    clock: Clock

    @property
    def deliveries(self) -> Deliveries:
        """As another process would have it."""
        parts = self.world.parts
        vault = Vault(parts.config.data / "secrets.key")
        return Deliveries(parts.database, vault, clock=self.clock)

    async def hook(
        self,
        *events: str,
        url: str | None = None,
        content_type: ContentType = ContentType.JSON,
        secret: str | None = SECRET,
    ) -> Hook:
        config = HookConfig(url or self.receiver.url, content_type, secret=secret)
        hooks = self.world.parts.services.hooks
        return await hooks.create(await self.world.access("alice"), config, events or ("*",))

    async def log(self, hook: Hook) -> Sequence[Delivery]:
        """Newest first."""
        hooks = self.world.parts.services.hooks
        access = await self.world.access("alice")
        return (await hooks.list_deliveries(access, hook.id, per_page=100))[0]

    async def deliver(self, *, rounds: int = 50, timeout_seconds: float = 10.0) -> int:
        """All that is due, one after another, as a worker would. How many attempts."""
        sender, made = self.sender(timeout_seconds), 0
        for _ in range(rounds):
            claimed = await self.deliveries.claim(16)
            if not claimed:
                return made
            for one in claimed:
                request = self.deliveries.request(one)
                await self.deliveries.settle(one, await sender.send(request), request)
                made += 1
        raise AssertionError("there is no end to what is due")

    def sender(self, timeout_seconds: float = 10.0) -> HttpSender:
        refusal = partial(addresses.refusal, allowed=LOCAL)
        return HttpSender(dial.Resolver(), refusal, timeout_seconds=timeout_seconds)

    @asynccontextmanager
    async def working(self, count: int = 1, timeout_seconds: float = 10.0) -> AsyncIterator[None]:
        """So many workers' deliverers at once."""
        tasks = [
            asyncio.create_task(Deliverer(self.deliveries, self.sender(timeout_seconds)).run())
            for _ in range(count)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def site(world: World, clock: Clock) -> AsyncIterator[Site]:
    """The deliverers' time is ahead of the world's own, so that what is told is due at once."""
    clock.now = utc_now() + timedelta(hours=1)
    async with receiving() as receiver:
        yield Site(world, receiver, clock)

"""Carries what webhooks are told: claims what is due, posts it, writes down what came back."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import structlog

from journeyman.domain.errors import AppError, DatabaseLost
from journeyman.domain.hooks import Response
from journeyman.service.deliveries import PER_HOOK, Claimed, Deliveries
from journeyman.telemetry import metrics
from journeyman.webhooks import Sender

log = structlog.get_logger()

AT_ONCE = 16
EVERY_SECONDS = 0.5
"""How often it looks for what has become due."""


class Deliverer:
    def __init__(self, deliveries: Deliveries, sender: Sender) -> None:
        self._deliveries = deliveries
        self._sender = sender
        self._posting: dict[asyncio.Task[None], int] = {}
        self._freed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. What is being posted then is posted again by another, once its claim
        runs out: nobody knows whether it arrived."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_SECONDS):
                        await self._freed.wait()
                self._freed.clear()
                await self._begin()
        finally:
            for posting in self._posting:
                posting.cancel()
            await asyncio.gather(*self._posting, return_exceptions=True)

    async def _begin(self) -> None:
        room = AT_ONCE - len(self._posting)
        counts = Counter(self._posting.values())
        busy = {hook_id for hook_id, count in counts.items() if count >= PER_HOOK}
        if not room:
            return
        try:
            claimed = await self._deliveries.claim(room, busy=busy)
        except DatabaseLost as error:
            log.warning("hooks.interrupted", error=str(error))
            return
        except Exception:  # noqa: BLE001 - a bug must not end all deliveries to come
            metrics.BACKGROUND_FAILURES.labels("webhooks").inc()
            log.exception("hooks.failed")
            return
        for one in claimed:
            posting = asyncio.create_task(self._post(one))
            self._posting[posting] = one.hook_id
            posting.add_done_callback(self._done)

    def _done(self, posting: asyncio.Task[None]) -> None:
        del self._posting[posting]
        self._freed.set()
        if not posting.cancelled() and (error := posting.exception()) is not None:
            log.error("hooks.failed", exc_info=error)

    async def _post(self, claimed: Claimed) -> None:
        try:
            request = self._deliveries.request(claimed)
        except AppError as error:
            # Its secret cannot be read: that is for the log of its deliveries.
            await self._deliveries.settle(claimed, Response(None, f"not sent: {error.message}"))
            return
        response = await self._sender.send(request)
        outcome = "ok" if response.is_success else "failed"
        metrics.WEBHOOK.labels(outcome).observe(response.seconds)
        try:
            await self._deliveries.settle(claimed, response, request)
        except DatabaseLost as error:
            log.warning("hooks.unsettled", guid=claimed.notice.guid, error=str(error))

"""What waits to be told to receivers: claimed, signed, attempted by a worker, and settled.

At least once: what a process that died had claimed is attempted again when its claim runs out. In
order within a task, as far as a receiver takes what it is sent: what it refuses (a status of 400 to
499) is tried again too, but holds nothing up.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode

from sqlalchemy import Connection

from journeyman import __version__
from journeyman.domain.hooks import ContentType, Request, Response
from journeyman.service.clock import Clock, utc_now
from journeyman.service.vault import Vault
from journeyman.store import deliveries, hooks
from journeyman.store.database import Database
from journeyman.store.deliveries import Notice

PER_HOOK = 4
"""Attempts at once to one receiver, of one process."""
CLAIM = timedelta(minutes=1)
"""Longer than an attempt can take."""
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
MEDIA_TYPES = {
    ContentType.JSON: "application/json",
    ContentType.FORM: "application/x-www-form-urlencoded",
}


@dataclass(frozen=True)
class Claimed:
    """An attempt to be made now, by nobody else."""

    hook_id: int
    notice: Notice = field(repr=False)


class Deliveries:
    def __init__(self, database: Database, vault: Vault, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    async def claim(self, most: int, *, busy: Collection[int] = ()) -> list[Claimed]:
        """Up to *most* that are due, a few of each hook, and none of a *busy* one."""
        now = self._clock()
        found = await self._database.read(
            lambda tx: deliveries.due(tx, now, most * PER_HOOK, sorted(busy))
        )
        wanted = _fairly(found)[:most]
        if not wanted:
            return []

        def claim(tx: Connection) -> list[Notice]:
            claimed = (deliveries.claim(tx, id_, now, now + CLAIM) for id_ in wanted)
            return [notice for notice in claimed if notice is not None]

        return [Claimed(notice.hook_id, notice) for notice in await self._database.write(claim)]

    def request(self, claimed: Claimed) -> Request:
        """What to send, signed now: with the secret that the hook has now. UNAVAILABLE when that
        cannot be read."""
        notice = claimed.notice
        body = notice.payload
        if notice.content_type is ContentType.FORM:
            body = urlencode({"payload": body}).encode()
        headers = _headers(notice)
        if notice.secret is not None:
            key = self._vault.decrypt(notice.secret)
            headers["X-Hub-Signature-256"] = f"sha256={sign(key, body)}"
        return Request(notice.url, headers, body, verify=not notice.insecure_ssl)

    async def settle(
        self, claimed: Claimed, response: Response, request: Request | None = None
    ) -> None:
        """Write the attempt into the log; what failed is due again after a while, for a day."""
        now, notice = self._clock(), claimed.notice
        again = None if response.is_success else now + wait(notice.attempts)
        if again is not None and again > notice.give_up_at:
            again = None

        def settle(tx: Connection) -> None:
            holds = not response.is_refusal
            if deliveries.settle(tx, notice, next_attempt_at=again, holds=holds):
                headers = {} if request is None else request.headers
                deliveries.add_delivery(tx, notice, headers, response, now)
                hooks.note_response(tx, notice.hook_id, response.code, response.status)

        await self._database.write(settle)


def _headers(notice: Notice) -> dict[str, str]:
    """GitHub's, which its receivers' libraries read, and two of ours that tell the sender."""
    return {
        "Accept": "*/*",
        "Content-Type": MEDIA_TYPES[notice.content_type],
        "User-Agent": f"Journeyman-Hookshot/{__version__}",
        "X-GitHub-Delivery": notice.guid,
        "X-GitHub-Event": notice.event.value,
        "X-GitHub-Hook-ID": str(notice.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(notice.repository_id),
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Journeyman-Delivery": notice.guid,
        "X-Journeyman-Event": notice.event.value,
    }


def _fairly(found: Iterable[tuple[int, int]]) -> list[int]:
    """No more than PER_HOOK notices of one hook: a slow receiver must not take every place."""
    taken: Counter[int] = Counter()
    chosen = []
    for notice_id, hook_id in found:
        taken[hook_id] += 1
        if taken[hook_id] <= PER_HOOK:
            chosen.append(notice_id)
    return chosen


def sign(key: bytes, body: bytes) -> str:
    """As GitHub does, in hexadecimal."""
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def wait(attempts: int) -> timedelta:
    """How long to wait after a failed attempt, before which there were *attempts*."""
    return min(FIRST_WAIT * (1 << min(attempts, 12)), LONGEST_WAIT)

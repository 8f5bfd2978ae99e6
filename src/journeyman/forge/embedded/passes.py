"""Passes: what a worker on another machine shows to reach one repository over HTTP.

A pass says for whom, where, what and until when, and is signed with a key that all processes of
the service share; nothing is stored. Its prefix is that of an installation token, so the API
refuses it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PREFIX = "ghs_pass."
_SHAPE = re.compile(
    r"ghs_pass\.(?P<account>\d{1,18})\.(?P<repository>\d{1,18})\.(?P<level>read|write)"
    r"\.(?P<until>\d{1,12})\.(?P<seal>[0-9a-f]{64})",
    re.ASCII,
)


@dataclass(frozen=True)
class Pass:
    account_id: int
    repository_id: int
    writable: bool
    expires_at: datetime

    @property
    def level(self) -> str:
        return "write" if self.writable else "read"


def sign(key: bytes, given: Pass) -> str:
    until = int(given.expires_at.timestamp())
    said = f"{PREFIX}{given.account_id}.{given.repository_id}.{given.level}.{until}"
    return f"{said}.{_seal(key, said)}"


def verify(key: bytes, text: str, now: datetime) -> Pass | None:
    """None for what this service has not signed, or what has expired."""
    found = _SHAPE.fullmatch(text)
    if found is None or not hmac.compare_digest(
        found["seal"], _seal(key, text[: found.start("seal") - 1])
    ):
        return None
    until = datetime.fromtimestamp(int(found["until"]), UTC)
    writable = found["level"] == "write"
    given = Pass(int(found["account"]), int(found["repository"]), writable, until)
    return given if until > now else None


class Issued:
    """Passes of one process, each used until half its time is over."""

    def __init__(self, life: timedelta, clock: Callable[[], datetime]) -> None:
        self._life = life
        self._clock = clock
        self._known: dict[tuple[int, int, bool], tuple[str, datetime]] = {}

    def for_(self, key: bytes, account_id: int, repository_id: int, *, writable: bool) -> str:
        now, whose = self._clock(), (account_id, repository_id, writable)
        text, renew_at = self._known.get(whose, ("", now))
        if renew_at <= now:
            self._known = {who: one for who, one in self._known.items() if one[1] > now}
            text = sign(key, Pass(account_id, repository_id, writable, now + self._life))
            self._known[whose] = text, now + self._life / 2
        return text


def _seal(key: bytes, said: str) -> str:
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()

"""`/hooks/forge`: where a forge tells what has happened there.

What is signed with the configured secret is kept, and answered at once; the rest comes later.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import body, happenings, responses
from journeyman.api.errors import Refusal
from journeyman.domain.errors import Code
from journeyman.service.clock import Clock, utc_now
from journeyman.service.triggers import Triggers

log = structlog.get_logger()

EVENT_HEADERS = ("x-github-event", "x-gitea-event", "x-forgejo-event")
PLAIN_SIGNATURES = ("x-gitea-signature", "x-forgejo-signature")
"""Beside GitHub's `X-Hub-Signature-256: sha256=…`: hexadecimal digits alone."""


class ForgeHook:
    def __init__(self, triggers: Triggers, secret: str, *, clock: Clock = utc_now) -> None:
        self._triggers = triggers
        self._secret = secret.encode()
        self._clock = clock

    async def receive(self, request: Request) -> Response:
        """202 also where nothing follows: the sender can do nothing about that."""
        if "x-hub-signature-256" not in request.headers and not _plain_signature(request):
            raise Refusal(Code.UNAUTHENTICATED, "Give the webhook a secret: it is not signed.")
        content = await body.read_bytes(request)
        if not self._is_signed(request, content):
            raise Refusal(Code.FORBIDDEN, "The signature does not match triggers.secret.")
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refusal(Code.BAD_REQUEST, "Set the webhook's content type to application/json.")
        name = next((request.headers[one] for one in EVENT_HEADERS if one in request.headers), "")
        try:
            told = happenings.read(name, content, self._clock())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.warning("forge_hook.unreadable", github_event=name[:50], error=str(error)[:200])
            raise Refusal(Code.BAD_REQUEST, "Problems parsing JSON") from None
        kept = await self._triggers.take(told)
        log.debug("forge_hook.received", github_event=name[:50], kept=kept)
        return responses.as_json({"kept": kept}, 202)

    def _is_signed(self, request: Request, content: bytes) -> bool:
        expected = hmac.new(self._secret, content, hashlib.sha256).hexdigest()
        given = request.headers.get("x-hub-signature-256", "").removeprefix("sha256=")
        given = given or _plain_signature(request)
        return hmac.compare_digest(expected.encode(), given.encode())


def _plain_signature(request: Request) -> str:
    return next((request.headers[one] for one in PLAIN_SIGNATURES if one in request.headers), "")

"""What a webhook's receiver is sent: GitHub's form, with tasks and sessions as the API shows them.

Knows nothing of receivers.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from journeyman.api import accounts, hooks, repositories, root, wire
from journeyman.api.exchange import Addresses
from journeyman.domain.hooks import Occasion
from journeyman.domain.repositories import Permission
from journeyman.forge import Access


class Payloads:
    """*public_url*: what addresses in payloads start with."""

    def __init__(self, public_url: str) -> None:
        self._addresses = Addresses(api=public_url, web=public_url)

    def write(self, occasion: Occasion) -> bytes:
        """As ASCII: what a session says may hold what is no UTF-8."""
        made = msgspec.to_builtins(self._payload(occasion))
        return json.dumps(made, separators=(",", ":")).encode()

    def _payload(self, occasion: Occasion) -> dict[str, Any]:
        repository, addresses = occasion.repository, self._addresses
        made: dict[str, Any] = {}
        if occasion.action is not None:
            made["action"] = occasion.action
        if occasion.hook is not None:
            made["zen"] = root.ZEN
            made["hook_id"] = occasion.hook.id
            made["hook"] = hooks.as_hook(occasion.hook, repository, addresses)
        if occasion.task is not None:
            made["task"] = wire.task(occasion.task, addresses)
        if occasion.session is not None:
            made["session"] = wire.session(occasion.session, repository)
        if occasion.artifact is not None:
            made["artifact"] = wire.artifact(occasion.artifact, repository)
        full = repositories.full_repository(Access(repository, Permission.NONE), addresses)
        del full["permissions"]
        made["repository"] = full
        if "organization" in full:
            made["organization"] = full.pop("organization")
        made["sender"] = accounts.simple_user(occasion.sender, addresses)
        return made

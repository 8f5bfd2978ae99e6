"""The agent's configuration of a repository: read by the runner, set by its administrators."""

from __future__ import annotations

import re
from dataclasses import asdict

from sqlalchemy import Connection

from journeyman.agent.customisation import servers
from journeyman.domain.audit import Action
from journeyman.domain.configuration import AgentConfiguration, EnabledTools
from journeyman.domain.errors import AppError, Code, invalid
from journeyman.domain.repositories import Permission, Repository
from journeyman.forge import Access
from journeyman.service import audit
from journeyman.service.clock import Clock, utc_now
from journeyman.store import configurations
from journeyman.store.database import Database

ENTRY = re.compile(r"(https?://)?[A-Za-z0-9*]([A-Za-z0-9.*-]*[A-Za-z0-9])?(:\d{1,5})?(/\S*)?")
MOST_ENTRIES = 500
LONGEST_ENTRY = 2_000


class Configurations:
    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def get(self, access: Access) -> AgentConfiguration:
        """FORBIDDEN for who may not write: it can name what secrets there are."""
        _require(access, Permission.WRITE, "see")
        return await self.of_repository(access.repository)

    async def put(self, access: Access, new: AgentConfiguration) -> None:
        _require(access, Permission.ADMIN, "set")
        _check_allowlist(new.custom_allowlist)
        if faults := servers.of_settings(new.mcp_configuration).faults:
            raise invalid("mcp_configuration", f"{'; '.join(faults)}.", "invalid")
        now, data = self._clock(), asdict(new)

        def put(tx: Connection) -> None:
            configurations.put(tx, access.repository.id, data, now)
            action = Action.CONFIGURATION_UPDATE
            audit.record(tx, action, now, repository_id=access.repository.id)

        await self._database.write(put)

    async def of_repository(self, repository: Repository) -> AgentConfiguration:
        data = await self._database.read(lambda tx: configurations.find(tx, repository.id))
        if data is None:
            return AgentConfiguration()
        tools = EnabledTools(**data.pop("enabled_tools"))
        entries = tuple(data.pop("custom_allowlist"))
        return AgentConfiguration(enabled_tools=tools, custom_allowlist=entries, **data)


def _require(access: Access, needed: Permission, verb: str) -> None:
    if access.permission < needed:
        raise AppError(
            Code.FORBIDDEN,
            f"You need {needed.name.lower()} access to {access.repository.full_name} "
            f"to {verb} how the agent works on it.",
        )


def _check_allowlist(entries: tuple[str, ...]) -> None:
    if len(entries) > MOST_ENTRIES:
        message = f"custom_allowlist has {len(entries)} entries; the most is {MOST_ENTRIES}."
        raise invalid("custom_allowlist", message, "invalid")
    for entry in entries:
        if len(entry) > LONGEST_ENTRY or not ENTRY.fullmatch(entry):
            message = f"{entry[:100]!r} is not a host or an address, such as example.com."
            raise invalid("custom_allowlist", message, "invalid")

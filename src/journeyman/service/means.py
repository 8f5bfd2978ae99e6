"""What triggers are handled and answered with: one per process."""

from __future__ import annotations

from dataclasses import dataclass

from journeyman.domain.triggers import Rules
from journeyman.forge import Forge
from journeyman.service import Services
from journeyman.service.clock import Clock, utc_now
from journeyman.service.identity import Identity
from journeyman.service.machine import Machine
from journeyman.service.sessions import Sessions
from journeyman.service.tasks import Tasks
from journeyman.service.triggers import Triggers
from journeyman.store.database import Database


@dataclass(frozen=True)
class Means:
    database: Database
    forge: Forge
    identity: Identity
    machine: Machine
    tasks: Tasks
    sessions: Sessions
    triggers: Triggers
    rules: Rules
    public_url: str
    """What addresses told to others start with."""
    clock: Clock = utc_now

    @classmethod
    def of(
        cls,
        services: Services,
        database: Database,
        forge: Forge,
        token: str,
        rules: Rules,
        public_url: str,
    ) -> Means:
        """*token*: of Journeyman's own user."""
        return cls(
            database=database,
            forge=forge,
            identity=services.identity,
            machine=Machine(forge, services.identity, token),
            tasks=services.tasks,
            sessions=services.sessions,
            triggers=services.triggers,
            rules=rules,
            public_url=public_url,
        )

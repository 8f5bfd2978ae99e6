"""The prompts that are kept for a repository, by those who may work on it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code
from journeyman.domain.templates import MOST, NewTemplate, Template
from journeyman.forge import Access
from journeyman.service import audit
from journeyman.service.clock import Clock, utc_now
from journeyman.service.identity import require_write
from journeyman.store import templates
from journeyman.store.database import Database


class Templates:
    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def list(self, access: Access) -> Sequence[Template]:
        repository_id = access.repository.id
        return await self._database.read(lambda tx: templates.list_templates(tx, repository_id))

    async def save(self, access: Access, new: NewTemplate) -> None:
        """In place of the one with that name, if there is one; CONFLICT when there are MOST."""
        require_write(access)
        repository_id = access.repository.id

        def save(tx: Connection) -> None:
            names = {one.name for one in templates.list_templates(tx, repository_id)}
            if len(names) >= MOST and new.name not in names:
                message = f"{access.repository.full_name} has {MOST} templates; delete one first."
                raise AppError(Code.CONFLICT, message)
            now = self._clock()
            templates.save_template(tx, repository_id, new, now)
            known = new.name in names
            action = Action.TEMPLATE_UPDATE if known else Action.TEMPLATE_CREATE
            audit.record(tx, action, now, repository_id=repository_id, data={"name": new.name})

        await self._database.write(save)

    async def delete(self, access: Access, template_id: int) -> None:
        """One that is gone already is no error."""
        require_write(access)
        repository_id = access.repository.id

        def delete(tx: Connection) -> None:
            listed = templates.list_templates(tx, repository_id)
            known = next((one for one in listed if one.id == template_id), None)
            if known is None:
                return
            templates.delete_template(tx, repository_id, template_id)
            action, data = Action.TEMPLATE_REMOVE, {"name": known.name}
            audit.record(tx, action, self._clock(), repository_id=repository_id, data=data)

        await self._database.write(delete)

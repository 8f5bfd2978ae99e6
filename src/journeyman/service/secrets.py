"""Secrets and variables of the agent: kept encrypted, given to the agent, never read out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, FieldError, invalid, not_found
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Account, AccountType, Permission, Repository
from journeyman.domain.secrets import (
    MCP_PREFIX,
    Kind,
    Place,
    Sharing,
    Value,
    Visibility,
    checked_name,
    checked_value,
)
from journeyman.forge import Access
from journeyman.service import audit
from journeyman.service.clock import Clock, utc_now
from journeyman.service.vault import PublicKey, Vault
from journeyman.store import accounts, secrets
from journeyman.store.database import Database

MOST = 500
"""Secrets, or variables, of one repository or organization."""
LARGEST_ID = 2**63 - 1
CREATED = {Kind.SECRET: Action.SECRET_CREATE, Kind.VARIABLE: Action.VARIABLE_CREATE}
UPDATED = {Kind.SECRET: Action.SECRET_UPDATE, Kind.VARIABLE: Action.VARIABLE_UPDATE}
REMOVED = {Kind.SECRET: Action.SECRET_REMOVE, Kind.VARIABLE: Action.VARIABLE_REMOVE}


class Secrets:
    def __init__(self, database: Database, vault: Vault, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def place(self, access: Access, kind: Kind) -> Place:
        """FORBIDDEN for who may not write: who steers the agent can read its environment."""
        if access.permission < Permission.WRITE:
            raise AppError(
                Code.FORBIDDEN,
                f"You need write access to {access.repository.full_name} for its {kind}s.",
            )
        return Place(kind, repository_id=access.repository.id)

    async def place_of_organization(self, principal: Principal, login: str, kind: Kind) -> Place:
        """For site administrators; NOT_FOUND for a user's name."""
        found = await self._database.read(lambda tx: accounts.find_account(tx, login))
        if found is None or found.type is not AccountType.ORGANIZATION:
            raise not_found(f"There is no organization {login[:100]!r}.")
        narrow = principal.repository_ids is not None or (
            principal.scopes is not None and not {"admin:org", "repo"} & set(principal.scopes)
        )
        if not principal.account.site_admin or narrow:
            raise AppError(
                Code.FORBIDDEN, f"Only a site administrator may see {kind}s of an organization."
            )
        return Place(kind, organization_id=found.id)

    async def organizations(self, principal: Principal) -> Sequence[Account]:
        """Those whose secrets *principal* may set: for others than site administrators none."""
        if not principal.account.site_admin:
            return ()
        return await self._database.read(accounts.list_organizations)

    async def list_owned(self, place: Place) -> Sequence[Repository]:
        """The repositories that what an organization has can be shared with."""
        organization_id = place.organization_id
        assert organization_id is not None
        return await self._database.read(lambda tx: secrets.list_owned(tx, organization_id))

    def public_key(self) -> PublicKey:
        return self._vault.public_key

    async def list_values(
        self, place: Place, page: int, per_page: int
    ) -> tuple[Sequence[Value], int]:
        return await self._database.read(lambda tx: secrets.list_at(tx, place, page, per_page))

    async def list_shared(
        self, access: Access, kind: Kind, page: int, per_page: int
    ) -> tuple[Sequence[Value], int]:
        """What the repository's organization shares with it."""
        self.place(access, kind)
        return await self._database.read(
            lambda tx: secrets.list_shared(tx, access.repository, kind, page, per_page)
        )

    async def get(self, place: Place, name: str) -> Value:
        return await self._database.read(lambda tx: _get(tx, place, name))

    def reveal(self, variable: Value) -> str:
        """A variable's value; a secret's is never given out."""
        assert variable.kind is Kind.VARIABLE
        return self._vault.decrypt(variable.sealed).decode()

    async def put_secret(
        self, place: Place, name: str, sealed: str, key_id: str, sharing: Sharing
    ) -> bool:
        """True when it is new."""
        return await self._keep(place, name, self._vault.open_sealed(sealed, key_id), sharing)

    async def put_plain(self, place: Place, name: str, value: str, sharing: Sharing) -> bool:
        """As `put_secret`, for what came over a page of this server."""
        return await self._keep(place, name, value.encode("utf-8", "surrogatepass"), sharing)

    async def _keep(self, place: Place, name: str, value: bytes, sharing: Sharing) -> bool:
        name = checked_name(name)
        stored = self._vault.encrypt(checked_value(value))

        def put(tx: Connection) -> bool:
            known = secrets.find(tx, place, name)
            if known is None:
                self._add(tx, place, name, stored, sharing)
            else:
                self._change(tx, place, known, {"value": stored}, sharing)
            return known is None

        return await self._database.write(put)

    async def add_variable(self, place: Place, name: str, value: str, sharing: Sharing) -> None:
        name, stored = checked_name(name), self._vault.encrypt(_checked(value))

        def add(tx: Connection) -> None:
            _require_free(tx, place, name)
            self._add(tx, place, name, stored, sharing)

        await self._database.write(add)

    async def change_variable(
        self, place: Place, name: str, new_name: str | None, value: str | None, sharing: Sharing
    ) -> None:
        changes: dict[str, Any] = {}
        if value is not None:
            changes["value"] = self._vault.encrypt(_checked(value))
        if new_name is not None:
            changes["name"] = checked_name(new_name)

        def change(tx: Connection) -> None:
            known = _get(tx, place, name)
            if changes.get("name", known.name) != known.name:
                _require_free(tx, place, changes["name"])
            self._change(tx, place, known, changes, sharing)

        await self._database.write(change)

    async def remove(self, place: Place, name: str) -> None:
        def remove(tx: Connection) -> None:
            known = _get(tx, place, name)
            secrets.remove(tx, known.id)
            _record(tx, REMOVED, place, known.name, self._clock())

        await self._database.write(remove)

    async def list_selected(self, place: Place, name: str) -> Sequence[Repository]:
        def read(tx: Connection) -> Sequence[Repository]:
            return secrets.list_selected(tx, _get(tx, place, name).id)

        return await self._database.read(read)

    async def select(self, place: Place, name: str, pick: Callable[[set[int]], set[int]]) -> None:
        """Change the selected repositories; CONFLICT where its visibility is not `selected`."""

        def select(tx: Connection) -> None:
            known = _get(tx, place, name)
            if known.visibility is not Visibility.SELECTED:
                raise AppError(
                    Code.CONFLICT, f"The visibility of {known.name} is not set to selected."
                )
            selected = {repository.id for repository in secrets.list_selected(tx, known.id)}
            wanted = pick(selected)
            _require_owned(tx, place, wanted)
            secrets.select_only(tx, known.id, wanted)
            _record(tx, UPDATED, place, known.name, self._clock())

        await self._database.write(select)

    async def environment_for(self, repository: Repository, *, mcp: bool = False) -> dict[str, str]:
        """What the agent's commands get as variables of their environment; with *mcp*, what its
        MCP servers get. The repository's own come before its organization's, and a secret before
        a variable of the same name."""
        found = await self._database.read(lambda tx: secrets.list_reaching(tx, repository))
        return {
            value.name: self._vault.decrypt(value.sealed).decode()
            for value in found
            if value.name.startswith(MCP_PREFIX) is mcp
        }

    async def masked_for(self, repository: Repository) -> frozenset[str]:
        """The secret values that no log may show."""
        found = await self._database.read(lambda tx: secrets.list_reaching(tx, repository))
        opened = (self._vault.decrypt(v.sealed).decode() for v in found if v.kind is Kind.SECRET)
        return frozenset(value for value in opened if value)

    def _add(
        self, tx: Connection, place: Place, name: str, stored: bytes, sharing: Sharing
    ) -> None:
        if secrets.list_at(tx, place, 1, 1)[1] >= MOST:
            raise AppError(
                Code.CONFLICT, f"There are {MOST} {place.kind}s already, the most there may be."
            )
        shared = None if place.organization_id is None else sharing.visibility or Visibility.PRIVATE
        now = self._clock()
        value = secrets.add(tx, place, name, stored, shared, now)
        _share(tx, place, value, sharing)
        _record(tx, CREATED, place, name, now)

    def _change(
        self, tx: Connection, place: Place, known: Value, changes: dict[str, Any], sharing: Sharing
    ) -> None:
        if place.organization_id is not None and sharing.visibility is not None:
            changes = {**changes, "visibility": sharing.visibility}
        now = self._clock()
        secrets.change(tx, known.id, changes, now)
        _record(tx, UPDATED, place, changes.get("name", known.name), now)
        known = replace(known, visibility=changes.get("visibility", known.visibility))
        _share(tx, place, known, sharing)


def _share(tx: Connection, place: Place, value: Value, sharing: Sharing) -> None:
    if value.visibility is not Visibility.SELECTED:
        secrets.select_only(tx, value.id, ())
    elif sharing.repository_ids is not None:
        _require_owned(tx, place, sharing.repository_ids)
        secrets.select_only(tx, value.id, sharing.repository_ids)


def _require_owned(tx: Connection, place: Place, repository_ids: frozenset[int] | set[int]) -> None:
    assert place.organization_id is not None
    possible = {id_ for id_ in repository_ids if 0 < id_ <= LARGEST_ID}
    strange = set(repository_ids) - secrets.owned(tx, place.organization_id, possible)
    if strange:
        raise invalid(
            "selected_repository_ids",
            f"The organization has no repository with the id {min(strange)}.",
            "invalid",
        )


def _record(
    tx: Connection, actions: Mapping[Kind, Action], place: Place, name: str, now: datetime
) -> None:
    """The name alone: values are nobody's to read."""
    audit.record(
        tx,
        actions[place.kind],
        now,
        repository_id=place.repository_id,
        organization_id=place.organization_id,
        data={"name": name},
    )


def _get(tx: Connection, place: Place, name: str) -> Value:
    found = secrets.find(tx, place, name.upper())
    if found is None:
        raise not_found(f"There is no {place.kind} {name[:100]!r}.")
    return found


def _require_free(tx: Connection, place: Place, name: str) -> None:
    if secrets.find(tx, place, name) is not None:
        message = f"There is a variable {name} already; change that one."
        raise AppError(Code.INVALID, message, (FieldError("name", "already_exists", message),))


def _checked(value: str) -> bytes:
    return checked_value(value.encode("utf-8", "surrogatepass"))

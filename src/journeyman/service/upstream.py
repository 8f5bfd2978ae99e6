"""What is kept here of another forge: its accounts and repositories as last seen, and the tokens
that sessions work with, as long as these may need them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Account, Repository
from journeyman.forge import Answer, Passing
from journeyman.service import outages
from journeyman.service.vault import Vault
from journeyman.store import credentials, upstream
from journeyman.store.database import Database


async def claim(database: Database, url: str) -> None:
    """The numbers in *database* are those of the forge at *url* from now on. CONFLICT when they
    are another's: the same number is somebody else there."""

    def claim(tx: Connection) -> str:
        found = upstream.find_forge(tx)
        if found is None and url != "embedded":
            upstream.set_forge(tx, url)
        return found or url

    if (found := await database.write(claim)) != url:
        raise AppError(
            Code.CONFLICT,
            f"This data directory belongs to the forge {found}, and forge.url is {url}: choose "
            "another data directory for it, or set forge.url back.",
        )


class Upstream:
    """What another forge answers itself."""

    def __init__(self, passing: Passing) -> None:
        self._passing = passing

    async def get(self, principal: Principal, path: str, query: str, accept: str) -> Answer:
        """As `Passing.get`; AppError where the forge cannot be asked."""
        with outages.told():
            return await self._passing.get(principal, path, query, accept)


class Seen:
    """Writes down who and what another forge has told of, when it is new or has changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts: dict[int, Account] = {}
        self._repositories: dict[int, Repository] = {}

    async def account(self, told: Account) -> None:
        if self._accounts.get(told.id) != told:
            await self._database.write(lambda tx: upstream.keep_account(tx, told))
            self._accounts[told.id] = told

    async def repository(self, told: Repository) -> None:
        if self._repositories.get(told.id) != told:
            await self._database.write(lambda tx: upstream.keep_repository(tx, told))
            self._repositories[told.id] = told


class Credentials:
    """Of sessions, encrypted. `Changes` removes them when a session ends."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def keep(self, tx: Connection, session_id: str, of: Principal, now: datetime) -> None:
        if of.secret is not None:
            credentials.put(tx, session_id, self._vault.encrypt(of.secret.encode()), now)

    def find(self, tx: Connection, session_id: str) -> str | None:
        found = credentials.find(tx, session_id)
        return None if found is None else self._vault.decrypt(found).decode()

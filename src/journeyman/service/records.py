"""What the embedded forge keeps in the store: tokens, repositories, pull requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection

from journeyman.domain.audit import SERVER, Action, Author, Surface
from journeyman.domain.errors import not_found
from journeyman.domain.principals import Principal, Token
from journeyman.domain.pushes import Update
from journeyman.domain.repositories import Account, Permission, Pull, PullEnd, PullState, Repository
from journeyman.forge import NewPull, PullChange
from journeyman.service import audit, server_keys
from journeyman.service.clock import Clock, utc_now
from journeyman.store import accounts, pulls, renames
from journeyman.store.database import Database

PUSHED_LISTED = 100
"""Refs of one push that the audit log names."""
TOUCH_EVERY = timedelta(minutes=1)
"""How exact a token's last use is known: not every request is worth a write."""


class StoredRecords:
    """The embedded forge's `Records` on the store."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._touched: dict[int, datetime] = {}
        self._key: bytes | None = None

    async def find_token(self, digest: bytes) -> Token | None:
        return await self._database.read(lambda tx: accounts.find_token(tx, digest))

    async def touch_token(self, token_id: int) -> None:
        now = self._clock()
        last = self._touched.get(token_id)
        if last is None or now - last >= TOUCH_EVERY:
            self._touched[token_id] = now
            await self._database.write(lambda tx: accounts.touch_token(tx, token_id, now))

    async def find_account(self, account_id: int) -> Account | None:
        return await self._database.read(lambda tx: accounts.find_account_by_id(tx, account_id))

    async def signing_key(self) -> bytes:
        if self._key is None:
            self._key = await server_keys.key_of(self._database, "git")
        return self._key

    async def find_repository(self, owner: str, name: str) -> Repository | None:
        """By a former name too, so that git goes on working after a rename."""
        return await self._database.read(
            lambda tx: (
                accounts.find_repository(tx, owner, name) or renames.find_former(tx, owner, name)
            )
        )

    async def note_push(
        self, by: Principal, repository_id: int, address: str, pushed: Sequence[Update]
    ) -> None:
        author = Author(Surface.GIT, by.account, by.token_id, by.kind, address)
        listed = [asdict(one) for one in pushed[:PUSHED_LISTED]]
        data = {"updates": listed, "updates_count": len(pushed)}

        def note(tx: Connection) -> None:
            with audit.acting(author):
                audit.record(
                    tx, Action.GIT_PUSH, self._clock(), repository_id=repository_id, data=data
                )

        await self._database.write(note)

    async def permission(self, account_id: int, repository_id: int) -> Permission:
        return await self._database.read(
            lambda tx: accounts.permission(tx, account_id, repository_id)
        )

    async def find_open_pull(self, repository_id: int, head_ref: str, base_ref: str) -> Pull | None:
        return await self._database.read(
            lambda tx: pulls.find_open_pull(tx, repository_id, head_ref, base_ref)
        )

    async def find_pull(self, repository_id: int, number: int) -> Pull | None:
        return await self._database.read(lambda tx: pulls.find_pull(tx, repository_id, number))

    async def open_pulls(self, repository_id: int) -> Sequence[Pull]:
        return await self._database.read(lambda tx: pulls.open_pulls(tx, repository_id))

    async def end_merged(self, pull: Pull, end: PullEnd) -> None:
        def finish(tx: Connection) -> None:
            if pulls.end_pull(tx, pull.repository_id, pull.number, PullState.MERGED, end):
                data = {"pull_request_id": pull.id, "number": pull.number}
                with audit.acting(SERVER):
                    audit.record(
                        tx,
                        Action.PULL_MERGE,
                        end.at,
                        repository_id=pull.repository_id,
                        data=data,
                    )

        await self._database.write(finish)

    async def add_pull(self, repository_id: int, user_id: int, new: NewPull) -> Pull:
        now = self._clock()

        def add(tx: Connection) -> Pull:
            accounts.lock_repository(tx, repository_id)
            known = pulls.find_open_pull(tx, repository_id, new.head_ref, new.base_ref)
            if known is not None:
                return known
            made = pulls.add_pull(
                tx,
                repository_id=repository_id,
                user_id=user_id,
                title=new.title,
                body=new.body,
                head_ref=new.head_ref,
                base_ref=new.base_ref,
                draft=new.draft,
                now=now,
            )
            audit.record(
                tx,
                Action.PULL_CREATE,
                now,
                repository_id=repository_id,
                on_behalf=accounts.get_account(tx, user_id),
                data={"pull_request_id": made.id, "number": made.number},
            )
            return made

        return await self._database.write(add)

    async def update_pull(self, repository_id: int, number: int, change: PullChange) -> Pull:
        wanted = {"title": change.title, "body": change.body, "draft": change.draft}
        changes: dict[str, str | bool] = {
            key: value for key, value in wanted.items() if value is not None
        }
        now = self._clock()
        changed = await self._database.write(
            lambda tx: pulls.update_pull(tx, repository_id, number, changes, now)
        )
        if changed is None:
            raise not_found(f"There is no pull request #{number}.")
        return changed

"""The persistence that the embedded forge needs; `service` implements it over the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from journeyman.domain.principals import Principal, Token
from journeyman.domain.pushes import Update
from journeyman.domain.repositories import Account, Permission, Pull, PullEnd, Repository
from journeyman.forge import NewPull, PullChange


class Records(Protocol):
    async def find_token(self, digest: bytes) -> Token | None:
        """By the SHA-256 of the secret; also one that is revoked or expired: the forge decides."""
        ...

    async def touch_token(self, token_id: int) -> None:
        """Note that it was used now; may be batched."""
        ...

    async def find_account(self, account_id: int) -> Account | None: ...

    async def signing_key(self) -> bytes:
        """The same in all processes of the service, and nobody else's."""
        ...

    async def find_repository(self, owner: str, name: str) -> Repository | None:
        """In any case of letters."""
        ...

    async def note_push(
        self, by: Principal, repository_id: int, address: str, pushed: Sequence[Update]
    ) -> None:
        """For the audit log."""
        ...

    async def permission(self, account_id: int, repository_id: int) -> Permission:
        """What the account has by being owner, collaborator or site admin, or the repository
        public.
        """
        ...

    async def find_open_pull(
        self, repository_id: int, head_ref: str, base_ref: str
    ) -> Pull | None: ...

    async def find_pull(self, repository_id: int, number: int) -> Pull | None: ...

    async def open_pulls(self, repository_id: int) -> Sequence[Pull]: ...

    async def end_merged(self, pull: Pull, end: PullEnd) -> None:
        """Nothing to do when it is not open any more."""
        ...

    async def add_pull(self, repository_id: int, user_id: int, new: NewPull) -> Pull:
        """Numbers it; gives back the open one between the same refs, if there is one."""
        ...

    async def update_pull(self, repository_id: int, number: int, change: PullChange) -> Pull:
        """Raises AppError NOT_FOUND when there is none of that number."""
        ...

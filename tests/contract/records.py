"""The embedded forge's persistence in memory, for the suites that run a forge without a store."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal, Token, kind_of
from journeyman.domain.pushes import Update
from journeyman.domain.repositories import (
    Account,
    AccountType,
    Permission,
    Pull,
    PullEnd,
    PullState,
    Repository,
)
from journeyman.forge import NewPull, PullChange
from journeyman.forge.embedded import tokens

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class MemoryRecords:
    """Users, repositories, tokens, pull requests; the methods that add them are the tests'."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.repositories: list[Repository] = []
        self.tokens: dict[bytes, Token] = {}
        self.collaborators: dict[tuple[int, int], Permission] = {}
        self.pulls: list[Pull] = []
        self.touched: list[int] = []
        self.pushed: list[tuple[str, int, str, Update]] = []

    def add_account(self, login: str, *, site_admin: bool = False) -> Account:
        account = Account(len(self.accounts) + 1, login, AccountType.USER, site_admin, START)
        self.accounts[login] = account
        return account

    def add_repository(
        self, owner: Account, name: str, *, private: bool = True, archived: bool = False
    ) -> Repository:
        number = len(self.repositories) + 101
        repository = Repository(number, owner, name, "main", private, archived, START, START)
        self.repositories.append(repository)
        return repository

    def add_token(
        self,
        account: Account,
        prefix: str = "ghp_",
        *,
        expires_in: timedelta | None = None,
        revoked: bool = False,
    ) -> str:
        secret = tokens.mint(prefix)
        kind = kind_of(secret)
        assert kind
        self.tokens[tokens.digest(secret)] = Token(
            id=len(self.tokens) + 1,
            kind=kind,
            account=account,
            note="",
            last_eight=secret[-8:],
            scopes=("repo",),
            created_at=START,
            expires_at=START + expires_in if expires_in is not None else None,
            last_used_at=None,
            revoked_at=START if revoked else None,
        )
        return secret

    async def find_token(self, digest: bytes) -> Token | None:
        return self.tokens.get(digest)

    async def touch_token(self, token_id: int) -> None:
        self.touched.append(token_id)

    async def find_account(self, account_id: int) -> Account | None:
        return next((a for a in self.accounts.values() if a.id == account_id), None)

    async def signing_key(self) -> bytes:
        return b"k" * 32

    async def find_repository(self, owner: str, name: str) -> Repository | None:
        wanted = f"{owner}/{name}".lower()
        return next((r for r in self.repositories if r.full_name.lower() == wanted), None)

    async def note_push(
        self, by: Principal, repository_id: int, address: str, pushed: Sequence[Update]
    ) -> None:
        self.pushed += [(by.account.login, repository_id, address, one) for one in pushed]

    async def permission(self, account_id: int, repository_id: int) -> Permission:
        repository = next(r for r in self.repositories if r.id == repository_id)
        account = next(a for a in self.accounts.values() if a.id == account_id)
        if account.site_admin or repository.owner.id == account_id:
            return Permission.ADMIN
        public = Permission.NONE if repository.private else Permission.READ
        return max(public, self.collaborators.get((account_id, repository_id), Permission.NONE))

    async def find_open_pull(self, repository_id: int, head_ref: str, base_ref: str) -> Pull | None:
        wanted = (repository_id, head_ref, base_ref, PullState.OPEN)
        return next(
            (p for p in self.pulls if (p.repository_id, p.head_ref, p.base_ref, p.state) == wanted),
            None,
        )

    async def find_pull(self, repository_id: int, number: int) -> Pull | None:
        wanted = (repository_id, number)
        return next((p for p in self.pulls if (p.repository_id, p.number) == wanted), None)

    async def open_pulls(self, repository_id: int) -> Sequence[Pull]:
        there = (p for p in self.pulls if p.repository_id == repository_id)
        return [p for p in there if p.state is PullState.OPEN]

    async def end_merged(self, pull: Pull, end: PullEnd) -> None:
        at = self.pulls.index(pull)
        self.pulls[at] = replace(pull, state=PullState.MERGED, end=end)

    async def add_pull(self, repository_id: int, user_id: int, new: NewPull) -> Pull:
        if found := await self.find_open_pull(repository_id, new.head_ref, new.base_ref):
            return found
        pull = Pull(
            id=len(self.pulls) + 1001,
            number=1 + sum(p.repository_id == repository_id for p in self.pulls),
            repository_id=repository_id,
            user_id=user_id,
            title=new.title,
            body=new.body,
            head_ref=new.head_ref,
            base_ref=new.base_ref,
            draft=new.draft,
            state=PullState.OPEN,
            created_at=START,
            updated_at=START,
        )
        self.pulls.append(pull)
        return pull

    async def update_pull(self, repository_id: int, number: int, change: PullChange) -> Pull:
        for index, pull in enumerate(self.pulls):
            if (pull.repository_id, pull.number) == (repository_id, number):
                self.pulls[index] = replace(
                    pull,
                    title=pull.title if change.title is None else change.title,
                    body=pull.body if change.body is None else change.body,
                    draft=pull.draft if change.draft is None else change.draft,
                )
                return self.pulls[index]
        raise AppError(Code.NOT_FOUND, f"There is no pull request #{number}.")

"""Sessions that begin by themselves on a task's own pull request: its checks have failed, or it
has conflicts. As many as the configuration allows since somebody last asked for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog
from sqlalchemy import Connection

from journeyman.domain import threads
from journeyman.domain.audit import Author, Surface
from journeyman.domain.discussions import BAD, CheckRun, PullHead
from journeyman.domain.errors import AppError
from journeyman.domain.principals import Actor, Principal
from journeyman.domain.repositories import Account, Permission
from journeyman.domain.tasks import Task
from journeyman.domain.triggers import Kind, Stage, Trigger
from journeyman.forge import Access, ForgeError
from journeyman.service import audit, outages
from journeyman.service.means import Means
from journeyman.store import accounts, tasks, triggers

log = structlog.get_logger()

NOBODY = "no pull request of a task's"


class _NotNow(Exception):
    """The forge does not know yet."""


class _Needless(Exception):
    """There is nothing to repair, or it is not for us; the message says why, for the books."""


class Repairing:
    def __init__(self, means: Means) -> None:
        self._means = means

    async def begin(self, waiting: Sequence[Trigger]) -> None:
        """What was told in one thread. What has no answer yet is put off."""
        told = [one for one in waiting if one.happening.by is None]
        if not told:
            return
        try:
            await self._begin(told)
        except _Needless as why:
            await self._means.triggers.settle(told, Stage.IGNORED, str(why))
        except _NotNow as why:
            await self._means.triggers.put_off(told, str(why))
        except (AppError, ForgeError) as error:
            if outages.may_pass(error):
                await self._means.triggers.put_off(told, str(error))
            else:
                log.warning("repair.refused", error=str(error))
                await self._means.triggers.settle(told, Stage.IGNORED, str(error))

    async def _begin(self, told: Sequence[Trigger]) -> None:
        newest = told[-1].happening
        repository_id = await self._repository(newest.owner, newest.name)
        of_checks = newest.kind is Kind.CHECKS
        if of_checks:
            found = await self._candidates(repository_id, head_ref=newest.ref)
            if not found:
                raise _Needless(NOBODY)
            await self._repair(told, *found[0])
        elif newest.number is None:
            await self._spread(told, repository_id)
        else:
            found = await self._candidates(repository_id, base_ref=newest.ref)
            own = [one for one in found if one[1] == newest.number]
            if not own:
                raise _Needless(NOBODY)
            await self._repair(told, *own[0])

    async def _repository(self, owner: str, name: str) -> int:
        known = await self._means.database.read(
            lambda tx: accounts.find_repository(tx, owner, name)
        )
        if known is None:
            raise _Needless("no task works in the repository")
        return known.id

    async def _candidates(
        self, repository_id: int, *, head_ref: str = "", base_ref: str = ""
    ) -> Sequence[tuple[str, int]]:
        return await self._means.database.read(
            lambda tx: triggers.tasks_with_pull(
                tx, repository_id, head_ref=head_ref, base_ref=base_ref
            )
        )

    async def _spread(self, told: Sequence[Trigger], repository_id: int) -> None:
        """A branch has moved on: each pull request into it is looked at by itself."""
        newest = told[-1].happening
        found = await self._candidates(repository_id, base_ref=newest.ref)
        await self._means.triggers.take(
            [replace(newest, number=number) for number in {one[1] for one in found}]
        )
        raise _Needless(f"{len(found)} pull requests are looked at")

    async def _repair(self, told: Sequence[Trigger], task_id: str, number: int) -> None:
        discussion, checks = self._means.forge.discussion, self._means.forge.checks
        newest = told[-1].happening
        if discussion is None or (newest.kind is Kind.CHECKS and checks is None):
            raise _Needless("the forge has no discussions or no checks")
        used = await self._means.database.read(lambda tx: triggers.count_repairs(tx, task_id))
        if used >= self._means.rules.repairs:
            raise _Needless(f"{used} repairs have been tried")
        task, principal, access, actor = await self._task(task_id)
        head = await discussion.pull_head(actor, access.repository, number)
        if not head.is_open:
            raise _Needless("the pull request is closed")
        if newest.kind is Kind.CHECKS:
            prompt = await self._of_checks(told, actor, access, head, number)
        else:
            prompt = _of_conflict(head, number)
        ids = [one.id for one in told]

        def settle(tx: Connection) -> None:
            newer = tasks.find_head(tx, task_id)
            assert newer is not None
            if not triggers.settle(
                tx,
                ids,
                Stage.WORKING,
                self._means.clock(),
                task_id=task_id,
                session_id=newer.session_id,
            ):
                raise _Needless("it is worked on already")

        with audit.acting(Author(Surface.FORGE, detail={"kind": newest.kind.value})):
            await self._means.sessions.steer_with(principal, task.id, prompt, settle)

    async def _task(self, task_id: str) -> tuple[Task, Principal, Access, Actor]:
        """The task, and who it is repaired for: the user of its newest session, who must still
        have access."""

        def read(tx: Connection) -> tuple[Task, Account]:
            found = tasks.find_task(tx, task_id)
            assert found is not None
            return found, accounts.get_account(tx, found.session.user_id)

        task, user = await self._means.database.read(read)
        if not task.session.ended:
            raise _Needless("the task is at work: what it pushes is checked anew")
        discussion, repository = self._means.forge.discussion, task.repository
        assert discussion is not None
        principal = await self._means.machine.acting_for(user)
        actor = await self._means.machine.own()
        access = await self._means.identity.access_now(
            principal, repository.owner.login, repository.name
        )
        level = await discussion.permission_of(actor, access.repository, user.login)
        if level < Permission.WRITE:
            raise _Needless(f"{user.login} has no write access any more")
        return task, principal, access, actor

    async def _of_checks(
        self,
        told: Sequence[Trigger],
        actor: Actor,
        access: Access,
        head: PullHead,
        number: int,
    ) -> str:
        if head.head_sha not in {one.happening.sha for one in told}:
            raise _Needless("the branch has moved on since")
        assert self._means.forge.checks is not None
        runs = await self._means.forge.checks.check_runs(actor, access.repository, head.head_sha)
        if any(one.status != "completed" for one in runs):
            raise _NotNow("checks are still running")
        failed: list[CheckRun] = [one for one in runs if one.conclusion in BAD]
        if not failed:
            raise _Needless("no check has failed in the end")
        return threads.repair_of(number, head.head_sha, failed)


def _of_conflict(head: PullHead, number: int) -> str:
    if head.is_mergeable is None:
        raise _NotNow("the forge does not know yet whether it merges")
    if head.is_mergeable:
        raise _Needless("it merges")
    return threads.conflict_of(number, head.base_ref)

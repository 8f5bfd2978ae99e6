"""Failed checks and conflicts of tasks' own pull requests, found by asking."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from journeyman.domain.discussions import BAD, PullHead
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.domain.triggers import Happening, Kind
from journeyman.service.means import Means
from journeyman.store import triggers

log = structlog.get_logger()

RECENT = timedelta(days=14)
"""Since the task was last worked on."""
MOST = 20
"""Pull requests of a repository that are looked at in one round."""


class Watching:
    def __init__(self, means: Means) -> None:
        self._means = means

    async def look(self, actor: Actor, repository: Repository) -> Sequence[Happening]:
        """Of those whose task rests; nothing where no repair would begin."""
        discussion = self._means.forge.discussion
        if self._means.rules.repairs == 0 or discussion is None:
            return []
        since = self._means.clock() - RECENT
        numbers = await self._means.database.read(
            lambda tx: triggers.resting_pulls(tx, repository.id, since, MOST)
        )
        found = list[Happening]()
        for number in numbers:
            try:
                head = await discussion.pull_head(actor, repository, number)
                if head.is_open:
                    found += await self._faults(actor, repository, head, number)
            except AppError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
                log.info("watching.gone", repository=repository.full_name, number=number)
        return found

    async def _faults(
        self, actor: Actor, repository: Repository, head: PullHead, number: int
    ) -> Sequence[Happening]:
        found = list[Happening]()
        if head.is_mergeable is False:
            # Once for each state of the branch: its repair moves it.
            found.append(self._told(Kind.CONFLICT, repository, head.base_ref, head, number))
        if self._means.forge.checks is not None:
            runs = await self._means.forge.checks.check_runs(actor, repository, head.head_sha)
            over = all(one.status == "completed" for one in runs)
            if over and any(one.conclusion in BAD for one in runs):
                found.append(self._told(Kind.CHECKS, repository, head.head_ref, head))
        return found

    def _told(
        self, kind: Kind, of: Repository, ref: str, head: PullHead, number: int | None = None
    ) -> Happening:
        return Happening(
            kind=kind,
            repository_id=of.id,
            owner=of.owner.login,
            name=of.name,
            at=self._means.clock(),
            by=None,
            number=number,
            ref=ref,
            sha=head.head_sha,
        )

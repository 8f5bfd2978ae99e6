"""Tells whoever asked for work on a forge what became of it, in the thread where they asked.

Once, whatever dies when: a comment carries a mark by which it is found before another is made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from journeyman.domain import answers
from journeyman.domain.artifacts import Artifact, PullArtifact
from journeyman.domain.errors import AppError
from journeyman.domain.events import Event
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Account, Permission, Repository
from journeyman.domain.sessions import Session
from journeyman.domain.signature import log_url
from journeyman.domain.triggers import Stage, Trigger, thread_of
from journeyman.forge import Discussion, ForgeError
from journeyman.service import outages
from journeyman.service.means import Means
from journeyman.store import accounts, events, sessions, tasks, triggers

log = structlog.get_logger()


def groups(claimed: Sequence[Trigger]) -> Collection[Sequence[Trigger]]:
    """What was asked for in one thread and has come to one end."""
    found = defaultdict[tuple[str, str], list[Trigger]](list)
    for one in claimed:
        found[thread_of(one.happening), one.session_id or one.reason].append(one)
    return found.values()


class Answering:
    def __init__(self, means: Means) -> None:
        self._means = means

    async def tell(self, group: Sequence[Trigger]) -> None:
        """One of `groups`, as one comment."""
        try:
            await self._tell(group)
        except (AppError, ForgeError) as error:
            if outages.may_pass(error):
                await self._means.triggers.put_off(group, str(error))
            else:
                thread = thread_of(group[-1].happening)
                log.warning("answer.refused", thread=thread, error=str(error))
                await self._note(group, Stage.FAILED, str(error))

    async def _tell(self, group: Sequence[Trigger]) -> None:
        found = await self._means.database.read(lambda tx: _found(tx, group[-1]))
        told, discussion = group[-1].happening, self._means.forge.discussion
        number = told.number if told.number is not None else found.pull
        if discussion is None or number is None:
            await self._note(group, Stage.ANSWERED, "there is nowhere to say it")
            return
        if not found.is_telling:
            await self._note(group, Stage.WORKING, group[-1].reason)
            return
        asker = next((one.happening.by for one in reversed(group) if one.happening.by), None)
        asker = asker or found.user
        assert asker is not None
        principal = await self._means.machine.acting_for(asker)
        access = await self._means.identity.access_now(principal, told.owner, told.name)
        actor = await self._means.machine.own()
        askers = list(dict.fromkeys(one.happening.by.login for one in group if one.happening.by))
        if found.session is None:
            # It may have failed before it was known who is heard.
            askers = await _heard(discussion, actor, access.repository, askers)
            if not askers:
                await self._note(group, Stage.IGNORED, "no write access")
                return
        text = self._text(found, access.repository, group, askers, number)
        await _say(discussion, actor, access.repository, number, text)
        if found.session is not None and not found.session.ended:
            await self._note(group, Stage.WORKING, f"asked {found.session.run_number}")
        else:
            await self._note(group, Stage.ANSWERED, group[-1].reason)

    def _text(
        self,
        found: _Found,
        repository: Repository,
        group: Sequence[Trigger],
        askers: Sequence[str],
        number: int,
    ) -> tuple[str, str]:
        """What is to be said, and the mark of it."""
        if found.session is None:
            return answers.refusal(askers, group[-1].reason), f"trigger {group[0].id}"
        session = found.session
        text = answers.answer(
            session,
            found.artifacts,
            found.log,
            askers=askers,
            here=number,
            name=self._means.rules.name,
            log_url=log_url(self._means.public_url, repository.full_name, session.task_id),
        )
        return text, f"{session.id} {'end' if session.ended else session.run_number}"

    async def _note(self, group: Sequence[Trigger], stage: Stage, reason: str) -> None:
        now, ids = self._means.clock(), [one.id for one in group]
        await self._means.database.write(
            lambda tx: triggers.note_answer(tx, ids, stage, now, reason[:1000])
        )


@dataclass(frozen=True)
class _Found:
    """What a trigger has led to."""

    session: Session | None = None
    user: Account | None = None
    artifacts: Sequence[Artifact] = ()
    log: Sequence[Event] = ()

    @property
    def is_telling(self) -> bool:
        """False: it has gone on since it was looked at."""
        return self.session is None or answers.is_for_the_asker(self.session)

    @property
    def pull(self) -> int | None:
        numbers = [one.number for one in self.artifacts if isinstance(one, PullArtifact)]
        return numbers[-1] if numbers else None


def _found(tx: Connection, of: Trigger) -> _Found:
    if of.session_id is None or of.task_id is None:
        return _Found()
    session, task = sessions.get_session(tx, of.session_id), tasks.find_task(tx, of.task_id)
    assert task is not None
    user = accounts.get_account(tx, session.user_id)
    return _Found(session, user, task.artifacts, events.session_log(tx, session.id))


async def _heard(
    discussion: Discussion, actor: Actor, repository: Repository, askers: Sequence[str]
) -> list[str]:
    """Those who may write: whoever else asked is told nothing."""
    levels = {one: await discussion.permission_of(actor, repository, one) for one in askers}
    return [one for one, level in levels.items() if level >= Permission.WRITE]


async def _say(
    discussion: Discussion,
    actor: Actor,
    repository: Repository,
    number: int,
    said: tuple[str, str],
) -> None:
    text, key = said
    mark = answers.marker_of(key)
    there = await discussion.comments(actor, repository, number)
    if not any(mark in one.body and one.author.id == actor.account.id for one in there):
        await discussion.comment(actor, repository, number, f"{text}\n\n{mark}")

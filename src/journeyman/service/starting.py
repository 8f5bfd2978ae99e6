"""From what was said on a forge to a session that works on it.

Everything is looked at again here: who asked may have lost access since, and what was told is only
a hint at where to look. Done twice it begins nothing twice: the trigger is settled in the
transaction that begins the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from journeyman.domain import threads
from journeyman.domain.artifacts import PullArtifact
from journeyman.domain.audit import Action, Author, Surface
from journeyman.domain.discussions import Comment, Place, Reaction, ReviewComment
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor, Principal
from journeyman.domain.repositories import Permission, Repository
from journeyman.domain.tasks import NewTask, Task
from journeyman.domain.threads import Thread
from journeyman.domain.triggers import Happening, Kind, Stage, Trigger, mentions, thread_of
from journeyman.forge import Access, Discussion, ForgeError
from journeyman.service import audit, outages
from journeyman.service.means import Means
from journeyman.store import tasks as task_rows
from journeyman.store import triggers as rows

log = structlog.get_logger()

MOST_PEOPLE = 30
"""In one conversation whose access is asked for; what others wrote is left out."""
OF_ONE_REVIEW = timedelta(minutes=2)
"""Between a review and its comments, where the forge does not say which belong to it."""
PACE = timedelta(hours=1)
MOST_AN_HOUR = 10
"""Sessions that begin for one thread: two programs that answer each other would begin them for
ever."""
GIVEN = (Kind.ASSIGNED, Kind.LABELED)
PLACES = {
    Kind.COMMENT: Place.COMMENT,
    Kind.REVIEW_COMMENT: Place.REVIEW_COMMENT,
}


class Ignored(Exception):
    """Nothing is to be done; the message says why, for the books."""


class TooMany(Exception):
    """Not before *until*: what was asked waits."""

    def __init__(self, begun: int, until: datetime) -> None:
        super().__init__(f"{begun} sessions have begun here within an hour")
        self.until = until


@dataclass(frozen=True)
class _Asked:
    """What people with write access ask in one thread, and where."""

    triggers: Sequence[Trigger]
    principal: Principal
    access: Access
    actor: Actor
    thread: Thread

    @property
    def told(self) -> list[Happening]:
        return [one.happening for one in self.triggers]

    @property
    def number(self) -> int:
        return self.thread.issue.number


class Starting:
    def __init__(self, means: Means) -> None:
        self._means = means

    async def begin(self, waiting: Sequence[Trigger]) -> None:
        """What was asked in one thread, as one. What fails for a while is put off; what cannot
        be done at all is to be answered."""
        people = [one for one in waiting if one.happening.by is not None]
        if not people:
            return
        try:
            await self._begin(people)
        except Ignored as why:
            await self._means.triggers.settle(people, Stage.IGNORED, str(why))
        except TooMany as error:
            await self._means.triggers.hold(people, error.until, str(error))
        except (AppError, ForgeError) as error:
            if outages.may_pass(error):
                await self._means.triggers.put_off(people, str(error))
            else:
                await self._means.triggers.settle(people, Stage.REFUSED, str(error))

    async def _begin(self, waiting: Sequence[Trigger]) -> None:
        discussion = self._means.forge.discussion
        if discussion is None:
            raise Ignored("the forge has no discussions")
        by = waiting[-1].happening.by
        assert by is not None
        principal = await self._means.machine.acting_for(by)
        access = await self._access(principal, waiting[-1].happening)
        if access.permission < Permission.WRITE:
            log.warning("trigger.no_access", repository=access.repository.full_name)
            raise Ignored("Journeyman's own user has no write access")
        actor = await self._means.machine.own()
        allowed = await self._allowed(discussion, actor, access.repository, waiting)
        if not allowed:
            return
        asker = allowed[-1].happening.by
        assert asker is not None
        principal = await self._means.machine.acting_for(asker)
        thread = await self._thread(discussion, actor, access.repository, allowed)
        asked = _Asked(allowed, principal, access, actor, thread)
        task = await self._task_of(asked)
        if task is None and not any(self._speaks(told) for told in asked.told):
            # Changes that are wanted on a pull request of somebody else's.
            await self._means.triggers.settle(allowed, Stage.IGNORED, "nobody was asked")
            return
        if task is None or task.session.ended:
            await self._check_pace(thread_of(allowed[0].happening))
        await self._acknowledge(discussion, asked)
        author = Author(Surface.FORGE, principal.account, detail={"thread": _place(asked.told[0])})
        with audit.acting(author):
            await self._start(discussion, asked, None if task is None else task.id)

    async def _check_pace(self, thread: str) -> None:
        """Before another session begins: a message for one at work is never held up."""
        since = self._means.clock() - PACE
        begun = await self._means.database.read(lambda tx: rows.begun_since(tx, thread, since))
        if len(begun) >= MOST_AN_HOUR:
            raise TooMany(len(begun), begun[-MOST_AN_HOUR] + PACE)

    def _speaks(self, told: Happening) -> bool:
        return told.kind in GIVEN or mentions(told.body, self._means.rules.name)

    async def _access(self, principal: Principal, told: Happening) -> Access:
        try:
            return await self._means.identity.access_now(principal, told.owner, told.name)
        except AppError as error:
            if error.code is Code.NOT_FOUND:
                raise Ignored("the repository is not visible to Journeyman") from error
            raise

    async def _allowed(
        self,
        discussion: Discussion,
        actor: Actor,
        repository: Repository,
        waiting: Sequence[Trigger],
    ) -> list[Trigger]:
        """Those of people who may write; the others are settled as ignored, and written down."""
        levels = {actor.account.login: Permission.NONE}
        for login in dict.fromkeys(_login(one) for one in waiting):
            if login == actor.account.login:
                continue
            levels[login] = await discussion.permission_of(actor, repository, login)
        strangers = [one for one in waiting if levels[_login(one)] < Permission.WRITE]
        if strangers:
            await self._refuse(repository, strangers)
        refused = {one.id for one in strangers}
        return [one for one in waiting if one.id not in refused]

    async def _refuse(self, repository: Repository, strangers: Sequence[Trigger]) -> None:
        now = self._means.clock()

        def refuse(tx: Connection) -> None:
            ids = [one.id for one in strangers]
            if not rows.settle(tx, ids, Stage.IGNORED, now, reason="no write access"):
                return
            for login in dict.fromkeys(_login(one) for one in strangers):
                place = {"thread": _place(strangers[0].happening)}
                audit.record(
                    tx,
                    Action.TRIGGER_IGNORE,
                    now,
                    repository_id=repository.id,
                    user=login,
                    data=place,
                )

        with audit.acting(Author(Surface.FORGE)):
            await self._means.database.write(refuse)

    async def _thread(
        self,
        discussion: Discussion,
        actor: Actor,
        repository: Repository,
        asked: Sequence[Trigger],
    ) -> Thread:
        number = asked[-1].happening.number
        if number is None:
            raise Ignored("it is told of no issue")
        issue = await discussion.issue(actor, repository, number)
        if issue.is_pull and not issue.is_open:
            raise Ignored("the pull request is closed")
        said = await discussion.comments(actor, repository, number)
        levels = dict[str, Permission]()
        kept = list[Comment]()
        for one in said:
            login = one.author.login
            if login not in levels and len(levels) < MOST_PEOPLE:
                levels[login] = await discussion.permission_of(actor, repository, login)
            own = one.author.id == actor.account.id
            if levels.get(login, Permission.NONE) >= Permission.WRITE and not own:
                kept.append(one)
        told = [one.happening for one in asked]
        lines = list[ReviewComment]()
        if issue.is_pull and any(one.kind in (Kind.REVIEW, Kind.REVIEW_COMMENT) for one in told):
            there = await discussion.review_comments(actor, repository, number)
            lines = [one for one in there if _belongs(one, told)]
        return Thread(repository.full_name, issue, kept, len(said) - len(kept), lines)

    async def _task_of(self, asked: _Asked) -> Task | None:
        """The task that works on this: it opened the pull request, or began in the issue and has
        not come to its end there."""
        repository, number = asked.access.repository, asked.number
        if asked.thread.issue.is_pull:
            found = await self._means.database.read(
                lambda tx: (
                    rows.task_of_number(tx, repository.id, number)
                    or rows.task_of_thread(tx, thread_of(asked.told[0]))
                )
            )
        else:
            found = await self._means.database.read(
                lambda tx: rows.task_of_thread(tx, thread_of(asked.told[0]))
            )
        if found is None:
            return None
        task = (await self._means.tasks.get(asked.principal, found)).task
        if task.archived_at is not None:
            return None
        if not task.session.ended and all(told.kind in GIVEN for told in asked.told):
            raise Ignored("the issue is worked on already")
        if asked.thread.issue.is_pull or not task.session.ended:
            return task
        return task if await self._goes_on(asked, task) else None

    async def _goes_on(self, asked: _Asked, task: Task) -> bool:
        """Whether what the task has made is still open."""
        numbers = [made.number for made in task.artifacts if isinstance(made, PullArtifact)]
        discussion = self._means.forge.discussion
        if not numbers or discussion is None:
            return True
        repository = asked.access.repository
        return (await discussion.issue(asked.actor, repository, numbers[-1])).is_open

    async def _acknowledge(self, discussion: Discussion, asked: _Asked) -> None:
        """Whoever asked sees at once that it was heard; where that cannot be said, the work
        begins all the same."""
        repository, actor = asked.access.repository, asked.actor
        for told in asked.told:
            place, id = PLACES.get(told.kind, Place.ISSUE), told.id or asked.number
            try:
                await discussion.react(actor, repository, place, id, Reaction.EYES)
            except (AppError, ForgeError) as error:
                log.warning("trigger.not_acknowledged", place=_place(told), error=str(error))

    async def _start(self, discussion: Discussion, asked: _Asked, task_id: str | None) -> None:
        if task_id is None:
            await self._create(discussion, asked)
            return
        covered = await self._means.database.read(
            lambda tx: rows.covered_reviews(tx, thread_of(asked.told[0]))
        )
        fresh = [one for one in asked.triggers if not _is_covered(one.happening, covered)]
        if not fresh:
            raise Ignored("it belongs to a review that is worked on")
        content = threads.follow_up_of(asked.thread, [one.happening for one in fresh])
        content = content or threads.prompt_of(asked.thread, asked.told)

        def settle(tx: Connection) -> None:
            head = task_rows.find_head(tx, task_id)
            assert head is not None
            self._settle(tx, asked, task_id, head.session_id)

        await self._means.sessions.steer_with(asked.principal, task_id, content, settle)

    async def _create(self, discussion: Discussion, asked: _Asked) -> None:
        prompt = threads.prompt_of(asked.thread, asked.told)
        base_ref = head_ref = None
        if asked.thread.issue.is_pull:
            head = await discussion.pull_head(asked.actor, asked.access.repository, asked.number)
            if head.from_fork:
                raise AppError(
                    Code.INVALID,
                    "The branch of this pull request is in a fork, which Journeyman cannot push "
                    "to. Push it to this repository and open the pull request from there.",
                )
            base_ref, head_ref = head.base_ref, head.head_ref
        # On somebody else's pull request the answer is a comment, and their words are left alone.
        wanted = not asked.thread.issue.is_pull
        new = NewTask(prompt, create_pull_request=wanted, base_ref=base_ref, head_ref=head_ref)

        def settle(tx: Connection, task: Task) -> None:
            self._settle(tx, asked, task.id, task.session.id)

        await self._means.tasks.create(asked.principal, asked.access, new, also=settle)

    def _settle(self, tx: Connection, asked: _Asked, task_id: str, session_id: str) -> None:
        ids = [one.id for one in asked.triggers]
        if not rows.settle(
            tx, ids, Stage.WORKING, self._means.clock(), task_id=task_id, session_id=session_id
        ):
            # Somebody else was quicker, and what this one would begin is not.
            raise Ignored("it is worked on already")


def _login(one: Trigger) -> str:
    assert one.happening.by is not None
    return one.happening.by.login


def _place(told: Happening) -> str:
    return f"{told.owner}/{told.name}#{told.number}"


def _belongs(one: ReviewComment, told: Sequence[Happening]) -> bool:
    """Whether *one* was asked for: by itself, or with its review."""
    for asked in told:
        if asked.kind is Kind.REVIEW_COMMENT and asked.id == one.id:
            return True
        if asked.kind not in (Kind.REVIEW, Kind.REVIEW_COMMENT):
            continue
        if asked.review_id is not None and one.review_id == asked.review_id:
            return True
        if asked.review_id is None and asked.kind is Kind.REVIEW and asked.by is not None:
            same = one.author.id == asked.by.id
            if same and abs(one.created_at - asked.at) <= OF_ONE_REVIEW:
                return True
    return False


def _is_covered(told: Happening, covered: set[int]) -> bool:
    return told.kind is Kind.REVIEW_COMMENT and told.review_id in covered

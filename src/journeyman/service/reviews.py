"""Comments on the lines of a pull request, sent together as a review that the agent works on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Pull, PullState
from journeyman.domain.reviews import Discussion, LineComment, NewComment, prompt_of
from journeyman.domain.tasks import NewTask, Task
from journeyman.forge import Access
from journeyman.service import audit
from journeyman.service.clock import Clock, utc_now
from journeyman.service.identity import require_write
from journeyman.service.sessions import Sessions
from journeyman.service.tasks import Tasks
from journeyman.store import browsing, pulls, reviews
from journeyman.store.database import Database

MOST_PENDING = 100


class Reviews:
    def __init__(
        self,
        database: Database,
        of_tasks: Tasks,
        of_sessions: Sessions,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._tasks = of_tasks
        self._sessions = of_sessions
        self._clock = clock

    async def list(self, principal: Principal, access: Access, number: int) -> Discussion:
        """All that was sent, and what *principal* has yet to send."""

        def read(tx: Connection) -> Discussion:
            pull = _pull(tx, access, number)
            return Discussion(
                tuple(reviews.list_reviews(tx, pull.id)),
                tuple(reviews.pending(tx, pull.id, principal.account.id)),
            )

        return await self._database.read(read)

    async def comment(
        self, principal: Principal, access: Access, number: int, new: NewComment
    ) -> None:
        """Nobody else sees it before it is sent."""
        require_write(access)

        def add(tx: Connection) -> None:
            pull, user_id = _open_pull(tx, access, number), principal.account.id
            if len(reviews.pending(tx, pull.id, user_id)) >= MOST_PENDING:
                message = f"{MOST_PENDING} comments wait to be sent; send them first."
                raise AppError(Code.CONFLICT, message)
            now = self._clock()
            reviews.add_comment(tx, pull.id, user_id, new, now)
            _record(tx, Action.COMMENT_CREATE, pull, now, path=new.path)

        await self._database.write(add)

    async def discard(
        self, principal: Principal, access: Access, number: int, comment_id: int
    ) -> None:
        """Of one's own comments that were not sent; one that is gone already is no error."""

        def discard(tx: Connection) -> None:
            pull = _pull(tx, access, number)
            if reviews.delete_pending(tx, pull.id, principal.account.id, comment_id):
                _record(tx, Action.COMMENT_DELETE, pull, self._clock(), comment_id=comment_id)

        await self._database.write(discard)

    async def send(self, principal: Principal, access: Access, number: int, body: str) -> Task:
        """The comments that wait, and *body*, to the task that opened the pull request; where
        none did, to a new one on its branch."""
        require_write(access)
        draft = await self._database.read(lambda tx: _draft(tx, principal, access, number, body))
        if not draft.comments and not body.strip():
            raise invalid("body", "Say what should change, or comment on a line first.")
        prompt = prompt_of(number, body, draft.comments)
        if draft.task_id is None:
            return await self._begin(principal, access, draft, prompt)
        record = partial(self._add, draft=draft, task_id=draft.task_id)
        return await self._sessions.steer_with(principal, draft.task_id, prompt, record)

    async def _begin(
        self, principal: Principal, access: Access, draft: _Draft, prompt: str
    ) -> Task:
        new = NewTask(prompt=prompt, base_ref=draft.pull.base_ref, head_ref=draft.pull.head_ref)
        # One that was interrupted before it was recorded finds its task when it is sent again.
        said = repr((draft.body, draft.comments)).encode()
        key = f"review-{draft.pull.id}-{hashlib.sha256(said).hexdigest()}"
        task = await self._tasks.create(principal, access, new, idempotency_key=key)
        await self._database.write(lambda tx: self._add(tx, draft=draft, task_id=task.id))
        return task

    def _add(self, tx: Connection, *, draft: _Draft, task_id: str) -> None:
        now = self._clock()
        reviews.add_review(
            tx,
            pull_id=draft.pull.id,
            user_id=draft.user_id,
            body=draft.body,
            task_id=task_id,
            comment_ids=[comment.id for comment in draft.comments],
            now=now,
        )
        count = len(draft.comments)
        _record(tx, Action.REVIEW_SUBMIT, draft.pull, now, task_id=task_id, comments=count)


@dataclass(frozen=True)
class _Draft:
    """A review as it is about to be sent."""

    pull: Pull
    user_id: int
    body: str
    comments: Sequence[LineComment]
    task_id: str | None


def _draft(tx: Connection, principal: Principal, access: Access, number: int, body: str) -> _Draft:
    pull, user_id = _open_pull(tx, access, number), principal.account.id
    comments = reviews.pending(tx, pull.id, user_id)
    return _Draft(pull, user_id, body, comments, browsing.task_of_pull(tx, pull.id))


def _record(tx: Connection, action: Action, pull: Pull, now: datetime, **more: Any) -> None:
    data = {"pull_request_id": pull.id, "number": pull.number, **more}
    audit.record(tx, action, now, repository_id=pull.repository_id, data=data)


def _pull(tx: Connection, access: Access, number: int) -> Pull:
    found = pulls.find_pull(tx, access.repository.id, number)
    if found is None:
        raise not_found(f"There is no pull request #{number}.")
    return found


def _open_pull(tx: Connection, access: Access, number: int) -> Pull:
    found = _pull(tx, access, number)
    if found.state is not PullState.OPEN:
        message = f"Pull request #{number} is {found.state}; its branch is worked on no more."
        raise AppError(Code.CONFLICT, message)
    return found

"""Comments on the lines of pull requests: those not yet sent, and reviews."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.reviews import LineComment, NewComment, Review, Side
from journeyman.store.tables import account, review, review_comment

_COMMENT = (
    review_comment.c.id,
    review_comment.c.path,
    review_comment.c.line,
    review_comment.c.side,
    review_comment.c.text,
    review_comment.c.body,
    review_comment.c.created_at,
)


def add_comment(
    tx: sa.Connection, pull_id: int, user_id: int, new: NewComment, now: datetime
) -> None:
    """It waits to be sent."""
    tx.execute(
        review_comment.insert().values(
            pull_id=pull_id,
            user_id=user_id,
            path=new.path,
            line=new.line,
            side=new.side,
            text=new.text,
            body=new.body,
            created_at=now,
        )
    )


def pending(tx: sa.Connection, pull_id: int, user_id: int) -> list[LineComment]:
    """In the order they were written."""
    rows = tx.execute(
        sa.select(*_COMMENT).where(*_waiting(pull_id, user_id)).order_by(review_comment.c.id)
    )
    return [_comment(row) for row in rows]


def delete_pending(tx: sa.Connection, pull_id: int, user_id: int, comment_id: int) -> bool:
    """False when it is gone already."""
    wanted = (*_waiting(pull_id, user_id), review_comment.c.id == comment_id)
    return tx.execute(review_comment.delete().where(*wanted)).rowcount == 1


def add_review(
    tx: sa.Connection,
    *,
    pull_id: int,
    user_id: int,
    body: str,
    task_id: str,
    comment_ids: list[int],
    now: datetime,
) -> None:
    """What waited of these comments is sent with it."""
    made = tx.execute(
        review.insert()
        .values(pull_id=pull_id, user_id=user_id, body=body, task_id=task_id, created_at=now)
        .returning(review.c.id)
    ).scalar_one()
    tx.execute(
        review_comment.update()
        .where(*_waiting(pull_id, user_id), review_comment.c.id.in_(comment_ids))
        .values(review_id=made)
    )


def list_reviews(tx: sa.Connection, pull_id: int) -> list[Review]:
    """Oldest first."""
    comments: defaultdict[int, list[LineComment]] = defaultdict(list)
    sent = sa.select(review_comment.c.review_id, *_COMMENT).where(
        review_comment.c.pull_id == pull_id, review_comment.c.review_id.is_not(None)
    )
    for review_id, *row in tx.execute(sent.order_by(review_comment.c.id)):
        comments[review_id].append(_comment(row))
    rows = tx.execute(
        sa.select(review, account.c.login)
        .select_from(review.join(account, account.c.id == review.c.user_id))
        .where(review.c.pull_id == pull_id)
        .order_by(review.c.id)
    )
    return [
        Review(row.id, row.login, row.body, tuple(comments[row.id]), row.task_id, row.created_at)
        for row in rows
    ]


def _waiting(pull_id: int, user_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        review_comment.c.pull_id == pull_id,
        review_comment.c.user_id == user_id,
        review_comment.c.review_id.is_(None),
    )


def _comment(row: Any) -> LineComment:
    number, path, line, side, text, body, created_at = row
    return LineComment(number, path, line, Side(side), text, body, created_at)

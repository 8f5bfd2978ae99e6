"""The tables of what was told about a forge, and of where asking it left off."""

from __future__ import annotations

import sqlalchemy as sa

from journeyman.store.columns import BigId, Instant, Json, metadata

trigger = sa.Table(
    "trigger_event",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("thread", sa.Text, nullable=False),
    sa.Column("happening", Json, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("task_id", sa.ForeignKey("task.id")),
    sa.Column("session_id", sa.ForeignKey("session.id")),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("claimed_until", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("settled_at", Instant),
    sa.Index("ix_trigger_event_due", "stage", "due_at"),
    sa.Index("ix_trigger_event_thread", "thread", "stage"),
    sa.Index("ix_trigger_event_task_id", "task_id"),
    sqlite_autoincrement=True,
)
"""TRIGGER is a word of SQL's."""

forge_cursor = sa.Table(
    "forge_cursor",
    metadata,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("cursor", sa.Text),
    sa.Column("due_at", Instant, nullable=False),
)

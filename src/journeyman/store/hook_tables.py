"""The tables of webhooks, and of the audit log."""

from __future__ import annotations

import sqlalchemy as sa

from journeyman.store.columns import BigId, Instant, Json, metadata

hook = sa.Table(
    "hook",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("repository_id", sa.ForeignKey("repository.id"), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("events", Json, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("insecure_ssl", sa.Boolean, nullable=False),
    sa.Column("secret", sa.LargeBinary),
    sa.Column("last_code", sa.Integer),
    sa.Column("last_status", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Index("ix_hook_repository_id", "repository_id"),
    sqlite_autoincrement=True,
)

hook_notice = sa.Table(
    "hook_notice",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("guid", sa.Text, nullable=False),
    sa.Column("hook_id", sa.ForeignKey("hook.id"), nullable=False),
    sa.Column("task_id", sa.Text),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("action", sa.Text),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("holds", sa.Boolean, nullable=False),
    sa.Column("next_attempt_at", Instant),
    sa.Column("give_up_at", Instant, nullable=False),
    sa.Column("claimed_until", Instant),
    sa.Index("ix_hook_notice_next_attempt_at", "next_attempt_at"),
    sa.Index("ix_hook_notice_order", "hook_id", "task_id", "id"),
    sa.Index("ix_hook_notice_guid", "guid"),
    sqlite_autoincrement=True,
)

hook_delivery = sa.Table(
    "hook_delivery",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("notice_id", sa.ForeignKey("hook_notice.id"), nullable=False),
    sa.Column("hook_id", sa.ForeignKey("hook.id"), nullable=False),
    sa.Column("delivered_at", Instant, nullable=False),
    sa.Column("redelivery", sa.Boolean, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("request_headers", Json, nullable=False),
    sa.Column("response_headers", Json, nullable=False),
    sa.Column("response_payload", Json, nullable=False),
    sa.Index("ix_hook_delivery_hook_id", "hook_id"),
    sa.Index("ix_hook_delivery_notice_id", "notice_id"),
    sa.Index("ix_hook_delivery_delivered_at", "delivered_at"),
    sqlite_autoincrement=True,
)

audit_entry = sa.Table(
    "audit_entry",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("surface", sa.Text, nullable=False),
    sa.Column("actor_id", BigId),
    sa.Column("actor", sa.Text),
    sa.Column("token_id", BigId),
    sa.Column("token_kind", sa.Text),
    sa.Column("address", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Column("repository_id", BigId),
    sa.Column("repository", sa.Text),
    sa.Column("organization_id", BigId),
    sa.Column("organization", sa.Text),
    sa.Column("user_id", BigId),
    sa.Column("user", sa.Text),
    sa.Column("data", Json, nullable=False),
    sa.Index("ix_audit_entry_created_at", "created_at"),
    sa.Index("ix_audit_entry_repository_id", "repository_id"),
    sqlite_autoincrement=True,
)
"""Only ever added to; no foreign keys: what it names may go, the entry stays."""

"""The tables. Their names stay clear of those the workflow engine makes in the same SQLite file."""

from __future__ import annotations

import sqlalchemy as sa

from journeyman.store.columns import BigId, Instant, Json
from journeyman.store.columns import metadata as metadata
from journeyman.store.hook_tables import audit_entry as audit_entry
from journeyman.store.hook_tables import hook as hook
from journeyman.store.hook_tables import hook_delivery as hook_delivery
from journeyman.store.hook_tables import hook_notice as hook_notice
from journeyman.store.trigger_tables import forge_cursor as forge_cursor
from journeyman.store.trigger_tables import trigger as trigger

account = sa.Table(
    "account",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("login", sa.Text, nullable=False),
    sa.Column("login_key", sa.Text, nullable=False, unique=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("site_admin", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("suspended_at", Instant),
    sqlite_autoincrement=True,
)

token = sa.Table(
    "token",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("last_eight", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("permissions", Json),
    sa.Column("repository_ids", Json),
    sa.Column("client_id", sa.ForeignKey("oauth_app.client_id")),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("last_used_at", Instant),
    sa.Column("revoked_at", Instant),
    sqlite_autoincrement=True,
)

oauth_app = sa.Table(
    "oauth_app",
    metadata,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("secret_digest", sa.LargeBinary),
    sa.Column("callback_urls", Json, nullable=False),
    sa.Column("device_flow", sa.Boolean, nullable=False),
    sa.Column("permissions", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("deleted_at", Instant),
)

oauth_device = sa.Table(
    "oauth_device",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("user_code_digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("client_id", sa.ForeignKey("oauth_app.client_id"), nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("account_id", sa.ForeignKey("account.id")),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("polled_at", Instant),
)

oauth_code = sa.Table(
    "oauth_code",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("client_id", sa.ForeignKey("oauth_app.client_id"), nullable=False),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("code_challenge", sa.Text),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
)

oauth_refresh = sa.Table(
    "oauth_refresh",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("token_id", sa.ForeignKey("token.id"), nullable=False, index=True),
    sa.Column("by_device", sa.Boolean, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
    sa.Column("follows", sa.ForeignKey("token.id"), index=True),
)

password = sa.Table(
    "password",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

login_link = sa.Table(
    "login_link",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id")),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
)

web_session = sa.Table(
    "web_session",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
    sa.Column("secret", sa.LargeBinary),
)

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("since", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
)

server_key = sa.Table(
    "server_key",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)

repository = sa.Table(
    "repository",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("owner_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("name_key", sa.Text, nullable=False),
    sa.Column("default_branch", sa.Text, nullable=False),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.Column("archived", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("owner_id", "name_key"),
    sqlite_autoincrement=True,
)

collaborator = sa.Table(
    "collaborator",
    metadata,
    sa.Column("repository_id", sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("permission", sa.Integer, nullable=False),
)

pull = sa.Table(
    "pull",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("repository_id", sa.ForeignKey("repository.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("user_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("head_ref", sa.Text, nullable=False),
    sa.Column("base_ref", sa.Text, nullable=False),
    sa.Column("draft", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("ended_head_sha", sa.Text),
    sa.Column("ended_base_sha", sa.Text),
    sa.Column("merged_by_id", sa.ForeignKey("account.id")),
    sa.Column("merge_sha", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("repository_id", "number"),
    sa.Index(
        "uq_pull_open",
        *("repository_id", "head_ref", "base_ref"),
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
    sqlite_autoincrement=True,
)

task = sa.Table(
    "task",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("repository_id", sa.ForeignKey("repository.id"), nullable=False),
    sa.Column("creator_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("custom_agent", sa.Text),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("session_count", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("archived_at", Instant),
    sa.Index(None, "repository_id", "archived_at", "updated_at"),
    sa.Index(None, "repository_id", "archived_at", "created_at"),
    sa.Index(None, "creator_id", "archived_at", "updated_at"),
    sa.Index(None, "creator_id", "archived_at", "created_at"),
    sa.Index("ix_task_by_day", "created_at", "repository_id", "state"),
)

task_count = sa.Table(
    "task_count",
    metadata,
    sa.Column("repository_id", sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("creator_id", sa.ForeignKey("account.id"), primary_key=True, index=True),
    sa.Column("active", sa.Integer, nullable=False),
    sa.Column("archived", sa.Integer, nullable=False),
)

session = sa.Table(
    "session",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("task_id", sa.ForeignKey("task.id"), nullable=False),
    sa.Column("repository_id", sa.ForeignKey("repository.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("user_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("state_reason", sa.Text),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("custom_agent", sa.Text),
    sa.Column("create_pull_request", sa.Boolean, nullable=False),
    sa.Column("base_ref", sa.Text, nullable=False),
    sa.Column("base_sha", sa.Text),
    sa.Column("head_ref", sa.Text, nullable=False),
    sa.Column("on_existing_branch", sa.Boolean, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("usage_nano_credits", sa.BigInteger),
    sa.Column("run_number", sa.Integer, nullable=False),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("last_seq", sa.Integer, nullable=False),
    sa.Column("limits", Json, nullable=False),
    sa.Column("urgent", sa.Boolean, nullable=False),
    sa.Column("cancel_requested_at", Instant),
    sa.Column("pause_requested_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("completed_at", Instant),
    sa.Column("events_expired_at", Instant),
    sa.UniqueConstraint("task_id", "number"),
    sa.Index(
        "ix_session_times", "created_at", "repository_id", "state", "started_at", "completed_at"
    ),
)

usage = sa.Table(
    "usage",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("repository_id", sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("nano_credits", sa.BigInteger, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("session_id", sa.ForeignKey("session.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("record", Json),
)

message = sa.Table(
    "message",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("session_id", sa.ForeignKey("session.id"), nullable=False, index=True),
    sa.Column("user_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("consumed_seq", sa.Integer),
    sqlite_autoincrement=True,
)

artifact = sa.Table(
    "artifact",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("task_id", sa.ForeignKey("task.id"), nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.UniqueConstraint("task_id", "type", "key"),
    sqlite_autoincrement=True,
)

checkpoint = sa.Table(
    "checkpoint",
    metadata,
    sa.Column("session_id", sa.ForeignKey("session.id"), primary_key=True),
    sa.Column("sha", sa.Text, nullable=False),
    sa.Column("head_sha", sa.Text, nullable=False),
    sa.Column("tree", sa.Text, nullable=False),
    sa.Column("changed_files", sa.Integer, nullable=False),
    sa.Column("bundle", sa.LargeBinary),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expired_at", Instant),
)

session_credential = sa.Table(
    "session_credential",
    metadata,
    sa.Column("session_id", sa.ForeignKey("session.id"), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

review = sa.Table(
    "review",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("pull_id", sa.ForeignKey("pull.id"), nullable=False, index=True),
    sa.Column("user_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("task_id", sa.ForeignKey("task.id"), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

review_comment = sa.Table(
    "review_comment",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("pull_id", sa.ForeignKey("pull.id"), nullable=False),
    sa.Column("user_id", sa.ForeignKey("account.id"), nullable=False),
    sa.Column("review_id", sa.ForeignKey("review.id")),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index(None, "pull_id", "user_id"),
    sqlite_autoincrement=True,
)

template = sa.Table(
    "template",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("repository_id", sa.ForeignKey("repository.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("repository_id", "name"),
    sqlite_autoincrement=True,
)

idempotency_key = sa.Table(
    "idempotency_key",
    metadata,
    sa.Column("account_id", sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("task_id", sa.ForeignKey("task.id"), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

worker = sa.Table(
    "worker",
    metadata,
    sa.Column("executor_id", sa.Text, primary_key=True),
    sa.Column("heartbeat_ms", sa.BigInteger, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
)

former_name = sa.Table(
    "former_name",
    metadata,
    sa.Column("owner_key", sa.Text, primary_key=True),
    sa.Column("name_key", sa.Text, primary_key=True),
    sa.Column("repository_id", sa.ForeignKey("repository.id"), nullable=False),
)

agent_value = sa.Table(
    "agent_value",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("organization_id", sa.ForeignKey("account.id")),
    sa.Column("repository_id", sa.ForeignKey("repository.id")),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("visibility", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("organization_id", "kind", "name"),
    sa.UniqueConstraint("repository_id", "kind", "name"),
    sqlite_autoincrement=True,
)

agent_value_repository = sa.Table(
    "agent_value_repository",
    metadata,
    sa.Column("value_id", sa.ForeignKey("agent_value.id"), primary_key=True),
    sa.Column("repository_id", sa.ForeignKey("repository.id"), primary_key=True),
)

agent_configuration = sa.Table(
    "agent_configuration",
    metadata,
    sa.Column("repository_id", sa.ForeignKey("repository.id"), primary_key=True),
    sa.Column("data", Json, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

rate_window = sa.Table(
    "rate_window",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("resets_at", sa.BigInteger, nullable=False),  # Unix seconds, as clients get it
    sa.Column("used", sa.Integer, nullable=False),
)

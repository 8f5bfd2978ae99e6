"""Webhooks with their deliveries, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _hook()
    _hook_notice()
    _hook_delivery()
    _audit_entry()


def _hook() -> None:
    op.create_table(
        "hook",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("repository_id", BIG_ID, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("insecure_ssl", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("last_code", sa.Integer(), nullable=True),
        sa.Column("last_status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_hook_repository_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_hook_repository_id", "hook", ["repository_id"], unique=False)


def _hook_notice() -> None:
    op.create_table(
        "hook_notice",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("hook_id", BIG_ID, nullable=False),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("give_up_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["hook_id"], ["hook.id"], name=op.f("fk_hook_notice_hook_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_notice")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_hook_notice_next_attempt_at", "hook_notice", ["next_attempt_at"])
    op.create_index("ix_hook_notice_order", "hook_notice", ["hook_id", "task_id", "id"])
    op.create_index("ix_hook_notice_guid", "hook_notice", ["guid"])


def _hook_delivery() -> None:
    op.create_table(
        "hook_delivery",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("notice_id", BIG_ID, nullable=False),
        sa.Column("hook_id", BIG_ID, nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=False),
        sa.Column("redelivery", sa.Boolean(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("request_headers", sa.Text(), nullable=False),
        sa.Column("response_headers", sa.Text(), nullable=False),
        sa.Column("response_payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["hook_id"], ["hook.id"], name=op.f("fk_hook_delivery_hook_id")),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["hook_notice.id"], name=op.f("fk_hook_delivery_notice_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_delivery")),
        sqlite_autoincrement=True,
    )
    for column in ("hook_id", "notice_id", "delivered_at"):
        op.create_index(f"ix_hook_delivery_{column}", "hook_delivery", [column])


def _audit_entry() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("surface", sa.Text(), nullable=False),
        sa.Column("actor_id", BIG_ID, nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("token_id", BIG_ID, nullable=True),
        sa.Column("token_kind", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("repository_id", BIG_ID, nullable=True),
        sa.Column("repository", sa.Text(), nullable=True),
        sa.Column("organization_id", BIG_ID, nullable=True),
        sa.Column("organization", sa.Text(), nullable=True),
        sa.Column("user_id", BIG_ID, nullable=True),
        sa.Column("user", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        sqlite_autoincrement=True,
    )
    for column in ("created_at", "repository_id"):
        op.create_index(f"ix_audit_entry_{column}", "audit_entry", [column])

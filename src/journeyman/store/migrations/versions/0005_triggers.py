"""What was told about a forge and may start work, and where asking it left off."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "trigger_event",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("happening", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_trigger_event_task_id")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_trigger_event_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger_event")),
        sa.UniqueConstraint("key", name=op.f("uq_trigger_event_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_trigger_event_due", "trigger_event", ["stage", "due_at"])
    op.create_index("ix_trigger_event_thread", "trigger_event", ["thread", "stage"])
    op.create_index("ix_trigger_event_task_id", "trigger_event", ["task_id"])
    op.create_table(
        "forge_cursor",
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repository", name=op.f("pk_forge_cursor")),
    )

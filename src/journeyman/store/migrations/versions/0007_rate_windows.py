"""What callers have used of their hour, so that a restart forgets nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_window",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("resets_at", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
    )

"""The token of who has logged in with one of another forge, encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("web_session", sa.Column("secret", sa.LargeBinary(), nullable=True))

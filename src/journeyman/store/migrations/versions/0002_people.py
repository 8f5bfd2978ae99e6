"""Logging in and OAuth; what a repository gives its agents; reviews and templates."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "oauth_device",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("account_id", BIG_ID, nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("polled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_oauth_device_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["oauth_app.client_id"], name=op.f("fk_oauth_device_client_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth_device")),
        sa.UniqueConstraint("user_code_digest", name=op.f("uq_oauth_device_user_code_digest")),
    )
    op.create_table(
        "oauth_code",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("account_id", BIG_ID, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_oauth_code_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["oauth_app.client_id"], name=op.f("fk_oauth_code_client_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth_code")),
    )
    op.create_table(
        "oauth_refresh",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("token_id", BIG_ID, nullable=False),
        sa.Column("by_device", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("follows", BIG_ID, nullable=True),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name=op.f("fk_oauth_refresh_token_id")),
        sa.ForeignKeyConstraint(["follows"], ["token.id"], name=op.f("fk_oauth_refresh_follows")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oauth_refresh")),
    )
    op.create_index(op.f("ix_token_id"), "oauth_refresh", ["token_id"], unique=False)
    op.create_index(op.f("ix_follows"), "oauth_refresh", ["follows"], unique=False)
    op.create_table(
        "password",
        sa.Column("account_id", BIG_ID, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_password_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_password")),
    )
    op.create_table(
        "login_link",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", BIG_ID, nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_login_link_account_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_login_link")),
    )
    op.create_table(
        "web_session",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", BIG_ID, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_web_session_account_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_web_session")),
    )
    op.create_index(op.f("ix_account_id"), "web_session", ["account_id"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempt")),
    )
    op.create_table(
        "server_key",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_server_key")),
    )
    op.create_table(
        "former_name",
        sa.Column("owner_key", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("repository_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_former_name_repository_id")
        ),
        sa.PrimaryKeyConstraint("owner_key", "name_key", name=op.f("pk_former_name")),
    )
    op.create_table(
        "agent_value",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("organization_id", BIG_ID, nullable=True),
        sa.Column("repository_id", BIG_ID, nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["account.id"], name=op.f("fk_agent_value_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_agent_value_repository_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_value")),
        sa.UniqueConstraint(
            "organization_id", "kind", "name", name=op.f("uq_agent_value_organization_id_kind_name")
        ),
        sa.UniqueConstraint(
            "repository_id", "kind", "name", name=op.f("uq_agent_value_repository_id_kind_name")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "agent_value_repository",
        sa.Column("value_id", BIG_ID, nullable=False),
        sa.Column("repository_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["value_id"], ["agent_value.id"], name=op.f("fk_agent_value_repository_value_id")
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repository.id"],
            name=op.f("fk_agent_value_repository_repository_id"),
        ),
        sa.PrimaryKeyConstraint(
            "value_id", "repository_id", name=op.f("pk_agent_value_repository")
        ),
    )
    op.create_table(
        "agent_configuration",
        sa.Column("repository_id", BIG_ID, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_agent_configuration_repository_id")
        ),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_agent_configuration")),
    )
    op.create_table(
        "review",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("pull_id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["pull_id"], ["pull.id"], name=op.f("fk_review_pull_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_review_task_id")),
        sa.ForeignKeyConstraint(["user_id"], ["account.id"], name=op.f("fk_review_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_pull_id"), "review", ["pull_id"], unique=False)
    op.create_table(
        "review_comment",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("pull_id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("review_id", BIG_ID, nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["pull_id"], ["pull.id"], name=op.f("fk_review_comment_pull_id")),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name=op.f("fk_review_comment_review_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account.id"], name=op.f("fk_review_comment_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_comment")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_pull_id_user_id"), "review_comment", ["pull_id", "user_id"], unique=False
    )
    op.create_table(
        "template",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("repository_id", BIG_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_template_repository_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template")),
        sa.UniqueConstraint("repository_id", "name", name=op.f("uq_template_repository_id_name")),
        sqlite_autoincrement=True,
    )
    _register_the_clients_that_are_known()


def _register_the_clients_that_are_known() -> None:
    """GitHub's own command line and Journeyman's: both log in by the device flow."""
    apps = sa.table(
        "oauth_app",
        sa.column("client_id", sa.Text()),
        sa.column("name", sa.Text()),
        sa.column("kind", sa.Text()),
        sa.column("callback_urls", sa.Text()),
        sa.column("device_flow", sa.Boolean()),
        sa.column("permissions", sa.Text()),
        sa.column("created_at", sa.BigInteger()),
    )
    same = {"kind": "oauth", "device_flow": True, "permissions": "{}", "created_at": 0}
    loopback = '["http://127.0.0.1/callback"]'
    known = (("178c6fc778ccc68e1d6a", "GitHub CLI"), ("6a6f75726e65796d616e", "Journeyman CLI"))
    op.bulk_insert(
        apps,
        [
            {"client_id": client_id, "name": name, "callback_urls": loopback, **same}
            for client_id, name in known
        ],
    )

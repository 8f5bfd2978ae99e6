"""`journeyman token …`: who may use the forge and the API, while the server runs or not."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from journeyman.cli import options, output
from journeyman.domain import oauth
from journeyman.domain.errors import AppError, Code, invalid

if TYPE_CHECKING:
    from journeyman.config import Config
    from journeyman.domain.principals import Token


LONGEST_DAYS = 36_500


class Rights(NamedTuple):
    """What a fine-grained token may do."""

    permissions: Mapping[str, str]
    repositories: Sequence[str] | None


token = typer.Typer(no_args_is_help=True, help="Access tokens of the embedded forge.")


def register(root: typer.Typer) -> None:
    root.add_typer(token, name="token")


@token.command()
def create(
    user: Annotated[str, typer.Option("--user", metavar="NAME", show_default=False)],
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="classic, or fine-grained.")
    ] = "classic",
    permission: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LEVEL", help="Of a fine-grained one, as agent_tasks=write; repeatable."
        ),
    ] = None,
    repository: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OWNER/NAME", help="What a fine-grained one reaches, else all; repeatable."
        ),
    ] = None,
    create_user: Annotated[
        bool, typer.Option("--create-user", help="Make the user where there is none.")
    ] = False,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires_days: Annotated[
        int | None,
        typer.Option(min=1, max=LONGEST_DAYS, help="Else it never expires.", show_default=False),
    ] = None,
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a token for a user. Prints the token alone, this once.

    The first user of all is made with it, and so is one who owns a repository already.
    """
    import asyncio

    expires_at = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
    settings = options.operating(data, config)
    rights = _rights(kind, permission or [], repository)
    users, (secret, made) = asyncio.run(
        _create(settings, user, note, expires_at, rights, create_user=create_user)
    )
    if made.account.login not in users:
        output.hint(f"there was no user {made.account.login}; it was made, too")
    if as_json:
        output.print_json({"token": secret, **_as_json(made)})
    else:
        print(secret)
        output.hint(f"token {made.id} of {made.account.login}; it is not shown again")


@token.command("list")
def list_(
    data: options.Data = None, config: options.File = None, as_json: options.AsJson = False
) -> None:
    """List the tokens; only their last characters are known."""
    import asyncio

    found = asyncio.run(_list(options.operating(data, config)))
    if as_json:
        output.print_json([_as_json(one) for one in found])
    elif not found:
        output.hint("no tokens; make one: journeyman token create --user NAME")
    else:
        rows = [
            (
                str(one.id),
                one.account.login,
                one.kind.replace("_", "-"),
                f"…{one.last_eight}",
                _standing(one),
                output.ago(one.last_used_at.isoformat()) if one.last_used_at else "never",
                one.note,
            )
            for one in found
        ]
        output.print_table(("ID", "USER", "KIND", "TOKEN", "STATE", "LAST USED", "NOTE"), rows)


@token.command()
def revoke(
    token_id: Annotated[int, typer.Argument(metavar="ID", show_default=False)],
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """End a token at once."""
    import asyncio

    asyncio.run(_revoke(options.operating(data, config), token_id))
    if as_json:
        output.print_json({"id": token_id, "revoked": True})
    else:
        print(f"revoked token {token_id}")


def _rights(
    kind: str, permissions: Sequence[str], repositories: Sequence[str] | None
) -> Rights | None:
    """None for a classic token, which may do whatever its user may."""
    if kind == "fine-grained":
        return Rights(oauth.parse_permissions(permissions), repositories or None)
    if kind != "classic":
        raise invalid("kind", f"There is no kind {kind!r}: classic or fine-grained.")
    if permissions or repositories:
        raise invalid("kind", "--permission and --repository need --kind fine-grained.")
    return None


async def _create(
    config: Config,
    user: str,
    note: str,
    expires_at: datetime | None,
    rights: Rights | None,
    *,
    create_user: bool,
) -> tuple[set[str], tuple[str, Token]]:
    """Who was a user before, and what was made."""
    from journeyman.administering import operating

    async with operating(config) as operator:
        users = {one.login for one in await operator.administration.list_users()}
        if users and not create_user:
            owners = {one.owner.login for one in await operator.administration.list_repositories()}
            _check_known(user, users | owners)
        if rights is None:
            return users, await operator.administration.create_token(
                user, note=note, expires_at=expires_at
            )
        return users, await operator.administration.create_fine_grained_token(
            user,
            permissions=rights.permissions,
            repositories=rights.repositories,
            note=note,
            expires_at=expires_at,
        )


def _check_known(user: str, logins: set[str]) -> None:
    """NOT_FOUND for a new name among others: it is mistyped more often than meant."""
    known = {login.lower(): login for login in logins}
    if user.lower() not in known:
        near = difflib.get_close_matches(user.lower(), known, n=1)
        meant = f"did you mean {known[near[0]]!r}? " if near else ""
        message = f"There is no user {user!r}; {meant}`--create-user` makes one."
        raise AppError(Code.NOT_FOUND, message)


async def _list(config: Config) -> Sequence[Token]:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.administration.list_tokens()


async def _revoke(config: Config, token_id: int) -> None:
    from journeyman.administering import operating

    async with operating(config) as operator:
        await operator.administration.revoke_token(token_id)


def _standing(one: Token) -> str:
    if one.revoked_at:
        return "revoked"
    if one.expires_at is None:
        return "valid"
    over = one.expires_at <= datetime.now(UTC)
    return "expired" if over else f"valid until {one.expires_at:%Y-%m-%d}"


def _as_json(one: Token) -> dict[str, object]:
    times = {
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "last_used_at": one.last_used_at,
        "revoked_at": one.revoked_at,
    }
    return {
        "id": one.id,
        "user": one.account.login,
        "kind": one.kind.value,
        "last_eight": one.last_eight,
        "note": one.note,
        "scopes": list(one.scopes),
        "permissions": None if one.permissions is None else dict(one.permissions),
        "repository_ids": None if one.repository_ids is None else sorted(one.repository_ids),
        "client_id": one.client_id,
        **{name: time.isoformat() if time else None for name, time in times.items()},
    }

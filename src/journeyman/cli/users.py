"""`journeyman user …`: who may log in to the embedded forge, while the server runs or not."""

from __future__ import annotations

import getpass
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman.cli import options, output
from journeyman.domain.errors import AppError, Code

if TYPE_CHECKING:
    from journeyman.config import Config
    from journeyman.domain.repositories import Account

user = typer.Typer(no_args_is_help=True, help="Users of the embedded forge.")

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


def register(root: typer.Typer) -> None:
    root.add_typer(user, name="user")


@user.command()
def create(
    name: Name,
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a user. The first of all administers the site."""
    import asyncio

    made = asyncio.run(_create(options.operating(data, config), name))
    if as_json:
        output.print_json(_as_json(made))
    else:
        print(f"created user {made.login}" + (", who administers the site" * made.site_admin))
        output.hint(f"to let them log in: journeyman user link {made.login}")


@user.command("list")
def list_(
    data: options.Data = None, config: options.File = None, as_json: options.AsJson = False
) -> None:
    """List the users."""
    import asyncio

    found = asyncio.run(_list(options.operating(data, config)))
    if as_json:
        output.print_json([_as_json(one) for one in found])
    elif not found:
        output.hint("no users; make one: journeyman user create NAME")
    else:
        rows = [
            (one.login, str(one.id), "administrator" if one.site_admin else "user") for one in found
        ]
        output.print_table(("USER", "ID", "IS"), rows)


@user.command()
def password(
    name: Name,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read it from standard input.")] = False,
    data: options.Data = None,
    config: options.File = None,
) -> None:
    """Set a user's password. Their sessions on the web end."""
    import asyncio

    settings = options.operating(data, config)
    chosen = sys.stdin.readline().rstrip("\r\n") if stdin else _asked()
    asyncio.run(_set_password(settings, name, chosen))
    output.hint(f"the password of {name} is set")


def _asked() -> str:
    # Where there is no terminal, it would be shown as it is typed.
    warnings.simplefilter("error", getpass.GetPassWarning)
    try:
        return str(
            typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
        )
    except getpass.GetPassWarning as exc:
        message = "there is no terminal to ask for the password; use --stdin."
        raise AppError(Code.INVALID, message) from exc


@user.command()
def link(
    name: Name,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            callback=options.address,
            help="What the link starts with, else as configured.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
    config: options.File = None,
) -> None:
    """Print a link that logs a user in, once, within the hour."""
    import asyncio

    settings = options.operating(data, config)
    secret = asyncio.run(_link(settings, name))
    print(f"{(url or settings.public_url).rstrip('/')}/login/link/{secret}")
    output.hint(f"it logs {name} in, once, within the hour")


async def _create(config: Config, name: str) -> Account:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.administration.create_user(name)


async def _list(config: Config) -> Sequence[Account]:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.administration.list_users()


async def _set_password(config: Config, name: str, chosen: str) -> None:
    from journeyman.administering import operating

    async with operating(config) as operator:
        await operator.logins.set_password(name, chosen)


async def _link(config: Config, name: str) -> str:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.logins.create_link(name)


def _as_json(one: Account) -> dict[str, object]:
    return {
        "id": one.id,
        "login": one.login,
        "site_admin": one.site_admin,
        "created_at": one.created_at.isoformat(),
    }

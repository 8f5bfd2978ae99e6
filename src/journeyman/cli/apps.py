"""`journeyman app …`: the apps that may ask for users' tokens, while the server runs or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman.cli import options, output
from journeyman.domain import oauth
from journeyman.domain.errors import invalid

if TYPE_CHECKING:
    from journeyman.config import Config
    from journeyman.service.apps import NewApp

app = typer.Typer(no_args_is_help=True, help="Apps that act for users: OAuth apps, GitHub Apps.")

ClientId = Annotated[str, typer.Argument(metavar="CLIENT-ID", show_default=False)]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="app")


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    kind: Annotated[str, typer.Option(metavar="KIND", help="oauth, or github.")] = "oauth",
    callback: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Where users come back to; repeatable. On 127.0.0.1 any port will do.",
        ),
    ] = None,
    device_flow: Annotated[
        bool, typer.Option("--device-flow", help="Its users may type a code instead.")
    ] = False,
    permission: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LEVEL", help="Of a GitHub App, as agent_tasks=write; repeatable."
        ),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="A program on users' machines: it has no secret.")
    ] = False,
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """Register an app. Its client secret is printed this once."""
    import asyncio

    from journeyman.service.apps import NewApp

    if kind not in set(oauth.AppKind):
        raise invalid("kind", f"There is no kind {kind!r}: oauth or github.")
    if permission and kind != oauth.AppKind.GITHUB:
        raise invalid(
            "permission", "An OAuth app asks for scopes; --permission is for --kind github."
        )
    new = NewApp(
        name=name,
        kind=oauth.AppKind(kind),
        callback_urls=tuple(callback or ()),
        device_flow=device_flow,
        permissions=oauth.parse_permissions(permission or []),
        public=public,
    )
    made, secret = asyncio.run(_create(options.operating(data, config), new))
    if as_json:
        output.print_json({**_as_json(made), "client_secret": secret})
        return
    print(f"client id      {made.client_id}")
    if secret is not None:
        print(f"client secret  {secret}")
        output.hint("the secret is not shown again")


@app.command("list")
def list_(
    data: options.Data = None, config: options.File = None, as_json: options.AsJson = False
) -> None:
    """List the apps."""
    import asyncio

    found = asyncio.run(_list(options.operating(data, config)))
    if as_json:
        output.print_json([_as_json(one) for one in found])
        return
    rows = [
        (
            one.client_id,
            one.name,
            "GitHub App" if one.kind is oauth.AppKind.GITHUB else "OAuth app",
            "yes" if one.device_flow else "no",
            ", ".join(one.callback_urls),
        )
        for one in found
    ]
    output.print_table(("CLIENT ID", "NAME", "KIND", "DEVICE FLOW", "CALLBACK URLS"), rows)


@app.command()
def delete(
    client_id: ClientId,
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """Delete an app and end all of its tokens."""
    import asyncio

    asyncio.run(_delete(options.operating(data, config), client_id))
    if as_json:
        output.print_json({"client_id": client_id, "deleted": True})
    else:
        print(f"deleted app {client_id}")


@app.command("installation-token")
def installation_token(
    client_id: ClientId,
    owner: Annotated[str, typer.Argument(metavar="OWNER", show_default=False)],
    data: options.Data = None,
    config: options.File = None,
) -> None:
    """Print a GitHub App's own token for an owner, for an hour. The tasks API refuses it, as
    GitHub's does: try your app's answer to that."""
    import asyncio

    print(asyncio.run(_installation_token(options.operating(data, config), client_id, owner)))


async def _create(config: Config, new: NewApp) -> tuple[oauth.App, str | None]:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.apps.create(new)


async def _list(config: Config) -> Sequence[oauth.App]:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.apps.list()


async def _delete(config: Config, client_id: str) -> None:
    from journeyman.administering import operating

    async with operating(config) as operator:
        await operator.apps.delete(client_id)


async def _installation_token(config: Config, client_id: str, owner: str) -> str:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.apps.create_installation_token(client_id, owner)


def _as_json(one: oauth.App) -> dict[str, object]:
    return {
        "client_id": one.client_id,
        "name": one.name,
        "kind": one.kind.value,
        "device_flow": one.device_flow,
        "callback_urls": list(one.callback_urls),
        "permissions": dict(one.permissions),
        "created_at": one.created_at.isoformat(),
    }

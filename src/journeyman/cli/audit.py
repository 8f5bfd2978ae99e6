"""`journeyman audit`: who did what, for the operator, while the server runs or not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman.cli import options, output
from journeyman.domain.errors import not_found

if TYPE_CHECKING:
    from journeyman.config import Config
    from journeyman.domain.audit import AuditQuery, Entry

MOST = 1000


def register(root: typer.Typer) -> None:
    root.command()(audit)


def audit(
    repository: Annotated[
        str | None, typer.Option("--repo", metavar="OWNER/NAME", show_default=False)
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(
            "--action",
            metavar="NAME",
            help="task.create, or task for all of its kind; may be repeated.",
            show_default=False,
        ),
    ] = None,
    actor: Annotated[
        list[str] | None, typer.Option("--actor", metavar="LOGIN", show_default=False)
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", metavar="TIME", help="In UTC.", show_default=False)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", metavar="TIME", help="In UTC.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="The newest.")] = 30,
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the audit log, newest first."""
    import asyncio

    from journeyman.api.audit import entry
    from journeyman.domain.audit import AuditQuery

    query = AuditQuery(
        per_page=limit,
        actions=frozenset(action or ()),
        actors=frozenset(actor or ()),
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
    )
    found = asyncio.run(_read(options.operating(data, config), query, repository))
    if as_json:
        output.print_json([entry(one) for one in found])
    elif not found:
        output.hint("nothing of that kind is in the audit log")
    else:
        columns = ("AT", "ACTION", "BY", "FROM", "IN", "WHOM", "TOKEN")
        output.print_table(columns, [_row(one) for one in found])


async def _read(config: Config, query: AuditQuery, repository: str | None) -> Sequence[Entry]:
    from dataclasses import replace

    from journeyman.administering import operating

    async with operating(config, anywhere=True) as operator:
        if repository is not None:
            repository_id = await operator.audit.find_repository(repository)
            if repository_id is None:
                raise not_found(f"There is no repository {repository!r}.")
            query = replace(query, repository_id=repository_id)
        return (await operator.audit.all(query))[0]


def _row(one: Entry) -> tuple[str, ...]:
    return (
        one.created_at.strftime("%Y-%m-%d %H:%M:%S"),
        one.action,
        one.actor or ("operator" if one.surface == "cli" else "-"),
        one.address or one.surface,
        one.repository or one.organization or "-",
        one.user or "-",
        "-" if one.token_id is None else str(one.token_id),
    )

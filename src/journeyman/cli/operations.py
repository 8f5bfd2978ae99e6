"""What an operator does with everything at once: `backup`, `restore`, `copy-database`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman import __version__
from journeyman.cli import options, output

if TYPE_CHECKING:
    from journeyman.config import Config
    from journeyman.operations.backup import Place
    from journeyman.operations.progress import Progress


def register(root: typer.Typer) -> None:
    root.command()(backup)
    root.command()(restore)
    root.command("copy-database")(copy_database)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Made anew: NAME.tar.gz.")],
    data: options.Data = None,
    config: options.File = None,
    database: options.Database = None,
) -> None:
    """Write database, repositories and keys to one file, while a server goes on working.

    Whoever has the file has every token's digest and every secret: keep it as you keep the data.
    """
    from journeyman.operations.backup import back_up

    settings = options.operating(data, config, empty=True, database__url=database)
    with _progress() as progress:
        made = asyncio.run(back_up(_place(settings), file.absolute(), progress=progress))
    rows = sum(table.rows for table in made.tables.values())
    size = output.about(file.stat().st_size)
    output.hint(f"{file}: {size}, {rows} rows, {len(made.files)} files; settings are not in it")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` has written.")],
    data: options.Data = None,
    config: options.File = None,
    database: options.Database = None,
) -> None:
    """Bring a backup back, into an empty data directory and an empty database."""
    from journeyman.operations.restore import restore as bring_back

    settings = options.operating(data, config, empty=True, database__url=database)
    with _progress() as progress:
        made = asyncio.run(bring_back(_place(settings), file.absolute(), progress=progress))
    output.hint(f"restored to {settings.data} as it was at {made.created_at}; start the server")


def copy_database(
    target: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="URL", help="postgresql://…, an empty database.", show_default=False
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="sqlite:///PATH; else that of the data directory.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
    config: options.File = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Go on with the SQLite database that was copied.")
    ] = False,
) -> None:
    """Move from SQLite to PostgreSQL. What was broken off goes on with the same command.

    Afterwards nothing works with the SQLite database any more, but after --undo.
    """
    from journeyman.operations import copying

    if undo is (target is not None):
        raise typer.BadParameter("Give either --to URL or --undo.")
    settings = options.operating(data, config, empty=True, database__url=source)
    if target is None:
        copying.undo(settings.database.url)
        output.hint("the SQLite database is worked with again, as it was when it was copied")
        return
    with _progress() as progress:
        found = copying.copy(settings.database.url, target, progress=progress)
    output.hint(
        f"{sum(found.values())} rows in {len(found)} tables are the same in both; "
        "set database.url (or --database) to the new one and start the server"
    )


def _place(settings: Config) -> Place:
    from journeyman.operations.backup import Place

    return Place(__version__, settings.database.url, settings.data)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar for people on a terminal, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<30}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Bars(
        *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
    ) as bars:
        known: dict[str, object] = {}

        def tell(what: str, done: int, all_: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what)
            bars.update(known[what], completed=done, total=all_)  # type: ignore[arg-type]

        yield tell

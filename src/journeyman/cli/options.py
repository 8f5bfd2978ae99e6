"""Options that several commands share, and the configuration they lead to."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from journeyman.cli import output
from journeyman.domain.errors import AppError, Code

if TYPE_CHECKING:
    from journeyman.config import Config

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data directory.", show_default=False),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings; else DIR/journeyman.toml.", show_default=False
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="postgresql://USER:PASSWORD@HOST/NAME; else a SQLite file in DIR.",
        show_default=False,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="The server; else JOURNEYMAN_URL.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def full_name(text: str | None) -> str | None:
    """OWNER/REPO as it was typed, if it was."""
    if text is not None and not re.fullmatch(r"[\w-][\w.-]*/(?!\.{1,2}$)[\w.-]+", text):
        raise typer.BadParameter(f"{text!r} is not OWNER/REPO, for example alice/hello.")
    return text


def address(text: str | None) -> str | None:
    """The beginning of a link, if one was typed."""
    if text is not None and not re.match(r"https?://[^/\s]", text):
        raise typer.BadParameter(f"{text!r} is no address; it looks like https://agents.example.")
    return text


Repository = Annotated[
    str, typer.Argument(metavar="OWNER/REPO", callback=full_name, show_default=False)
]


def configured(data: Path | None, file: Path | None, **flags: Any) -> Config:
    """The configuration; *flags* are named like settings with `__` for the dot."""
    from journeyman import config

    given = {name.replace("__", "."): value for name, value in flags.items()}
    return config.load(file=file, flags={"data": data, **given})


def operating(
    data: Path | None, file: Path | None, *, quiet: bool = True, empty: bool = False, **flags: Any
) -> Config:
    """For a command that works on the data itself: the directory is there and can be written.

    A command that is not for an *empty* one tells when there is no database: the place could be
    mistyped, or another user's than the server's.
    """
    from journeyman.telemetry import logs

    config = configured(data, file, **flags)
    logs.configure("warning" if quiet else config.log.level, config.log.format)
    try:
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=config.data):
            pass
    except OSError as exc:
        message = (
            f"cannot write to the data directory {str(config.data)!r} "
            f"({exc.strerror}); name another with --data DIR"
        )
        raise AppError(Code.UNAVAILABLE, message) from exc
    if quiet and not empty and _has_no_database(config):
        output.hint(f"there is no database in {config.data} yet; --data DIR names another place")
    return config


def _has_no_database(config: Config) -> bool:
    kind, _, path = config.database.url.partition(":///")
    return kind == "sqlite" and not Path(path).exists()

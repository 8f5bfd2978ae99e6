"""The command line, `journeyman`: a client of the API, and what an operator does beside the server.

Each command imports what it needs when it runs, so that asking a server stays quick.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from journeyman import __version__
from journeyman.cli import (
    afterwards,
    apps,
    audit,
    demo,
    hooks,
    login,
    mcp,
    operations,
    replay,
    repositories,
    server,
    tasks,
    tokens,
    usage,
    users,
)
from journeyman.domain.errors import AppError, Code

EXIT_CODES = {Code.BAD_REQUEST: 2, Code.INVALID: 2}
"""What was asked for was wrong: 2, as for wrong usage. Everything else that failed: 1."""

PANELS = {
    "For users": (
        *("task", "models", "custom-agents", "usage", "hook", "mcp", "replay", "login", "logout"),
    ),
    "For operators": (
        *("serve", "worker", "repo", "token", "user", "app", "audit", "doctor", "config-check"),
        *("migrate", "backup", "restore", "copy-database", "demo"),
    ),
}
"""How the list of commands is laid out, as in docs/cli.md."""


class _InPanels(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        ordered = [name for names in PANELS.values() for name in names]
        return sorted(super().list_commands(ctx), key=ordered.index)


app = typer.Typer(
    name="journeyman",
    cls=_InPanels,
    help="An open, self-hosted cloud coding agent with GitHub's agent tasks API.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"journeyman {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


tasks.register(app)
afterwards.register(tasks.task)
replay.register(app, tasks.task)
server.register(app)
operations.register(app)
repositories.register(app)
tokens.register(app)
users.register(app)
apps.register(app)
login.register(app)
hooks.register(app)
audit.register(app)
usage.register(app)
mcp.register(app)
demo.register(app)
for panel, names in PANELS.items():
    for command in app.registered_commands:
        if (command.name or getattr(command.callback, "__name__", "")) in names:
            command.rich_help_panel = panel
    for group in app.registered_groups:
        if group.name in names:
            group.rich_help_panel = panel


def main() -> None:
    """Run one command. What a user can cause ends in one line on standard error."""
    try:
        app()
    except AppError as exc:
        _say(exc.message)
        sys.exit(EXIT_CODES.get(exc.code, 1))
    except BrokenPipeError:
        # The reader (`| head`) has gone; without this, Python complains again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _say(message: str) -> None:
    print(f"journeyman: {' '.join(message.split())}", file=sys.stderr)

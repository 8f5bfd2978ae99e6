"""Accompanies a task on a terminal: its live log, or a spinner, until it rests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from journeyman.cli import follow, output, view
from journeyman.cli.client import Client
from journeyman.cli.log import Log

INTERRUPTED = 130
"""As a shell reports SIGINT."""


def to_the_end(client: Client, task_id: str, *, shown: bool, as_json: bool) -> dict[str, Any]:
    """Until the task rests; leaves with exit code 1 when it was not completed."""
    follow_log(client, task_id, until=output.SETTLED, as_json=as_json, shown=shown)
    task = client.get_task(task_id)
    if not as_json:
        view.print_task(task)
        if task["state"] == "waiting_for_user":
            output.hint(f"it asks you something; answer with: journeyman task steer {task_id} …")
    elif not shown:
        output.print_json(task)
    if task["state"] != "completed":
        raise typer.Exit(1)
    return task


def follow_log(
    client: Client, task_id: str, *, until: frozenset[str], as_json: bool, shown: bool = True
) -> None:
    console = output.console()
    log = Log(console)
    show = _printer(log, as_json=as_json) if shown else lambda entry: log.note(entry.event)
    try:
        with _spinner(console, quiet=as_json) as tell:
            for entry in follow.follow(client, task_id, until=until):
                show(entry)
                tell(log.activity)
    except KeyboardInterrupt:
        output.hint(
            f"\ndetached; the task goes on. Resume: journeyman task logs --follow {task_id}"
        )
        output.hint(f"Stop it: journeyman task cancel {task_id}")
        raise typer.Exit(INTERRUPTED) from None


def _printer(log: Log, *, as_json: bool) -> Callable[[follow.Entry], None]:
    def show(entry: follow.Entry) -> None:
        if not as_json:
            log.show(entry.event)
        elif entry.cursor is not None:
            output.print_json_line(entry.event)

    return show


@contextlib.contextmanager
def _spinner(console: Console, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Gives a function that says what goes on; it shows on a terminal only."""
    if quiet or not console.is_terminal:
        yield lambda activity: None
        return
    with console.status(Text("waiting for a worker", style="dim")) as status:
        yield lambda activity: status.update(Text(activity.split("\n")[0][:100], style="dim"))

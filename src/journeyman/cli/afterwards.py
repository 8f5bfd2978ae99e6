"""`journeyman task archive`, `unarchive` and `pull-request`: what one does with a task's result."""

from __future__ import annotations

import typer

from journeyman.cli import options, output, view
from journeyman.cli.tasks import TaskId, connect


def register(task: typer.Typer) -> None:
    task.command()(archive)
    task.command()(unarchive)
    task.command("pull-request")(pull_request)


def archive(task_id: TaskId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Take a task that has ended out of the lists; `task list --archived` has it then."""
    _put(task_id, "archive", url, as_json=as_json)


def unarchive(task_id: TaskId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Put a task back into the lists."""
    _put(task_id, "unarchive", url, as_json=as_json)


def pull_request(task_id: TaskId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Open a pull request for the branch of a task that began without one."""
    with connect(url) as client:
        task = client.get_task(task_id)
        opened = client.open_pull(view.repository_of(task), task["id"])
    if as_json:
        output.print_json(opened)
    else:
        print(view.page_of_pull(task, opened["number"]))


def _put(task_id: str, verb: str, url: str | None, *, as_json: bool) -> None:
    with connect(url) as client:
        found = client.archive(task_id, verb)
    if as_json:
        output.print_json(found)
    else:
        output.hint(f"{verb}d")

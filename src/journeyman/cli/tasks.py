"""`journeyman task …`, `models` and `custom-agents`: what a user asks a server for."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman.cli import log, options, output, view

if TYPE_CHECKING:
    from journeyman.cli.client import Client

task = typer.Typer(no_args_is_help=True, help="Give tasks, and follow what becomes of them.")

TaskId = Annotated[
    str, typer.Argument(metavar="ID", help="The task's id, or its beginning.", show_default=False)
]


def register(root: typer.Typer) -> None:
    root.add_typer(task, name="task")
    root.command("models")(models)
    root.command("custom-agents")(custom_agents)


def _finite(number: float | None) -> float | None:
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter(f"{number} is no limit; give a number from 0 on.")
    return number


@task.command()
def create(
    repository: options.Repository,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What is to be done.", show_default=False),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("-F", "--file", metavar="FILE", help="Read the prompt; - is stdin."),
    ] = None,
    base: Annotated[str | None, typer.Option(help="The branch to start from.")] = None,
    head: Annotated[str | None, typer.Option(help="The branch to work on, there or new.")] = None,
    model: Annotated[str | None, typer.Option(help="One of `journeyman models`.")] = None,
    custom_agent: Annotated[
        str | None, typer.Option(help="One of the repository's agents.")
    ] = None,
    pull_request: Annotated[
        bool | None, typer.Option("--pull-request/--no-pull-request", help="Open a pull request.")
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(callback=_finite, help="Of work in each session; 0: no limit."),
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Replies of the model.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Sent and received.")] = None,
    max_credits: Annotated[
        float | None, typer.Option(callback=_finite, help="Money; one is 0.01 USD.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it ends.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Show the log until it ends.")] = False,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Give a task. With --wait or --follow: exit code 0 when it was completed, 1 otherwise."""
    body = {
        "prompt": _prompt(prompt, file),
        "base_ref": base,
        "head_ref": head,
        "model": model,
        "custom_agent": custom_agent,
        "create_pull_request": pull_request,
        "limits": _given(
            minutes=max_minutes, steps=max_steps, tokens=max_tokens, credits=max_credits
        ),
    }
    with connect(url) as client:
        made = client.create_task(repository, _given(**body) or {})
        if wait or follow:
            from journeyman.cli import watch

            watch.to_the_end(client, made["id"], shown=follow, as_json=as_json)
        elif as_json:
            output.print_json(made)
        else:
            print(made["id"])
            output.hint(f"queued; follow it with: journeyman task logs --follow {made['id']}")


@task.command("list")
def list_(
    repository: Annotated[
        str | None,
        typer.Argument(metavar="OWNER/REPO", callback=options.full_name, show_default=False),
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="Only these states; may be repeated.")
    ] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Those that were archived.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 30,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """List your tasks, or those of one repository; the newest change first."""
    states = ",".join(state) if state else None
    with connect(url) as client:
        tasks = client.list_tasks(repository, states=states, archived=archived, limit=limit)
    if as_json:
        output.print_json(tasks)
        return
    if not tasks:
        output.hint("no tasks")
        return
    rows = [
        (
            found["id"],
            output.state(found["state"], found.get("state_reason")),
            view.repository_of(found),
            output.ago(found.get("updated_at")),
            found.get("name"),
        )
        for found in tasks
    ]
    output.print_table(("ID", "STATE", "REPOSITORY", "UPDATED", "NAME"), rows)


@task.command("view")
def view_(
    task_id: TaskId,
    web: Annotated[bool, typer.Option("--web", help="Open it in a browser.")] = False,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Show a task with its sessions and what it made."""
    with connect(url) as client:
        found = client.get_task(task_id)
    if web:
        view.browse(found)
    elif as_json:
        output.print_json(found)
    else:
        view.print_task(found)


@task.command()
def logs(
    task_id: TaskId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")] = False,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what happened, in colour; with --json one event per line."""
    with connect(url) as client:
        if follow:
            from journeyman.cli import watch

            watch.follow_log(client, task_id, until=output.ENDED, as_json=as_json)
            return
        show = output.print_json_line if as_json else log.Log(output.console()).show
        for event in client.list_events(task_id):
            show(event)


@task.command()
def diff(task_id: TaskId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Show what the task changed, also while it works and after it failed."""
    with connect(url) as client:
        patch = client.patch(task_id)
    if as_json:
        output.print_json({"task_id": task_id, "patch": patch})
    elif not patch.strip():
        output.hint("no changes")
    elif sys.stdout.isatty():
        output.print_diff(patch)
    else:
        # Written as it is, for `git apply`.
        sys.stdout.write(patch)


@task.command()
def cancel(task_id: TaskId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Stop a task. What it committed is kept."""
    with connect(url) as client:
        answer = client.cancel(task_id)
        found = answer if "state" in answer else client.get_task(task_id)
    if as_json:
        output.print_json(found)
    else:
        output.console().print(output.state(found["state"]))


@task.command()
def pause(task_id: TaskId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Let a task rest after the turn that it is in, until you say something to it."""
    with connect(url) as client:
        found = client.pause(task_id)
    if as_json:
        output.print_json(found)
    else:
        output.console().print(output.state(found["state"], found.get("state_reason")))
        output.hint(f"go on with: journeyman task steer {task_id} MESSAGE")


@task.command()
def steer(
    task_id: TaskId,
    message: Annotated[
        str, typer.Argument(metavar="MESSAGE", help="Heard at the next turn.", show_default=False)
    ],
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell a task something: while it works, as an answer, or as a follow-up after its end."""
    with connect(url) as client:
        answer = client.steer(task_id, message)
    if as_json:
        output.print_json(answer)
    else:
        output.hint(f"sent; follow it with: journeyman task logs --follow {task_id}")


def models(url: options.Url = None, as_json: options.AsJson = False) -> None:
    """List what may be named in --model."""
    with connect(url) as client:
        found = client.list_models()
    if as_json:
        output.print_json(found)
        return
    rows = [
        (
            str(model["id"]),
            str(model.get("provider") or ""),
            "healthy" if model.get("healthy", True) else "unavailable",
            _price(model.get("price")),
            _thousands(model.get("window_tokens")),
            str(model.get("detail") or ""),
        )
        for model in found
    ]
    output.print_table(("MODEL", "PROVIDER", "HEALTH", "USD PER MTOK", "WINDOW", ""), rows)


def _price(price: dict[str, float] | None) -> str:
    """In and out; a dash where it is not known."""
    return f"{price['input']:g} in, {price['output']:g} out" if price else "-"


def _thousands(tokens: int | None) -> str:
    return f"{tokens // 1000}k" if tokens else "-"


def custom_agents(
    repository: options.Repository,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """List what may be named in --custom-agent for a repository."""
    with connect(url) as client:
        found = client.list_custom_agents(repository)
    if as_json:
        output.print_json(found)
    elif not found:
        output.hint(f"no custom agents in {repository}; they are files of .github/agents/")
    else:
        rows = [(agent["id"], agent["name"], agent["description"]) for agent in found]
        output.print_table(("CUSTOM AGENT", "NAME", ""), rows)


# --- What was typed ------------------------------------------------------------------------------


def connect(url: str | None) -> Client:
    """The server that is configured, or that *url* names."""
    from journeyman import config
    from journeyman.cli.client import Client

    return Client(config.load_client(url=url))


def _given(**values: object) -> dict[str, object] | None:
    """Those that were typed; None when none was."""
    return {name: value for name, value in values.items() if value is not None} or None


def _prompt(prompt: str | None, file: str | None) -> str:
    if prompt is not None and file is not None:
        raise typer.BadParameter("there is a PROMPT and a --file; give one of them.")
    if file is None:
        if prompt is None:
            raise typer.BadParameter("say what is to be done: PROMPT, or --file FILE, or --file -.")
        return prompt
    try:
        read = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return read.decode()
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is not text in UTF-8"
        raise typer.BadParameter(f"cannot read the prompt from {file!r}: {reason}") from exc

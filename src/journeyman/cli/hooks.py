"""`journeyman hook …`: the webhooks of a repository, over the API."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from journeyman.cli import options, output

hook = typer.Typer(no_args_is_help=True, help="Webhooks of a repository.")

Id = Annotated[int, typer.Argument(metavar="HOOK", show_default=False)]


def register(root: typer.Typer) -> None:
    root.add_typer(hook, name="hook")


@hook.command("list")
def list_(
    repository: options.Repository, url: options.Url = None, as_json: options.AsJson = False
) -> None:
    """List the webhooks."""
    found = _ask("GET", _hooks(repository), url, params={"per_page": 100})
    if as_json:
        output.print_json(found)
    elif not found:
        output.hint(f"no webhooks; add one: journeyman hook create {repository} URL")
    else:
        rows = [
            (
                str(one["id"]),
                one["config"]["url"],
                ",".join(one["events"]),
                "active" if one["active"] else "off",
                one["last_response"]["status"],
            )
            for one in found
        ]
        output.print_table(("ID", "URL", "EVENTS", "IS", "LAST"), rows)


@hook.command()
def create(
    repository: options.Repository,
    receiver: Annotated[str, typer.Argument(metavar="URL", show_default=False)],
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="NAME",
            help="agent_task, agent_session, agent_artifact or *; may be repeated.",
            show_default="agent_task",
        ),
    ] = None,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the secret from standard input.")
    ] = False,
    form: Annotated[bool, typer.Option("--form", help="Send a form instead of JSON.")] = False,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell a receiver what becomes of tasks. Without a secret nothing is signed."""
    config = {"url": receiver, "content_type": "form" if form else "json"}
    if secret_stdin:
        config["secret"] = sys.stdin.readline().rstrip("\r\n")
    body: dict[str, Any] = {"name": "web", "config": config}
    if event:
        body["events"] = event
    made = _ask("POST", _hooks(repository), url, json=body)
    if as_json:
        output.print_json(made)
    else:
        print(f"created webhook {made['id']}, which is sent a ping now")
        output.hint(f"what came of it: journeyman hook deliveries {repository} {made['id']}")


@hook.command()
def delete(repository: options.Repository, hook_id: Id, url: options.Url = None) -> None:
    """Delete a webhook, with what waits for it."""
    _ask("DELETE", f"{_hooks(repository)}/{hook_id}", url)
    output.hint(f"webhook {hook_id} is deleted")


@hook.command()
def deliveries(
    repository: options.Repository,
    hook_id: Id,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """List the newest deliveries."""
    path = f"{_hooks(repository)}/{hook_id}/deliveries"
    found = _ask("GET", path, url, params={"per_page": 100})
    if as_json:
        output.print_json(found)
    elif not found:
        output.hint("nothing has been delivered yet")
    else:
        rows = [
            (
                str(one["id"]),
                one["delivered_at"],
                ".".join(filter(None, (one["event"], one["action"]))),
                str(one["status_code"] or "-"),
                one["status"],
            )
            for one in found
        ]
        output.print_table(("ID", "AT", "EVENT", "CODE", "STATUS"), rows)


@hook.command()
def redeliver(
    repository: options.Repository,
    hook_id: Id,
    delivery: Annotated[int, typer.Argument(metavar="DELIVERY", show_default=False)],
    url: options.Url = None,
) -> None:
    """Send what a delivery sent once more."""
    _ask("POST", f"{_hooks(repository)}/{hook_id}/deliveries/{delivery}/attempts", url)
    output.hint(f"it is sent again: journeyman hook deliveries {repository} {hook_id}")


def _hooks(repository: str) -> str:
    return f"/repos/{repository}/agents/hooks"


def _ask(method: str, path: str, url: str | None, **request: Any) -> Any:
    from journeyman import config
    from journeyman.cli.client import Client

    with Client(config.load_client(url=url)) as client:
        answer = client.request(method, path, **request)
    return answer.json() if answer.content else None

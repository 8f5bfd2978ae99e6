"""`journeyman task record` and `journeyman replay`: what a model and its tools said, as a file.

It can be run again without the model.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from journeyman.cli import options, output
from journeyman.domain.errors import AppError, Code, invalid
from journeyman.domain.recordings import Entry, NotARecording, Recording, from_events, load

if TYPE_CHECKING:
    from journeyman.cli.client import Client
    from journeyman.cli.temporary import Server

MINUTES = 30.0
POLL_SECONDS = 0.2
OWNER = "replay"
DIFF_LINES = 20
CONFIG = """\
[providers.recorded]
kind = "recorded"
base_url = {path}
models = ["replay"]
"""
RESTS = frozenset({"completed", "failed", "timed_out", "cancelled", "idle"})

_VARYING = (
    (re.compile(r"\b\d+(\.\d+)? ?m?s\b"), "<time>"),
    (re.compile(r"\b(?=\w*\d)[0-9a-f]{7,40}\b"), "<sha>"),
)


def register(root: typer.Typer, task: typer.Typer) -> None:
    root.command()(replay)
    task.command()(record)


def record(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task's id, or its beginning.")],
    file: Annotated[Path | None, typer.Option("-o", "--output", help="Instead of stdout.")] = None,
    url: options.Url = None,
) -> None:
    """Write what the model and its tools said in a task's first session, for `replay`."""
    from journeyman import config
    from journeyman.cli.client import Client

    with Client(config.load_client(url=url)) as client:
        events = list(client.list_events(task_id))
    try:
        recorded = from_events(events)
    except NotARecording as error:
        raise AppError(Code.CONFLICT, f"Task {task_id}: {error}.") from error
    if file is None:
        typer.echo(recorded.dump(), nl=False)
        return
    try:
        file.write_text(recorded.dump(), encoding="utf-8")
    except OSError as error:
        raise invalid("output", f"cannot write {file}: {error.strerror}.", "invalid") from error
    output.hint(f"{len(recorded.entries)} entries written to {file}")


def replay(
    file: Annotated[Path, typer.Argument(help="What `journeyman task record` wrote.")],
    repository: Annotated[
        str, typer.Option(help="Where the repository is: a path or an address.")
    ] = ".",
    minutes: Annotated[float, typer.Option(help="How long it may take.")] = MINUTES,
    as_json: options.AsJson = False,
) -> None:
    """Run a recorded session again without its model, and say where it goes another way.

    On a server of its own that is removed afterwards. Exit code 1 when a result differs.
    """
    from journeyman import config
    from journeyman.cli import temporary
    from journeyman.cli.client import Client

    recorded = _read(file)
    with temporary.server() as server:
        path = server.directory / "replay.toml"
        path.write_text(CONFIG.format(path=json.dumps(str(file.resolve()))))
        server.env["JOURNEYMAN_CONFIG"] = str(path)
        name = _add_repository(server, recorded, repository)
        server.start()
        token = server.run("token", "create", "--user", OWNER)
        with Client(config.Client(server.url, token)) as client:
            task = _carry_out(client, name, recorded, minutes * 60)
            again = from_events(client.list_events(task["id"]))
    found = list(differences(recorded, again))
    if as_json:
        output.print_json({"state": task["state"], "differences": found})
    else:
        _tell(recorded, task["state"], found)
    if found:
        raise typer.Exit(1)


def _read(file: Path) -> Recording:
    try:
        return load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NotARecording) as error:
        raise invalid("file", f"{file} cannot be replayed: {error}.", "invalid") from error


def _add_repository(server: Server, recorded: Recording, source: str) -> str:
    """A copy whose base branch stands where the recorded session began."""
    bare = server.directory / "source.git"
    _git("clone", "--quiet", "--bare", "--", source, str(bare))
    known = ("-C", str(bare), "cat-file", "-e", f"{recorded.base_sha}^{{commit}}")
    _git(*known, why=f"{source} has no commit {recorded.base_sha}, where the recording begins")
    branch = f"refs/heads/{recorded.base_ref}"
    _git("-C", str(bare), "update-ref", branch, recorded.base_sha)
    _git("-C", str(bare), "symbolic-ref", "HEAD", branch)
    name = f"{OWNER}/{recorded.repository.partition('/')[2]}"
    server.run("repo", "add", name, str(bare))
    return name


def _git(*arguments: str, why: str = "") -> None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise invalid("repository", f"{why or (said[-1] if said else 'git failed')}.", "invalid")


def _carry_out(client: Client, name: str, recorded: Recording, seconds: float) -> dict[str, Any]:
    body = {"prompt": recorded.prompt, "model": "recorded:replay", "base_ref": recorded.base_ref}
    task = client.create_task(name, body)
    answers = [one.content for one in recorded.entries if one.source == "answer"]
    until = time.monotonic() + seconds
    while (task := client.get_task(task["id"]))["state"] not in RESTS:
        if task["state"] == "waiting_for_user":
            client.steer(task["id"], answers.pop(0) if answers else "(the recording has no answer)")
        if time.monotonic() > until:
            message = f"the replay did not end within {seconds / 60:g} minutes"
            raise AppError(Code.UNAVAILABLE, message)
        time.sleep(POLL_SECONDS)
    return task


def differences(recorded: Recording, again: Recording) -> Iterator[dict[str, str]]:
    """Where the results of *again* are others; times and commit ids may be."""
    theirs, ours = recorded.results(), again.results()
    calls = {
        (one.thread, call["id"]): call["arguments"]
        for one in recorded.entries
        for call in one.calls
    }
    for key, expected in theirs.items():
        told = {"tool": expected.name, "arguments": json.dumps(calls.get(key), ensure_ascii=False)}
        if (found := ours.get(key)) is None:
            yield {**told, "what": "it was not called again"}
        elif expected.success is not found.success:
            words = {True: "succeeded", False: "failed"}
            what = f"it {words[expected.success]} then and {words[found.success]} now"
            yield {**told, "what": what, "diff": _diff(expected, found, recorded, again)}
        elif diff := _diff(expected, found, recorded, again):
            yield {**told, "what": "its result is another", "diff": diff}


def _diff(expected: Entry, found: Entry, recorded: Recording, again: Recording) -> str:
    then, now = _steady(expected.content, recorded), _steady(found.content, again)
    lines = difflib.unified_diff(then, now, "recorded", "now", lineterm="", n=1)
    return "\n".join(lines)


def _steady(text: str, recording: Recording) -> list[str]:
    """The lines of *text* without what is another each time."""
    for name, what in ((recording.head_ref, "<branch>"), (recording.repository, "<repository>")):
        text = text.replace(name, what)
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return text.splitlines()


def _tell(recorded: Recording, state: str, found: list[dict[str, str]]) -> None:
    count = len(recorded.results())
    if not found:
        typer.echo(f"The same: {count} results, {state}.")
        return
    for one in found:
        typer.echo(f"{one['tool']} {one['arguments'][:300]}: {one['what']}")
        lines = one.get("diff", "").splitlines()
        shown = [*lines[:DIFF_LINES], *(["…"] if len(lines) > DIFF_LINES else [])]
        for line in shown:
            typer.echo(f"    {output.clean(line)}")
    typer.echo(f"{len(found)} of {count} results differ; {state}.")

"""`journeyman demo`: one task from prompt to pull request, on a server that is made for it.

Nothing is faked: a real server, curl, git and sandbox. The model is the built-in `script`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from journeyman.cli import output
from journeyman.domain.errors import AppError

if TYPE_CHECKING:
    from rich.console import Console

    from journeyman.cli.client import Client
    from journeyman.cli.temporary import Server

LIMIT_SECONDS = 120
REPOSITORY = "alice/hello"
FILES = {
    "greeting.py": 'def greet(name):\n    return "Hello, world!"\n',
    "test_greeting.py": """\
import unittest

from greeting import greet


class GreetingTest(unittest.TestCase):
    def test_it_greets_by_name(self):
        self.assertEqual(greet("Ada"), "Hello, Ada!")
""",
    "README.md": "# hello\n\nGreets people.\n",
}
PROMPT = """\
Greet people by their name.

```sh
sed -i 's/"Hello, world!"/f"Hello, {name}!"/' greeting.py
```

The test says when it is right:

```sh
python3 -B -m unittest
```
"""


def register(root: typer.Typer) -> None:
    root.command()(demo)


def demo() -> None:
    """Run one task from prompt to pull request on a temporary server, and check the result."""
    from journeyman.cli import temporary

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = output.console()
    started = time.monotonic()
    with _limited(), contextlib.ExitStack() as stack:
        server = stack.enter_context(temporary.server())
        try:
            _Demo(console, server).run()
        except AppError as exc:
            console.print(server.log_tail(), style="dim", markup=False)
            raise temporary.Failed(f"the demo failed: {exc.message}") from exc
        except KeyboardInterrupt:
            output.hint("\nstopped; cleaning up")
            raise typer.Exit(130) from None
    console.print(
        f"\n[bold green]✓ from prompt to pull request[/] in {time.monotonic() - started:.1f} s; "
        "the server is stopped and its data removed"
    )


class _Demo:
    def __init__(self, console: Console, server: Server) -> None:
        self.console = console
        self.server = server
        self.step = 0
        self.source = server.directory / "hello"

    def run(self) -> None:
        from journeyman import config
        from journeyman.cli.client import Client

        self.server.start()
        self._say(f"A server of its own listens on {self.server.url}")
        self._make_repository()
        token = self._give_access()
        task_id = self._send(token)
        with Client(config.Client(self.server.url, token)) as client:
            task = self._follow(client, task_id)
            self._show_result(client, task)
        self._check_branch(task, token)
        code = self.server.stop()
        _expect(code == 0, f"the server was stopped and ended with {code}")

    def _make_repository(self) -> None:
        self._say("A small repository whose test fails")
        self.source.mkdir()
        for name, content in FILES.items():
            (self.source / name).write_text(content)
        _git("init", "--quiet", "--initial-branch=main", str(self.source))
        _git("-C", str(self.source), "add", ".")
        _git("-C", str(self.source), "commit", "--quiet", "--message", "Greet the world")
        self._expect_test(self.source, passes=False)

    def _give_access(self) -> str:
        self._say("It goes to the embedded forge; alice gets a token")
        self._command("journeyman repo add", REPOSITORY, "./hello")
        self._print(self.server.run("repo", "add", REPOSITORY, str(self.source)))
        self._command("journeyman token create --user alice")
        token = self.server.run("token", "create", "--user", "alice")
        self._print(f"{token[:8]}…")
        return token

    def _send(self, token: str) -> str:
        """The call of GitHub's documentation; only the host is another."""
        self._say("The task is sent with the call of GitHub's documentation")
        url = f"{self.server.url}/agents/repos/{REPOSITORY}/tasks"
        body = json.dumps({"prompt": PROMPT, "create_pull_request": True})
        headers = ["Accept: application/vnd.github+json", "X-GitHub-Api-Version: 2022-11-28"]
        self._command("curl -L -X POST", url, "\\")
        for header in [*headers, "Authorization: Bearer $TOKEN"]:
            self._print(f'    -H "{header}" \\')
        self._print('    -d \'{"prompt": …, "create_pull_request": true}\'')
        for line in PROMPT.strip().splitlines():
            self.console.print(f"    │ {line}", style="cyan", markup=False)
        options = [part for header in [*headers, "@-"] for part in ("-H", header)]
        command = ["curl", "-sS", "-L", "-X", "POST", url, *options, "-d", body]
        said = ["--write-out", "\n%{http_code}"]
        answer = _run([*command, *said], stdin=f"Authorization: Bearer {token}\n")
        content, _, status = answer.rpartition("\n")
        _expect(status == "201", f"POST answered {status}: {content}")
        task: dict[str, Any] = json.loads(content)
        self._print(f"HTTP 201: task {task['id']} is {task['state']}")
        return str(task["id"])

    def _follow(self, client: Client, task_id: str) -> dict[str, Any]:
        from journeyman.cli import watch

        self._say("What the agent does, live")
        self._command("journeyman task logs --follow", task_id)
        watch.follow_log(client, task_id, until=output.ENDED, as_json=False)
        task = client.get_task(task_id)
        error = (task["sessions"][-1].get("error") or {}).get("message", "")
        _expect(task["state"] == "completed", f"the task is {task['state']}: {error}")
        return task

    def _show_result(self, client: Client, task: dict[str, Any]) -> None:
        from journeyman.cli import view

        self._say("The task at its end")
        self._command("journeyman task view", task["id"])
        view.print_task(task)
        made = {artifact["type"] for artifact in task["artifacts"]}
        _expect(
            made == {"branch", "pull"}, f"the task made {sorted(made)}, not a branch and a pull"
        )
        self._say("The pull request")
        branch = next(a["data"] for a in task["artifacts"] if a["type"] == "branch")
        number = _pull_number(client, task["id"])
        self._print(f"#{number} {task['name']}: {branch['head_ref']} → {branch['base_ref']}")
        self._say("What it changed")
        self._command("journeyman task diff", task["id"])
        patch = client.patch(task["id"])
        output.print_diff(patch)
        _expect('+    return f"Hello, {name}!"' in patch, "the diff lacks the mended line")

    def _check_branch(self, task: dict[str, Any], token: str) -> None:
        branch = next(a["data"]["head_ref"] for a in task["artifacts"] if a["type"] == "branch")
        self._say("The pull request's branch, cloned from the forge: the test passes")
        url = f"{self.server.url}/{REPOSITORY}.git"
        clone = self.server.directory / "clone"
        self._command("git clone --branch", branch, url)
        _git("clone", "--quiet", "--branch", branch, url, str(clone), env=_credentials(token))
        self._print(_git("-C", str(clone), "log", "-1", "--format=%h %an <%ae>%n%n%B"))
        self._expect_test(clone, passes=True)

    def _expect_test(self, directory: Path, *, passes: bool) -> None:
        self._command("python3 -m unittest")
        done = subprocess.run(
            [sys.executable, "-B", "-m", "unittest"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        said = [line for line in done.stderr.splitlines() if line.strip()]
        telling = [line for line in said if line.startswith(("AssertionError", "FAILED", "OK"))]
        for line in telling:
            self.console.print(line, style="green" if line == "OK" else "red", markup=False)
        wanted = "pass" if passes else "fail"
        problem = f"the test should {wanted} on this branch, and did not:\n{done.stderr}"
        _expect((done.returncode == 0) == passes and bool(telling), problem)

    def _say(self, what: str) -> None:
        self.step += 1
        self.console.print(f"\n[bold blue]{self.step}[/]  [bold]{what}[/]")

    def _command(self, *parts: str) -> None:
        self.console.print(f"$ {' '.join(parts)}", style="dim", markup=False, soft_wrap=True)

    def _print(self, text: str) -> None:
        self.console.print(text.strip("\n"), markup=False, soft_wrap=True)


def _pull_number(client: Client, task_id: str) -> int:
    """From the log: the artifact itself has the database id, as GitHub's contract wants it."""
    made = [e["data"] for e in client.list_events(task_id) if e["type"] == "artifact.created"]
    return next(int(one["data"]["number"]) for one in made if one["type"] == "pull")


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """A demo that hangs is a demo that failed."""
    from journeyman.cli import temporary

    def give_up(*_: object) -> None:
        raise temporary.Failed(f"it took more than {LIMIT_SECONDS} seconds")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def _expect(truth: bool, problem: str) -> None:
    from journeyman.cli import temporary

    if not truth:
        raise temporary.Failed(problem)


def _git(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Git without the user's or the machine's settings."""
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Alice"), ("EMAIL", "alice@example.org"))
    }
    alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    return _run(["git", *arguments], env={**identity, **alone, **(env or {})})


def _credentials(token: str) -> dict[str, str]:
    """As git reads settings from the environment, where no other user sees them."""
    basic = base64.b64encode(f"alice:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }


def _run(command: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    from journeyman import config
    from journeyman.cli import temporary

    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env={**config.bare_environment(), **(env or {})},
            check=False,
        )
    except FileNotFoundError as exc:
        raise temporary.Failed(f"{command[0]} is not installed") from exc
    _expect(done.returncode == 0, f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout

"""A repository's setup steps, run in the session's sandbox before its agent begins.

As GitHub's agent does: a step that fails ends the setup, never the session. What steps write to
`GITHUB_ENV` and `GITHUB_PATH` is there for every later command. Common actions are done by what is
on the machine; what cannot be done is said.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeyman.agent.customisation import expressions
from journeyman.agent.customisation.expressions import Unsupported
from journeyman.agent.customisation.setup import Setup, Step
from journeyman.agent.text import clean, clip, plain
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.runner import actions
from journeyman.sandbox import HOME, WORKSPACE, FileRefused, Sandbox

KIND = "setup"
"""`infoType` of every event from here."""
FOLDER = f"{HOME}/.config/journeyman"
ENVIRONMENT = f"{FOLDER}/environment"
"""A script that gives a shell what the steps have exported; bash reads it by `BASH_ENV`."""
DONE = f"{FOLDER}/setup-done"
"""There once the steps were run in this home: a session that goes on here need not repeat them."""
FILES = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
SCRATCH = "/tmp/setup"  # noqa: S108 - inside the sandbox, which is one session's
OUTPUT_BYTES = 1 << 20
SHOWN_CHARS = 4_000
TOLD_CHARS = 1_500
"""Of the output of a step that failed, for the agent."""
SHELLS: Mapping[str, tuple[str, ...]] = {
    "": ("bash", "-e"),
    "bash": ("bash", "--noprofile", "--norc", "-eo", "pipefail"),
    "sh": ("sh", "-e"),
    "python": ("python3",),
}
HASH = (
    "shopt -s globstar nullglob dotglob; for path in {patterns}; do "
    '[ -f "$path" ] && sha256sum -- "$path"; done | sort | sha256sum | cut -d" " -f1'
)

Emit = Callable[[Sequence[NewEvent]], Awaitable[object]]


@dataclass
class _State:
    """What one step leaves for the next."""

    env: dict[str, str]
    paths: list[str] = field(default_factory=list)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True)
class Result:
    """How a step ended: success, failure or skipped, as GitHub says."""

    outcome: str
    said: str = ""
    output: str = ""
    seconds: float = 0.0


async def is_done(box: Sandbox) -> bool:
    try:
        await box.read(DONE)
    except FileRefused:
        return False
    return True


async def run(
    setup: Setup,
    box: Sandbox,
    *,
    github: Mapping[str, str],
    secrets: Mapping[str, str],
    emit: Emit,
    most_seconds: float | None = None,
) -> None:
    """Every step in its order, each told with its outcome when it has ended.

    *github*: the context of that name. *secrets*: values of the contexts `secrets` and `vars`.
    """
    work = _Work(setup, box, github=github, secrets=secrets)
    seconds = min(setup.minutes * 60, most_seconds or setup.minutes * 60)
    number = len(setup.steps)
    await emit([_info(f"Setup of {setup.path}: {number} step{'s' if number != 1 else ''}")])
    try:
        async with asyncio.timeout(seconds):
            await work.begin()
            for step in setup.steps:
                result = await work.step(step)
                await emit([_told(step, result)])
    except TimeoutError:
        await box.kill_all()
        await emit([_info(f"The setup was stopped after {seconds:.0f} s", outcome="failure")])
    await work.end()


def summary(log: Iterable[Event]) -> str:
    """What the agent is told of the newest setup; empty when there was none."""
    lines = list[str]()
    for event in log:
        if event.type is not EventType.SESSION_INFO or event.data.get("infoType") != KIND:
            continue
        if "outcome" not in event.data:
            lines.clear()
            continue
        lines.append(f"- {event.data['message']}")
        if event.data["outcome"] == "failure" and (output := event.data.get("output")):
            lines.append(f"```\n{clip(output, TOLD_CHARS)}\n```")
    return "\n".join(lines)


class _Work:
    def __init__(
        self, setup: Setup, box: Sandbox, *, github: Mapping[str, str], secrets: Mapping[str, str]
    ) -> None:
        self._setup = setup
        self._box = box
        self._github = github
        self._secrets = secrets
        self._hashes: dict[tuple[str, ...], str] = {}
        self._state = _State(
            {
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_WORKSPACE": WORKSPACE,
                "RUNNER_OS": "Linux",
                "RUNNER_TEMP": SCRATCH,
                **{name: f"{SCRATCH}/{name}" for name in FILES},
                **{f"GITHUB_{name.upper()}": text for name, text in github.items()},
            }
        )

    async def begin(self) -> None:
        await self._box.exec(["mkdir", "-p", SCRATCH, FOLDER])
        for patterns in expressions.hashed([str(s.condition) for s in self._setup.steps]):
            self._hashes[patterns] = await self._hash(patterns)

    async def end(self) -> None:
        """Leave what was exported to the session's commands."""
        exported = {
            name: text
            for name, text in self._state.env.items()
            if not name.startswith(("GITHUB_", "RUNNER_")) and name != "CI"
        }
        lines = [f"export {name}={shlex.quote(text)}" for name, text in exported.items()]
        if self._state.paths:
            path = ":".join(map(shlex.quote, reversed(self._state.paths)))
            lines.append(f'export PATH={path}:"$PATH"')
        # Once per tree of processes: what a command sets itself must reach the scripts it starts.
        guarded = [
            'if [ -z "${JOURNEYMAN_SETUP-}" ]; then',
            "export JOURNEYMAN_SETUP=1",
            *lines,
            "fi",
            "",
        ]
        await self._box.write(ENVIRONMENT, "\n".join(guarded).encode())
        await self._box.write(DONE, b"")
        await self._box.exec(["rm", "-rf", SCRATCH])

    async def step(self, step: Step) -> Result:
        started = time.monotonic()
        try:
            if not expressions.holds(step.condition, self._contexts(step), self._functions()):
                result = Result("skipped", "skipped")
            elif step.uses:
                result = await self._use(step)
            else:
                result = await self._run(step)
        except Unsupported as error:
            result = Result("failure", f"not run: {error}")
        except (FileRefused, ValueError) as error:
            # A value that no command takes, such as one with a NUL; quotes that do not end.
            result = Result("failure", f"failed: {error}")
        if result.outcome == "failure" and not step.may_fail:
            self._state.failed = True
        if step.id:
            known = self._state.steps.setdefault(step.id, {"outputs": {}})
            known["outcome"] = result.outcome
            passed = result.outcome == "failure" and step.may_fail
            known["conclusion"] = "success" if passed else result.outcome
        return Result(
            result.outcome, result.said, result.output, seconds=time.monotonic() - started
        )

    async def _run(self, step: Step) -> Result:
        words = await self._command(step)
        for name in FILES:
            await self._box.write(f"{SCRATCH}/{name}", b"")
        minutes = step.minutes
        ended = await self._box.exec(
            words,
            cwd=self._fill(step.directory, step) or ".",
            env=self._environment(step),
            timeout_seconds=None if minutes is None else minutes * 60,
            limit_bytes=OUTPUT_BYTES,
        )
        await self._take(step)
        output = plain(clean(ended.output.decode(errors="replace")))
        if ended.timed_out:
            return Result("failure", f"stopped after {minutes:g} minutes", output)
        if ended.exit_code != 0:
            return Result("failure", f"failed with exit code {ended.exit_code}", output)
        return Result("success", "done", output)

    async def _command(self, step: Step) -> list[str]:
        shell = step.shell
        if shell not in SHELLS and "{0}" not in shell:
            names = ", ".join(name for name in SHELLS if name)
            raise Unsupported(f"there is no shell {shell!r}: {names}, or a command with {{0}}")
        script = f"{SCRATCH}/script{'.py' if shell == 'python' else ''}"
        await self._box.write(script, self._fill(step.run, step).encode())
        if shell in SHELLS:
            return [*SHELLS[shell], script]
        return [word.replace("{0}", script) for word in shlex.split(shell)]

    async def _use(self, step: Step) -> Result:
        given = {name: self._fill(text, step) for name, text in step.given.items()}
        done = await actions.use(step.uses, given, self._box, self._environment(step))
        self._state.env.update(done.env)
        self._state.paths += done.paths
        if step.id:
            self._state.steps[step.id] = {"outputs": dict(done.outputs)}
        return Result(done.outcome, done.said, done.output)

    async def _take(self, step: Step) -> None:
        """What the step has written into GITHUB_ENV, GITHUB_PATH and GITHUB_OUTPUT."""
        self._state.env.update(
            {
                name: text
                for name, text in _pairs(await self._text("GITHUB_ENV")).items()
                if not name.startswith(("GITHUB_", "RUNNER_")) and name != "NODE_OPTIONS"
            }
        )
        paths = (await self._text("GITHUB_PATH")).splitlines()
        self._state.paths += [path.strip() for path in paths if path.strip()]
        if step.id:
            self._state.steps[step.id] = {"outputs": _pairs(await self._text("GITHUB_OUTPUT"))}

    async def _text(self, name: str) -> str:
        data = await self._box.read(f"{SCRATCH}/{name}", limit_bytes=OUTPUT_BYTES)
        return clean(data.decode(errors="replace"))

    def _environment(self, step: Step) -> dict[str, str]:
        own = {**self._setup.env, **step.env}
        filled = {name: self._fill(text, step) for name, text in own.items()}
        env = {**self._state.env, **filled}
        if self._state.paths:
            env["PATH"] = ":".join([*reversed(self._state.paths), f"{HOME}/.local/bin", _PATH])
        return env

    def _fill(self, text: str, step: Step) -> str:
        return expressions.fill(text, self._contexts(step), self._functions())

    def _contexts(self, step: Step) -> dict[str, Any]:
        return {
            "github": {**self._github, "workspace": WORKSPACE},
            "env": {**self._state.env, **self._setup.env, **step.env},
            "secrets": self._secrets,
            "vars": self._secrets,
            "runner": {"os": "Linux", "temp": SCRATCH, "arch": actions.ARCHITECTURE},
            "steps": self._state.steps,
            "job": {"status": "failure" if self._state.failed else "success"},
            "matrix": {},
            "inputs": {},
        }

    def _functions(self) -> dict[str, Callable[..., Any]]:
        return {
            "success": lambda: not self._state.failed,
            "failure": lambda: self._state.failed,
            "always": lambda: True,
            "cancelled": lambda: False,
            "hashFiles": lambda *patterns: self._hashes.get(patterns, ""),
        }

    async def _hash(self, patterns: tuple[str, ...]) -> str:
        """A hash of the files that match; empty when none does."""
        quoted = " ".join(map(_glob, patterns))
        ended = await self._box.exec(HASH.format(patterns=quoted), timeout_seconds=60)
        found = ended.output.decode(errors="replace").strip()
        return "" if found == _HASH_OF_NOTHING else found


_PATH = "/usr/local/bin:/usr/bin:/bin"
_HASH_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _glob(pattern: str) -> str:
    """For bash: only `*`, `?` and `[…]` keep their meaning."""
    return "".join(c if c in "*?[]!" or c.isalnum() or c in "/._-" else f"\\{c}" for c in pattern)


def _pairs(text: str) -> dict[str, str]:
    """`name=value` lines, and `name<<END` with the lines up to END."""
    found, lines = dict[str, str](), iter(text.splitlines())
    for line in lines:
        name, sign, rest = line.partition("=")
        before, marker, end = line.partition("<<")
        if marker and (not sign or len(before) < len(name)):
            held = list[str]()
            for inner in lines:
                if inner == end:
                    break
                held.append(inner)
            found[before.strip()] = "\n".join(held)
        elif sign:
            found[name.strip()] = rest
    return {name: value for name, value in found.items() if name.isidentifier()}


def _told(step: Step, result: Result) -> NewEvent:
    timed = f" ({result.seconds:.1f} s)" if result.outcome != "skipped" else ""
    message = f"{step.name}: {result.said}{timed}"
    extra = {"output": clip(result.output, SHOWN_CHARS)} if result.output else {}
    return _info(message, outcome=result.outcome, step=step.name, **extra)


def _info(message: str, **data: str) -> NewEvent:
    return NewEvent(EventType.SESSION_INFO, {"message": message, "infoType": KIND, **data})

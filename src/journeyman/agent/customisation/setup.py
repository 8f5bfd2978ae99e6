"""`copilot-setup-steps.yml`: what a repository wants done before its agent begins.

The keys that GitHub's agent honours, of the one job it reads. Knows nothing of how steps are run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from journeyman.agent.customisation.documents import Document, Problem, line_of, load

PATHS = (
    ".github/workflows/copilot-setup-steps.yml",
    ".github/workflows/copilot-setup-steps.yaml",
)
JOB = "copilot-setup-steps"
MOST_MINUTES = 59.0
MOST_STEPS = 100
STEP_KEYS = frozenset(
    {"name", "id", "if", "run", "uses", "with", "env", "working-directory", "shell"}
    | {"timeout-minutes", "continue-on-error"}
)
JOB_KEYS = frozenset({"steps", "env", "timeout-minutes"})
NO_MATTER = frozenset({"name", "permissions", "runs-on", "snapshot", "environment"})
"""Keys of the job that ask for nothing here: a session has its own machine and no token."""


@dataclass(frozen=True)
class Step:
    name: str
    """As it is shown: its own name, else the action, else the first line of its script."""
    id: str = ""
    run: str = ""
    uses: str = ""
    condition: str | bool | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    """`with`."""
    env: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    shell: str = ""
    minutes: float | None = None
    may_fail: bool = False


@dataclass(frozen=True)
class Setup:
    path: str
    steps: tuple[Step, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    minutes: float = MOST_MINUTES


def read(files: Mapping[str, str]) -> tuple[Setup | None, list[Problem]]:
    """None when there is no such file, or nothing in it that could be run."""
    path = next((path for path in PATHS if path in files), None)
    if path is None:
        return None, []
    reader = _Reader(load(path, files[path]), files[path])
    return reader.setup(), reader.problems


class _Reader:
    def __init__(self, document: Document, text: str) -> None:
        self._document = document
        self._text = text
        self.problems = list(document.problems)

    def setup(self) -> Setup | None:
        if self._document.problems:
            return None
        jobs = self._document.keys.get("jobs")
        job = jobs.get(JOB) if isinstance(jobs, dict) else None
        if not isinstance(job, dict):
            self._tell(f"there is no job {JOB!r}; nothing is set up", "jobs")
            return None
        for key in job.keys() - JOB_KEYS - NO_MATTER:
            self._tell(f"{key!r} is ignored: only steps, env and timeout-minutes count", key)
        found = job.get("steps")
        if not isinstance(found, list):
            self._tell("steps must be a list; nothing is set up", "steps")
            return None
        if len(found) > MOST_STEPS:
            self._tell(f"only the first {MOST_STEPS} steps are run", "steps")
        return Setup(
            self._document.path,
            tuple(self._steps(found[:MOST_STEPS])),
            self._texts(job.get("env"), "env"),
            min(
                self._minutes(job.get("timeout-minutes"), "timeout-minutes") or MOST_MINUTES,
                MOST_MINUTES,
            ),
        )

    def _steps(self, found: list[Any]) -> Iterator[Step]:
        for number, item in enumerate(found):
            if not isinstance(item, dict) or not (item.get("run") or item.get("uses")):
                self._tell("a step needs run or uses; it is skipped", "steps", number)
                continue
            for key in item.keys() - STEP_KEYS:
                self._tell(f"unknown key {key!r} is ignored", "steps", number, key)
            yield self._step(number, item)

    def _step(self, number: int, item: Mapping[str, Any]) -> Step:
        run, uses = str(item.get("run") or ""), str(item.get("uses") or "").strip()
        first = next((line.strip() for line in run.splitlines() if line.strip()), "")
        condition = item.get("if")
        return Step(
            name=str(item.get("name") or uses or first)[:200],
            id=str(item.get("id") or ""),
            run=run,
            uses="" if run else uses,
            condition=condition if isinstance(condition, bool | None) else str(condition),
            given=self._texts(item.get("with"), "steps", number, "with"),
            env=self._texts(item.get("env"), "steps", number, "env"),
            directory=str(item.get("working-directory") or ""),
            shell=str(item.get("shell") or ""),
            minutes=self._minutes(item.get("timeout-minutes"), "steps", number, "timeout-minutes"),
            may_fail=item.get("continue-on-error") is True,
        )

    def _texts(self, value: Any, *where: str | int) -> dict[str, str]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._tell(f"{where[-1]} must be a table; it is ignored", *where)
            return {}
        return {str(key): _text(item) for key, item in value.items()}

    def _minutes(self, value: Any, *where: str | int) -> float | None:
        if value is None:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 < value < math.inf
        ):
            self._tell(f"timeout-minutes is {value!r}; give a number above 0", *where)
            return None
        return float(value)

    def _tell(self, message: str, *where: str | int) -> None:
        keys = where if where == ("jobs",) else ("jobs", JOB, *where)
        self.problems.append(Problem(self._document.path, message, line_of(self._text, *keys)))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)

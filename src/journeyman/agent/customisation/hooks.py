"""Hooks: commands that a repository wants run at certain moments of a session, in GitHub's format.

As "GitHub Copilot hooks reference" in GitHub's documentation describes it for the cloud agent.
Knows nothing of how hooks are run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from journeyman.agent.customisation.documents import Lines, Problem
from journeyman.agent.text import clean

DIRECTORY = ".github/hooks/"
SUFFIX = ".json"
MOST_HOOKS = 50
DEFAULT_SECONDS = 30.0
MOST_SECONDS = 600.0
MATCHER_CHARS = 200
MOST_REPEATS = 4
TOP_KEYS = frozenset({"version", "disableAllHooks", "hooks"})
KEYS = frozenset(
    {"type", "bash", "command", "powershell", "cwd", "env", "timeoutSec", "timeout", "matcher"}
    | {"url", "headers", "allowedEnvVars", "comment"}
)
_RISKY = re.compile(r"\)\s*[*+?{]|\\[1-9]|\(\?P")
"""What could take a matcher for ever."""
_REPEAT = re.compile(r"(?<![\\(])[*+?]|(?<!\\)\{\d*,\d*\}")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")


class Moment(StrEnum):
    """When a hook is run."""

    SESSION_START = "sessionStart"
    SESSION_END = "sessionEnd"
    USER_PROMPT_SUBMITTED = "userPromptSubmitted"
    USER_PROMPT_TRANSFORMED = "userPromptTransformed"
    PRE_TOOL_USE = "preToolUse"
    POST_TOOL_USE = "postToolUse"
    POST_TOOL_USE_FAILURE = "postToolUseFailure"
    AGENT_STOP = "agentStop"
    SUBAGENT_START = "subagentStart"
    SUBAGENT_STOP = "subagentStop"
    PRE_COMPACT = "preCompact"
    ERROR_OCCURRED = "errorOccurred"


OTHER_NAMES: Mapping[str, Moment] = {
    **{f"{one.value[0].upper()}{one.value[1:]}": one for one in Moment},
    "UserPromptSubmit": Moment.USER_PROMPT_SUBMITTED,
    "Stop": Moment.AGENT_STOP,
}
"""With a capital: then the payload has its fields in snake_case."""
NOT_HERE = frozenset({"notification", "permissionrequest"})
TOOL_NAMES = {"search": "grep"}
"""GitHub's names of our tools, where they differ."""
CLAUDE_NAMES = {
    "bash": "Bash",
    "view": "Read",
    "create": "Write",
    "edit": "Edit",
    "apply_patch": "Edit",
    "grep": "Grep",
    "glob": "Glob",
    "web_fetch": "WebFetch",
    "ask_user": "AskUserQuestion",
    "plan": "TodoWrite",
    "task": "Agent",
}
"""What matchers of `PreToolUse` compare, and its payload says."""
FILTERED = frozenset(
    {
        Moment.PRE_TOOL_USE,
        Moment.POST_TOOL_USE,
        Moment.POST_TOOL_USE_FAILURE,
        Moment.SUBAGENT_START,
        Moment.PRE_COMPACT,
    }
)
"""Where a matcher means something."""


@dataclass(frozen=True)
class Hook:
    moment: Moment
    name: str
    """Of the moment, as it is written."""
    path: str
    line: int
    command: str = ""
    """For bash; empty: *url* is called."""
    cwd: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    allowed_variables: tuple[str, ...] = ()
    """Of the environment, in *headers*."""
    seconds: float = DEFAULT_SECONDS
    matcher: str | None = None

    @property
    def snake_case(self) -> bool:
        """Whether its payload is in the other form."""
        return self.name != self.moment

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    def matches(self, subject: str) -> bool:
        """*subject*: a tool's name, an agent's, or what began a compaction."""
        if self.matcher is None or self.moment not in FILTERED:
            return True
        if self.snake_case and self.moment is Moment.PRE_TOOL_USE:
            return self._matches_as_claude(subject)
        return re.fullmatch(self.matcher, subject) is not None

    def _matches_as_claude(self, tool: str) -> bool:
        pattern, name = self.matcher or "", CLAUDE_NAMES.get(tool, tool)
        if pattern in ("", "*", "**"):
            return True
        if re.fullmatch(r"[\w|-]+", pattern):
            names = {tool, name} | ({"Task"} if tool == "task" else set())
            return not names.isdisjoint(pattern.split("|"))
        return re.fullmatch(pattern, name) is not None


def read(files: Mapping[str, str]) -> tuple[list[Hook], list[Problem]]:
    """In the order of the files' names; what cannot be used is told."""
    hooks, problems = list[Hook](), list[Problem]()
    for path in sorted(files):
        if path.startswith(DIRECTORY) and path.endswith(SUFFIX):
            reader = _Reader(path, files[path])
            hooks += reader.hooks()
            problems += reader.problems
    if len(hooks) > MOST_HOOKS:
        what = f"more than {MOST_HOOKS} hooks; the rest are not run"
        problems.append(Problem(hooks[MOST_HOOKS].path, what, hooks[MOST_HOOKS].line))
    return hooks[:MOST_HOOKS], problems


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """*text* with `$NAME` and `${NAME}` replaced; what is not set is empty."""
    return _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], ""), text)


class _Refused(ValueError):
    """An entry that cannot be used; the text says why."""


class _Reader:
    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._lines = Lines(text)
        self.problems = list[Problem]()

    def hooks(self) -> list[Hook]:
        try:
            known = json.loads(self._text.removeprefix("\ufeff"))
        except json.JSONDecodeError as error:
            return self._refuse(f"not valid JSON: {error.msg}; no hook of it is run", error.lineno)
        except RecursionError:
            return self._refuse("nested too deep; no hook of it is run", 1)
        if not isinstance(known, dict):
            return self._refuse("it must be an object; no hook of it is run", 1)
        for key in known.keys() - TOP_KEYS:
            self._tell(f"unknown key {clean(key)!r} is ignored", key)
        version = known.get("version")
        if version is None:
            self._tell("version is missing; 1 is assumed")
        elif version != 1 or isinstance(version, bool):
            said = f"version is {str(version)[:20]!r} and must be 1; no hook of it is run"
            return self._refuse(said, self._lines.of("version"))
        moments = known.get("hooks")
        if not isinstance(moments, dict) or not all(isinstance(e, list) for e in moments.values()):
            said = "hooks must be an object with a list for each event; no hook of it is run"
            return self._refuse(said, self._lines.of("hooks"))
        if known.get("disableAllHooks") is True:
            self._tell("disableAllHooks is true: no hook of it is run", "disableAllHooks")
            return []
        return [hook for name, entries in moments.items() for hook in self._of(name, entries)]

    def _of(self, name: str, entries: list[Any]) -> Iterator[Hook]:
        moment = OTHER_NAMES.get(name)
        if moment is None and name in set(Moment):
            moment = Moment(name)
        if moment is None:
            what = "does not happen here" if name.lower() in NOT_HERE else "is not known"
            said = f"the event {clean(name)[:60]!r} {what}; its hooks are not run"
            self._tell(said, "hooks", name)
            return
        for number, entry in enumerate(entries):
            place = ("hooks", name, number)
            try:
                yield self._hook(moment, name, entry, place)
            except _Refused as error:
                self._tell(f"{error}; this hook is not run", *place)

    def _hook(self, moment: Moment, name: str, entry: Any, place: tuple[str | int, ...]) -> Hook:
        if not isinstance(entry, dict):
            raise _Refused("it must be an object")
        if "exec" in entry or "args" in entry:
            raise _Refused("exec and args are for the command line only; write it in bash")
        hook = Hook(
            moment,
            name,
            self._path,
            self._lines.of(*place),
            **_action(moment, entry),
            seconds=_seconds(entry),
            matcher=_matcher(entry),
        )
        for key in entry.keys() - KEYS:
            self._tell(f"unknown key {clean(key)!r} is ignored", *place, key)
        if hook.matcher is not None and moment not in FILTERED:
            self._tell(f"matcher means nothing for {name}; it is ignored", *place, "matcher")
        return hook

    def _refuse(self, message: str, line: int) -> list[Hook]:
        self.problems.append(Problem(self._path, message, line))
        return []

    def _tell(self, message: str, *where: str | int) -> None:
        self.problems.append(Problem(self._path, message, self._lines.of(*where)))


def _action(moment: Moment, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What is run, as fields of a Hook."""
    match entry.get("type", "command"):
        case "command":
            command = _text(entry, "bash") or _text(entry, "command")
            if not command.strip():
                raise _Refused("bash (or command) is missing")
            return {
                "command": command,
                "cwd": _text(entry, "cwd"),
                "env": _table(entry, "env"),
            }
        case "http":
            return _call(moment, entry)
        case "prompt":
            raise _Refused("hooks of type prompt are for interactive sessions")
        case other:
            raise _Refused(f"type is {str(other)[:40]!r}; it may be command or http")


def _call(moment: Moment, entry: Mapping[str, Any]) -> dict[str, Any]:
    url, allowed = _text(entry, "url"), entry.get("allowedEnvVars", [])
    if not isinstance(allowed, list) or not all(isinstance(name, str) for name in allowed):
        raise _Refused("allowedEnvVars must be a list of names")
    if not url.startswith(("http://", "https://")):
        raise _Refused("url is missing, or is neither http nor https")
    if not url.startswith("https://") and (allowed or moment is Moment.PRE_TOOL_USE):
        raise _Refused("url must be https for preToolUse, and with allowedEnvVars")
    headers = _table(entry, "headers")
    if any("\n" in text or "\r" in text for pair in headers.items() for text in pair):
        raise _Refused("a header is one line")
    return {"url": url, "headers": headers, "allowed_variables": tuple(allowed)}


def _seconds(entry: Mapping[str, Any]) -> float:
    value = entry.get("timeoutSec", entry.get("timeout", DEFAULT_SECONDS))
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise _Refused(f"timeoutSec is {str(value)[:20]!r}; give a number of seconds above 0")
    return min(float(value), MOST_SECONDS)


def _matcher(entry: Mapping[str, Any]) -> str | None:
    """It is compared by this process: nothing that could take it for ever."""
    if entry.get("matcher") is None:
        return None
    pattern = _text(entry, "matcher")
    if pattern in ("*", "**"):
        return pattern
    risky = _RISKY.search(pattern) or len(_REPEAT.findall(pattern)) > MOST_REPEATS
    if len(pattern) > MATCHER_CHARS or risky:
        raise _Refused("matcher is too long or too complex; join names by |")
    try:
        re.compile(pattern)
    except re.error as error:
        raise _Refused(f"matcher is not a regular expression: {error}") from error
    return pattern


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise _Refused(f"{key} must be a text")
    return clean(value)


def _table(entry: Mapping[str, Any], key: str) -> dict[str, str]:
    value = entry.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Refused(f"{key} must be an object with a text for each name")
    for name, item in value.items():
        if not isinstance(item, str) or "\0" in item or not name or set("=\0") & set(name):
            raise _Refused(f"{key} must have a text for {clean(name)[:40]!r}")
    return {clean(name): clean(item) for name, item in value.items()}

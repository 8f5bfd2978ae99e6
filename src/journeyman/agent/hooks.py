"""Running a repository's hooks in its session's sandbox, and reading what they answer.

What a moment makes of the answers is decided by whoever fires it. A hook that fails is told in the
log, and is nobody else's failure.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from journeyman.agent.customisation.hooks import CLAUDE_NAMES, Hook, Moment, expanded
from journeyman.agent.text import clean, clean_json, clip
from journeyman.agent.transcript import Transcript
from journeyman.agent.wording import REWRITTEN
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.tasks import PROMPT_LIMIT
from journeyman.sandbox import HOME, WORKSPACE, ExecResult, Sandbox

OUTPUT_BYTES = 1 << 20
ERROR_BYTES = 4_000
SHOWN_CHARS = 4_000
PROMPT_BYTES = 60_000
WRAPPER = (
    'errors=$(mktemp); /bin/bash -c "$1" 2>"$errors"; code=$?; printf "%s" "$2"; '
    f'tail -c {ERROR_BYTES} "$errors"; rm -f "$errors"; exit $code'
)
"""So that what it says on standard error is not taken for its answer."""
LOOKING_BACK = (
    Moment.AGENT_STOP,
    Moment.SUBAGENT_START,
    Moment.SUBAGENT_STOP,
    Moment.PRE_COMPACT,
)
"""Moments whose hooks get the path of the log so far."""
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_SNAKE = {"toolArgs": "tool_input", "response": "last_assistant_message"}

NO_BOX = "there are hooks, and no sandbox to run them in"

Append = Callable[..., Awaitable[object]]


@dataclass(frozen=True)
class Answer:
    """How one hook ended."""

    hook: Hook
    said: Mapping[str, Any] = field(default_factory=dict)
    """The object that it wrote; empty when it wrote none."""
    code: int | None = None
    """Of a command; None when it was stopped."""
    stdout: str = ""
    stderr: str = ""
    failure: str = ""
    """Why its answer does not count."""

    @property
    def succeeded(self) -> bool:
        return not self.failure

    def text(self, key: str) -> str:
        """What it says under *key*, where that is a text."""
        value = self.said.get(key)
        return clean(value).strip() if isinstance(value, str) else ""


class Hooks:
    """Those of one run."""

    def __init__(
        self,
        hooks: Sequence[Hook] = (),
        box: Sandbox | None = None,
        *,
        session_id: str = "",
        prompt: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """*prompt*: the session's. *environment*: what its commands have beside the usual."""
        self._hooks = hooks
        self._box = box
        self._session_id = session_id
        prompt = clean(prompt).encode()[:PROMPT_BYTES].decode(errors="ignore")
        self._own = {"COPILOT_AGENT_PROMPT": prompt}
        self._environment = {"HOME": HOME, **(environment or {}), **self._own}
        self._transcript = Transcript() if self.listen(*LOOKING_BACK) else None

    def note(self, log: Iterable[Event]) -> None:
        """Take what was logged: hooks may look back."""
        if self._transcript is not None:
            for event in log:
                self._transcript.note(event)

    def listen(self, *moments: Moment) -> bool:
        """Whether there is any for one of *moments*."""
        return any(hook.moment in moments for hook in self._hooks)

    async def fire(
        self,
        moment: Moment,
        append: Append,
        *,
        subject: str = "",
        call_id: str = "",
        until: Callable[[Answer], bool] = lambda answer: False,
        **fields: Any,
    ) -> list[Answer]:
        """Run those for *moment* in their order, each told by *append*, until one says enough.

        *subject*: what matchers are held against. *fields*: of the payload, in camelCase.
        """
        answers = list[Answer]()
        meant = [one for one in self._hooks if one.moment is moment and one.matches(subject)]
        if meant and self._transcript is not None and moment in LOOKING_BACK:
            assert self._box is not None, NO_BOX
            fields["transcriptPath"] = await self._transcript.write(self._box)
        for hook in meant:
            answers.append(await self._run(hook, append, call_id, fields))
            if until(answers[-1]):
                break
        return answers

    async def _run(
        self, hook: Hook, append: Append, call_id: str, fields: Mapping[str, Any]
    ) -> Answer:
        assert self._box is not None, NO_BOX
        started = time.monotonic()
        payload = json.dumps(self._payload(hook, fields), ensure_ascii=False)
        answer = await (self._call if hook.url else self._command)(
            hook, self._box, clean(payload).encode()
        )
        await append(_told(answer, time.monotonic() - started, call_id))
        return answer

    async def _command(self, hook: Hook, box: Sandbox, payload: bytes) -> Answer:
        mark = f"\n{uuid.uuid4().hex}\n"
        env = {name: expanded(text, self._environment) for name, text in hook.env.items()}
        ended = await box.exec(
            ["/bin/bash", "-c", WRAPPER, "hook", hook.command, mark],
            cwd=hook.cwd or WORKSPACE,
            env={**self._own, **env},
            stdin=payload,
            timeout_seconds=hook.seconds,
            limit_bytes=OUTPUT_BYTES,
        )
        stdout, _, stderr = ended.output.decode(errors="replace").partition(mark)
        if ended.timed_out:
            shown = " ".join(hook.command.split())[:80]
            return Answer(hook, failure=f"timed out after {hook.seconds:g} seconds: {shown}")
        return _read(hook, ended, clean(stdout), clean(stderr).strip())

    async def _call(self, hook: Hook, box: Sandbox, payload: bytes) -> Answer:
        """From inside, and so under the session's firewall."""
        allowed = {name: self._environment.get(name, "") for name in hook.allowed_variables}
        mark = f"\n{uuid.uuid4().hex}\n"
        headers = [f"{name}: {expanded(text, allowed)}" for name, text in hook.headers.items()]
        ended = await box.exec(
            [
                *("curl", "--disable", "--silent", "--show-error", "--proto", "=http,https"),
                *("--max-time", str(hook.seconds), "--max-filesize", str(OUTPUT_BYTES)),
                *("--header", "Content-Type: application/json"),
                *(part for header in headers for part in ("--header", header)),
                *("--data-binary", "@-", "--write-out", f"{mark}%{{http_code}}", "--", hook.url),
            ],
            stdin=payload,
            timeout_seconds=hook.seconds + 5.0,
            limit_bytes=2 * OUTPUT_BYTES,
        )
        body, _, status = ended.output.decode(errors="replace").partition(mark)
        if ended.blocked:
            one = ended.blocked[0]
            return Answer(hook, failure=f"the firewall: {one.host} {one.reason}")
        if ended.exit_code != 0 or not status.startswith("2"):
            why = status if ended.exit_code == 0 else body.strip()[-300:]
            return Answer(hook, failure=f"{hook.url} answered {clean(why)}")
        return _read(hook, ended, clean(body), "")

    def _payload(self, hook: Hook, fields: Mapping[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC)
        payload = {"sessionId": self._session_id, "cwd": WORKSPACE, **clean_json(dict(fields))}
        if not hook.snake_case:
            return {**payload, "timestamp": int(now.timestamp() * 1000)}
        if hook.moment is Moment.PRE_TOOL_USE:
            tool = payload["toolName"]
            payload["toolName"] = CLAUDE_NAMES.get(tool, tool)
        return {"hook_event_name": hook.name, "timestamp": now.isoformat(), **_snake(payload)}


NO_HOOKS = Hooks()


def _snake(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The names of its fields, not what is in a tool's arguments."""
    made = {}
    for name, value in payload.items():
        inner = isinstance(value, dict) and name != "toolArgs"
        key = _SNAKE.get(name) or _CAPITAL.sub(r"_\1", name).lower()
        made[key] = _snake(value) if inner else value
    return made


def _read(hook: Hook, ended: ExecResult, stdout: str, stderr: str) -> Answer:
    """What is left of *stdout* without its lines of progress, as one JSON object."""
    code = ended.exit_code
    kept = "\n".join(line for line in stdout.split("\n") if not _is_progress(line)).strip()
    said, failure = dict[str, Any](), ""
    if ended.truncated:
        failure = f"it printed more than {OUTPUT_BYTES >> 20} MB, which is not read"
    elif kept:
        try:
            found = json.loads(kept)
            said = clean_json(found) if isinstance(found, dict) else {}
        except (ValueError, RecursionError):
            said = {}
    if code != 0:
        failure = f"exited with {code}{f': {stderr}' if stderr else ''}"
    return Answer(hook, said, code, kept, stderr, failure)


def _is_progress(line: str) -> bool:
    """`{"type": "progress", …}` is for a terminal, and no answer."""
    if not line.lstrip().startswith("{") or "progress" not in line:
        return False
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("type") == "progress"


def _told(answer: Answer, seconds: float, call_id: str) -> NewEvent:
    hook = answer.hook
    data: dict[str, Any] = {
        "hookInvocationId": uuid.uuid4().hex,
        "hookType": hook.moment.value,
        "source": hook.where,
        "success": answer.succeeded,
        "duration": int(seconds * 1000),
    }
    if call_id:
        data["toolCallId"] = call_id
    if answer.code is not None:
        data["exitCode"] = answer.code
    if answer.said:
        data["output"] = _shown(answer.said)
    elif answer.stdout:
        data["output"] = clip(answer.stdout, SHOWN_CHARS)
    if answer.failure:
        data["error"] = {"message": clip(clean(answer.failure), SHOWN_CHARS)}
    return NewEvent(EventType.HOOK_END, data, _rewritten(answer))


def _rewritten(answer: Answer) -> dict[str, str] | None:
    """The prompt as its agent is to get it; what is empty counts for nothing."""
    prompt = answer.text("modifiedTransformedPrompt")[:PROMPT_LIMIT]
    if answer.hook.moment is not Moment.USER_PROMPT_TRANSFORMED or not (
        answer.succeeded and prompt
    ):
        return None
    return {REWRITTEN: prompt}


def _shown(said: Mapping[str, Any]) -> Any:
    text = json.dumps(said, ensure_ascii=False)
    return said if len(text) <= SHOWN_CHARS else clip(text, SHOWN_CHARS)

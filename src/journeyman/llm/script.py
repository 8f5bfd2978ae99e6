"""The built-in model `script`: runs the fenced shell blocks of what the user wrote, one per reply.

A pure function of the conversation: needs no key, no network and no memory, so it resumes like any
model. Knows nothing of sandboxes; blocks go through the same tools as a language model's commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from journeyman.domain.sessions import Reason
from journeyman.domain.tasks import name_of
from journeyman.llm import Delta, Failure, OnDelta, Reply

Kind = Literal["sh", "ask"]
KINDS: dict[str, Kind] = {"sh": "sh", "bash": "sh", "shell": "sh", "ask": "ask"}
MAX_INTERRUPTIONS = 3
"""A block that lost its worker this often is not tried again: it may be what takes it down."""

TIMEOUT_SECONDS = 600
"""The most that the bash tool allows."""

NOT_CONFIGURED = (
    "The prompt has no ```sh block, and such blocks are all that the built-in model `script` can "
    "run; nothing was changed. Configure a model to have the task understood (`journeyman "
    "config-check` shows what is configured), or put the commands into a ```sh block."
)


@dataclass(frozen=True)
class Block:
    kind: Kind
    body: str

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.body.splitlines() if line.strip()), "")


@dataclass
class _Past:
    """What became of the blocks so far."""

    results: list[ToolReturnPart] = field(default_factory=list)
    interrupted: int = 0
    """How often the next block has lost its worker."""
    reported: bool = False
    """True when all that ran has been reported."""
    job: int | None = None
    """The block that is still running, as the bash tool numbers it."""

    def add(self, part: ToolReturnPart) -> None:
        details = part.metadata if isinstance(part.metadata, dict) else {}
        interrupted = part.outcome == "interrupted" or "lost" in details
        self.job = details["job"] if details.get("running") and not interrupted else None
        if self.job is not None:
            return
        if part.tool_name == "report_progress":
            self.reported = self.reported or not interrupted
        elif interrupted:
            self.interrupted += 1
        else:
            self.results.append(part)
            self.interrupted, self.reported = 0, False


class Script:
    id = "script"
    window_tokens = 1 << 40
    """It reads what it needs."""

    async def reply(
        self,
        messages: Sequence[ModelMessage],
        tools: Sequence[ToolDefinition],
        *,
        on_delta: OnDelta,
    ) -> Reply:
        text, call, failure = _decide(messages, {tool.name for tool in tools})
        on_delta(Delta(text=text))
        number = sum(isinstance(message, ModelResponse) for message in messages) + 1
        parts: list[TextPart | ToolCallPart] = [TextPart(text)]
        if call is not None:
            name, arguments = call
            parts.append(ToolCallPart(name, arguments, f"script_{number}"))
        return Reply(
            message=ModelResponse(parts=parts, model_name=self.id, finish_reason="stop"),
            model=self.id,
            input_tokens=0,
            output_tokens=0,
            cache_read_tokens=0,
            cache_write_tokens=0,
            cost_nano_credits=0,
            failure=failure,
        )


_Call = tuple[str, dict[str, object]]
_Decision = tuple[str, _Call | None, Failure | None]


def _decide(messages: Sequence[ModelMessage], tools: set[str]) -> _Decision:
    """What to say, which tool to call, and the failure if that is the end."""
    texts = _user_texts(messages)
    blocks = [block for text in texts for block in blocks_of(text)]
    past = _past(messages)
    done = len(past.results)
    if not blocks:
        return NOT_CONFIGURED, None, Failure(Reason.MODEL_NOT_CONFIGURED, NOT_CONFIGURED)
    if done and (problem := _problem(past.results[-1])) is not None:
        return _failed(
            f"Block {done} of {len(blocks)} failed: {_quoted(blocks[done - 1])} {problem}"
        )
    if past.interrupted >= MAX_INTERRUPTIONS:
        where = f"Block {done + 1} of {len(blocks)}: {_quoted(blocks[done])}"
        return _failed(f"{where} lost its worker {past.interrupted} times and is not tried again")
    if past.job is not None and "bash_wait" in tools:
        waiting: dict[str, object] = {"job": past.job, "wait": TIMEOUT_SECONDS}
        return f"Block {done + 1} of {len(blocks)} is still running.", ("bash_wait", waiting), None
    if past.job is not None:
        return _failed(f"Block {done + 1} of {len(blocks)} did not end in time")
    if done < len(blocks):
        return _run(blocks[done], f"Block {done + 1} of {len(blocks)}: ", tools)
    if not past.reported and "report_progress" in tools:
        message: dict[str, object] = {"commit_message": name_of(texts[0])}
        return (
            "All blocks have run; committing what they changed.",
            ("report_progress", message),
            None,
        )
    count = "The block of the prompt" if done == 1 else f"All {done} blocks of the prompt"
    return f"{count} ran and succeeded.", None, None


def _run(block: Block, where: str, tools: set[str]) -> _Decision:
    if block.kind == "sh":
        return (
            f"{where}{_quoted(block)}",
            ("bash", {"command": block.body, "timeout": TIMEOUT_SECONDS}),
            None,
        )
    if "ask_user" in tools:
        return f"{where}asking.", ("ask_user", {"question": block.body}), None
    return _failed(f"{where}a question cannot be asked in this session")


def _failed(message: str) -> _Decision:
    return f"{message}.", None, Failure(Reason.COMMAND_FAILED, f"{message}.")


def _quoted(block: Block) -> str:
    line = block.first_line
    return f"`{line if len(line) <= 80 else line[:79] + '…'}`"


def _problem(result: ToolReturnPart) -> str | None:
    """Why *result* is no success, as the end of a sentence."""
    if result.outcome != "success":
        return f"could not be run: {result.model_response_str(wrap_if_error=False)}"
    details = result.metadata if isinstance(result.metadata, dict) else {}
    code = details.get("exitCode", 0)
    return f"exited with {code}" if code else None


def _past(messages: Sequence[ModelMessage]) -> _Past:
    past = _Past()
    for message in messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                if isinstance(part, ToolReturnPart):
                    past.add(part)
    return past


def _user_texts(messages: Sequence[ModelMessage]) -> list[str]:
    return [
        part.content
        if isinstance(part.content, str)
        else "\n".join(c for c in part.content if isinstance(c, str))
        for message in messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, UserPromptPart)
    ]


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks of *text* that are to be run, in order, by CommonMark's rules for fences.

    A block inside another fence is that fence's text; a fence left open ends with the text.
    """
    fence, kind, indent, body = "", "", 0, list[str]()
    for line in [*text.replace("\r\n", "\n").split("\n"), None]:
        stripped = "" if line is None else line.strip()
        if not fence:
            if (opened := _fence(stripped)) and line is not None:
                fence, kind, body = opened, _language(stripped[len(opened) :]), []
                indent = len(line) - len(line.lstrip())
        elif line is None or (stripped.startswith(fence) and not stripped.strip(fence[0])):
            content = "\n".join(body).strip("\n")
            if kind in KINDS and content.strip():
                yield Block(KINDS[kind], content)
            fence = ""
        else:
            body.append(line[min(indent, len(line) - len(line.lstrip())) :])


def _fence(line: str) -> str:
    """The run of three or more backticks or tildes that opens a block; empty when there is none."""
    for mark in "`~":
        run = line[: len(line) - len(line.lstrip(mark))]
        if len(run) >= 3 and not (mark == "`" and mark in line[len(run) :]):
            return run
    return ""


def _language(info: str) -> str:
    words = info.split()
    return words[0].lower() if words else ""

"""A session's conversation, folded from its log: the same whether lived through or read back.

Knows nothing of models or tools; the model layer's own messages lie opaque in `Event.record`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from journeyman.agent import compaction, verdict
from journeyman.agent.background import Background
from journeyman.agent.images import with_images
from journeyman.agent.repetition import Repetition
from journeyman.agent.text import clean
from journeyman.agent.verdict import Verdict
from journeyman.agent.wording import Wording
from journeyman.domain.events import OURS, Event, EventType
from journeyman.domain.hygiene import visible
from journeyman.domain.sessions import Reason

UNDONE = (
    "[The worker was lost after this ran, and the files are back at the state before it: "
    "what this changed is gone. Its output was:]\n"
)
UNANSWERED = "[The user has not answered.]"


@dataclass(frozen=True)
class Question:
    """What the agent wants to know, and which call asks for it."""

    call_id: str
    text: str
    choices: tuple[str, ...] = ()
    allow_freeform: bool = True


class Conversation:
    """What the next request to the model is made of, and what is still to be done before it.

    A model's reply sees the user messages that were in the log at its turn's start, no later ones.
    It is logged only when what was done before it is saved or known to be the same.
    """

    def __init__(self, instructions: str = "") -> None:
        """*instructions*: the system prompt; it is not part of the log."""
        self.messages: list[ModelMessage] = []
        if instructions:
            self.messages.append(ModelRequest(parts=[SystemPromptPart(instructions)]))
        self.pending: dict[str, ToolCallPart] = {}
        """Calls of the newest reply without a result, by id, in the order they were asked for."""
        self.started: dict[str, bool] = {}
        """Those of `pending` that were begun, and whether what they changed is saved: one was cut
        off then."""
        self.question: Question | None = None
        """Asked and not answered."""
        self.calls: Sequence[ToolCallPart] = ()
        """All calls of the newest reply."""
        self.call_ids: set[str] = set()
        """Every id ever used here."""
        self.touched = False
        """True when files may have changed since they were last saved or looked at."""
        self.model_id: str | None = None
        """The model that took over from the one the session began with."""
        self.told: set[str] = set()
        """Guides for some paths that the model has been given."""
        self.children: dict[str, Conversation] = {}
        """Those of sub-agents at work, by the call that began each."""
        self.began_at: datetime | None = None
        """When a sub-agent was given its work."""
        self.wrapping_up = False
        """True from the warning at a limit until a user speaks."""
        self.forced = 0
        """How often in a row it went on because a hook said so."""
        self.jobs = Background()
        self.repetition = Repetition()
        self.plan: Sequence[Mapping[str, str]] = ()
        self.turns = self.input_tokens = self.output_tokens = 0
        self.context_tokens = self.former_tokens = 0
        """What the newest request and its reply took of the model's window, and those before."""
        self._results: dict[str, ToolReturnPart] = {}
        self._changing: set[str] = set()
        self._unsent: list[UserPromptPart] = []
        self._wording = Wording()
        self._answer: str | None = None
        self._final: Verdict | None = None

    @classmethod
    def fold(cls, events: Iterable[Event], *, instructions: str = "") -> Self:
        conversation = cls(instructions)
        for event in events:
            conversation.apply(event)
        return conversation

    @property
    def end(self) -> Verdict | None:
        """How the agent ended; None while it works, or has something from the user to answer."""
        return None if self._unsent else self._final

    @property
    def unheard(self) -> list[UserContent]:
        """What the user has said that no turn has begun with yet: texts and images."""
        said: list[UserContent] = []
        for part in self._unsent:
            said += [part.content] if isinstance(part.content, str) else part.content
        return said

    @property
    def summary(self) -> str:
        """The last words of the agent, whole; empty before there are any."""
        last = self.messages[-1] if self.messages else None
        return (last.text or "") if isinstance(last, ModelResponse) else ""

    @property
    def last_words(self) -> str:
        """The newest text of the agent, whatever came after it."""
        replies = (m for m in reversed(self.messages) if isinstance(m, ModelResponse))
        return next((said for message in replies if (said := message.text)), "")

    @property
    def lost(self) -> bool:
        """True when the effects of a call of the newest reply are gone or uncertain."""
        return any(part.outcome == "interrupted" for part in self._results.values())

    def child(self, call_id: str) -> Conversation:
        """The sub-agent's that the call *call_id* began, or begins now."""
        if call_id not in self.children:
            self.children[call_id] = child = Conversation()
            child.call_ids = self.call_ids
        return self.children[call_id]

    def instruct(self, instructions: str) -> None:
        """Set the system prompt of a conversation that was folded without one."""
        prompt = SystemPromptPart(instructions)
        first = self.messages[0] if self.messages else None
        if not isinstance(first, ModelRequest):
            self.messages.insert(0, ModelRequest(parts=[prompt]))
        elif not any(isinstance(part, SystemPromptPart) for part in first.parts):
            self.messages[0] = replace(first, parts=[prompt, *first.parts])

    def apply(self, event: Event) -> None:
        data = event.data
        if data.get("parentToolCallId") is None:
            self._apply(event)
        elif data["parentToolCallId"] in self.pending:
            self._apply_to_child(self.child(data["parentToolCallId"]), event)

    def _apply(self, event: Event) -> None:
        data = event.data
        match event.type:
            case EventType.USER_MESSAGE:
                self._hear(clean(self._wording.of(data)), data.get("source"))
            case EventType.TURN_START:
                self._pass_question()
                self._send(unsaved=(event.record or {}).get("unsaved", False))
            case EventType.MESSAGE:
                self._reply(event.record or {})
            case EventType.USAGE:
                self._count(data)
            case EventType.TOOL_START:
                self._start(data["toolCallId"], event.record or {})
            case EventType.TOOL_COMPLETE:
                self._finish(_part(event))
                self.told.update((event.record or {}).get("guides", ()))
            case EventType.INPUT_REQUESTED | EventType.INPUT_COMPLETED:
                self._ask(data)
            case _:
                self._apply_other(event)

    def _apply_to_child(self, child: Conversation, event: Event) -> None:
        child.began_at = child.began_at or event.created_at
        child._apply(event)
        self.touched = self.touched or child.touched
        self.jobs.begun = max(self.jobs.begun, child.jobs.begun)

    def _apply_other(self, event: Event) -> None:
        """What happened to the session around the conversation."""
        match event.type:
            case EventType.PLAN:
                self.plan = event.data["steps"]
            case EventType.COMPACTION:
                self._compact(event.record or {})
            case EventType.MODEL_CHANGE:
                self.model_id = event.data["newModel"]
            case EventType.CHECKPOINT:
                self._keep()
            case EventType.SESSION_RESUME:
                self._restored(unchanged=(event.record or {}).get("unchanged", False))
            case EventType.HOOK_END:
                self._wording.note(event)

    def _hear(self, text: str, source: str | None) -> None:
        """While a question is open whatever the user says answers it; what we say waits."""
        self.wrapping_up = source == "limit"
        self.forced = self.forced + 1 if source == "hooks" else 0
        if self.question is not None and source not in OURS:
            self._close_question(text, self.question.call_id)
        elif source != "answer" or text != self._answer:
            self._unsent.append(UserPromptPart(with_images(visible(text))))

    def _ask(self, data: Mapping[str, Any]) -> None:
        if "answer" in data:
            self._close_question(clean(data["answer"]), data["requestId"])
        else:
            self.question = _question(data)

    def _close_question(self, answer: str, call_id: str) -> None:
        if self.question is not None and self.question.call_id == call_id:
            self.question, self._answer = None, answer
            if (call := self.pending.get(call_id)) is not None:  # else it was settled otherwise
                self._finish(ToolReturnPart(call.tool_name, visible(answer), call_id))

    def _pass_question(self) -> None:
        """No turn begins while a question is open, but in older logs, where a limit's warning was
        taken for the answer."""
        if self.question is not None:
            self._close_question(UNANSWERED, self.question.call_id)

    def _send(self, *, unsaved: bool) -> None:
        """Results in call order, then what the user said, become one request."""
        results = [
            self._results[c.tool_call_id] for c in self.calls if c.tool_call_id in self._results
        ]
        parts: list[ModelRequestPart] = [*results, *self._unsent]
        if self.jobs.lost and not self.pending:
            parts.insert(len(results), UserPromptPart(self.jobs.news()))
        if parts and not self.pending:
            if self.messages and isinstance(self.messages[-1], ModelRequest):
                parts = [*self.messages.pop().parts, *parts]
            self.messages.append(ModelRequest(parts=parts))
            self.calls, self._final = (), None
            self._results.clear()
            self._unsent.clear()
        if not unsaved:
            self.saved()

    def _reply(self, record: Mapping[str, Any]) -> None:
        (message,) = ModelMessagesTypeAdapter.validate_python([record["message"]])
        assert isinstance(message, ModelResponse), "the log holds a request where a reply belongs"
        self.messages.append(message)
        self.saved()
        self.turns += 1
        self.repetition.hear(message.tool_calls)
        self.calls = message.tool_calls
        self.pending = {call.tool_call_id: call for call in self.calls}
        self.call_ids.update(self.pending)
        self.started.clear()
        if not self.calls:
            failure = record.get("failure")
            self._final = (
                verdict.failed(Reason(failure["reason"]), failure["message"])
                if failure
                else verdict.done(message.text or "")
            )

    def _count(self, data: Mapping[str, Any]) -> None:
        """Of a request and its reply, which are the newest messages by now; guessed where the
        provider counts nothing."""
        self.former_tokens = self.context_tokens
        self.context_tokens = data["inputTokens"] + data["outputTokens"] or self._guessed(2)
        self.input_tokens += data["inputTokens"]
        self.output_tokens += data["outputTokens"]

    @property
    def next_tokens(self) -> int:
        """A guess at what the next request takes: only its newest part is not known."""
        return self._guessed(1)

    def _guessed(self, newest: int) -> int:
        """What is known to be in the window, and a guess at so many of the *newest* messages."""
        messages = self.messages[-newest:] if self.context_tokens else self.messages
        return self.context_tokens + compaction.tokens(messages)

    def _compact(self, record: Mapping[str, Any]) -> None:
        """What was told of some paths is gone too, and is told again."""
        self.told.clear()
        self.former_tokens = 0
        if "blank_until" in record:
            self.messages = compaction.blanked(self.messages, record["blank_until"])
            self.context_tokens = record["tokens"] - compaction.tokens(self.messages[-1:])
        else:
            summary = record["summary"] + compaction.plan_words(self.plan)
            self.messages = compaction.summarised(
                self.messages, summary, record["keep_from"], record["result_chars"]
            )
            self.context_tokens = 0

    def _start(self, call_id: str, record: Mapping[str, Any]) -> None:
        self.started[call_id] = False
        if record.get("changes"):
            self._changing.add(call_id)
            self.touched = True

    def _finish(self, part: ToolReturnPart) -> None:
        if self.pending.pop(part.tool_call_id, None) is None:
            return
        self._results[part.tool_call_id] = part
        self.jobs.note(part.metadata)
        if (child := self.children.pop(part.tool_call_id, None)) is not None:
            self.jobs.running |= child.jobs.running

    def saved(self) -> None:
        """The files are kept as they are, or have not changed since they were."""
        self.touched = False
        self._changing.clear()
        for child in self.children.values():
            child.saved()

    def _keep(self) -> None:
        """The files are saved, with what calls did that have no result."""
        self.saved()
        self.started.update(dict.fromkeys(self.started, True))
        for child in self.children.values():
            child._keep()

    def _restored(self, *, unchanged: bool) -> None:
        """The workspace is back at its last checkpoint: what came after it did not happen, unless
        it has left the files *unchanged*."""
        if unchanged:
            self._keep()
        for call_id, part in self._results.items():
            self._results[call_id] = self._undone(part)
        last = self.messages[-1] if self.messages else None
        if isinstance(last, ModelRequest):
            self.messages[-1] = replace(last, parts=list(map(self._undone, last.parts)))
        self.jobs.lose()
        for child in self.children.values():
            child._restored(unchanged=unchanged)
        self.saved()

    def _undone(self, part: Any) -> Any:
        if not isinstance(part, ToolReturnPart) or part.tool_call_id not in self._changing:
            return part
        text = UNDONE + part.model_response_str(wrap_if_error=False)
        return replace(part, content=text, outcome="interrupted")


def record_of_message(message: ModelResponse) -> dict[str, Any]:
    """What `Event.record` of an `assistant.message` holds."""
    (dumped,) = ModelMessagesTypeAdapter.dump_python([message], mode="json", exclude_none=True)
    return {"message": dumped}


def record_of_part(part: ToolReturnPart) -> dict[str, Any]:
    """What `Event.record` of a `tool.execution_complete` holds."""
    request = ModelRequest(parts=[part])
    (dumped,) = ModelMessagesTypeAdapter.dump_python([request], mode="json", exclude_none=True)
    return {"part": dumped["parts"][0]}


def _part(event: Event) -> ToolReturnPart:
    record = event.record or {}
    stored = [{"kind": "request", "parts": [record["part"]]}]
    (request,) = ModelMessagesTypeAdapter.validate_python(stored)
    part = request.parts[0]
    assert isinstance(part, ToolReturnPart), f"event {event.seq} holds no tool result"
    return part


def _question(data: Mapping[str, Any]) -> Question:
    return Question(
        data["requestId"],
        data["question"],
        tuple(data.get("choices") or ()),
        data.get("allowFreeform", True),
    )

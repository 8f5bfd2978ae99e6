"""A session's log: its entries and their types. The log is append-only and the source of truth.

The type names are those of the session events that GitHub's own editor reads, where that
vocabulary has a word
(reference: the public package @vscode/copilot-api); the others are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    SESSION_START = "session.start"
    """{repository, baseRef, baseSha, headRef, model, sandbox, customAgent?}"""
    SESSION_RESUME = "session.resume"
    """{reason, run}: another worker, or the same after a wait, goes on."""
    SESSION_STATE = "session.state_changed"
    """{state, stateReason?, message?}"""
    SESSION_INFO = "session.info"
    """{message, infoType?}"""
    MODEL_CHANGE = "session.model_change"
    """{previousModel, newModel, reason}: from now on another model answers."""
    COMPACTION = "session.compaction_complete"
    """{kind: truncated | summarised, tokensBefore, messagesRemoved?, summaryContent?}: the model
    sees less of the conversation from here on; the log keeps all."""
    MCP_SERVERS = "session.mcp_servers_loaded"
    """{servers: [{name, status: connected | failed, transport, source: settings | agent, tools?,
    error?}]}: with each run they are started anew"""
    SESSION_ERROR = "session.error"
    """{message, errorType}"""
    USER_MESSAGE = "user.message"
    """{content, source, userId?, limit?}; *source* is prompt, steer, answer, limit, agent, checks
    or hooks"""
    PLAN = "plan"
    """{steps: [{content, status: pending | in_progress | completed}]}: the agent's"""
    CHECKS = "checks.completed"
    """{sha, results: [{name, status: passed | failed | skipped, message}]}: before a delivery"""
    INPUT_REQUESTED = "user_input.requested"
    """{requestId, question, choices?, allowFreeform}"""
    INPUT_COMPLETED = "user_input.completed"
    """{requestId, answer}"""
    TURN_START = "assistant.turn_start"
    """{turnId}"""
    MESSAGE = "assistant.message"
    """{messageId, content, reasoningText?, toolRequests?: [{toolCallId, name, arguments}]}"""
    USAGE = "assistant.usage"
    """{model, inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, cost (nano credits
    or null), duration (ms)}"""
    TOOL_START = "tool.execution_start"
    """{toolCallId, toolName, arguments}"""
    TOOL_COMPLETE = "tool.execution_complete"
    """{toolCallId, toolName, success, result?: {content}, error?: {message}, duration (ms)}"""
    HOOK_END = "hook.end"
    """{hookInvocationId, hookType, source, success, output?, error?: {message}, exitCode?,
    duration (ms), toolCallId?}: a hook of the repository was run; *source* is its file and line"""
    MODEL_RETRY = "assistant.retry"
    """{attempt, error, delay (ms)}"""
    CHECKPOINT = "workspace.checkpoint"
    """{sha, changedFiles}"""
    ARTIFACT = "artifact.created"
    """{type: branch | pull, data}"""
    FIREWALL_BLOCKED = "firewall.blocked"
    """{host, port, method, reason, command, count}: port 0 for a name that was only looked up"""
    ABORT = "abort"
    """{reason}"""

    # Only on the live stream, never stored: what they say is repeated whole by a stored event.
    MESSAGE_DELTA = "assistant.message_delta"
    """{messageId, deltaContent}"""
    REASONING_DELTA = "assistant.reasoning_delta"
    """{messageId, deltaContent}"""
    TOOL_PARTIAL = "tool.execution_partial_result"
    """{toolCallId, partialOutput}"""


EPHEMERAL = frozenset({EventType.MESSAGE_DELTA, EventType.REASONING_DELTA, EventType.TOOL_PARTIAL})


OURS = frozenset({"limit", "agent", "checks", "hooks"})
"""Sources of a USER_MESSAGE that no user has sent."""


@dataclass(frozen=True)
class NewEvent:
    """An entry to be appended. *data* is shown to every reader of the task; *record* is what the
    agent's fold
    needs beyond it (the model's own message) and is never served.

    `parentToolCallId` in *data*: it is a sub-agent's, begun by that call.
    """

    type: EventType
    data: dict[str, Any]
    record: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Event:
    session_id: str
    session_number: int
    seq: int
    """From 1, without gaps, within its session."""
    type: EventType
    created_at: datetime
    data: dict[str, Any]
    record: dict[str, Any] | None = field(default=None, repr=False)

"""The wire formats of a scripted model: OpenAI's two, Anthropic's and Google's."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Call = tuple[str, Mapping[str, Any] | str]
"""A tool's name and its arguments; a string is sent as it is, valid JSON or not."""


@dataclass(frozen=True)
class Say:
    """One reply of the model."""

    text: str = ""
    calls: Sequence[Call] = ()
    reasoning: str = ""
    finish: str | None = None
    """None: as the format says it, with calls or without; `content_filter` for a refusal."""
    input_tokens: int = 1000
    output_tokens: int = 100
    cached_tokens: int = 500
    call_ids: Sequence[str] = ()
    """None given: ids that are unique in this server's life."""


@dataclass(frozen=True)
class Answer:
    """What is said to one request: *calls* with their ids and their arguments as text."""

    id: str
    model: str
    say: Say
    calls: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Format:
    turn: Callable[[Json], int]
    """How many turns of the model a request's history holds."""
    whole: Callable[[Answer], Json]
    events: Callable[[Answer, int], Iterator[Any]]
    """In so many pieces per text. A mapping with a `type` is sent as an event of that name."""
    error: Callable[[int, str, str | None], Json]
    frame: Callable[[Any], bytes] | None = None
    """One event in a binary stream; None: the stream is one of server-sent events."""


def cut(text: str, pieces: int) -> Iterator[str]:
    step = max(1, -(-len(text) // pieces))
    return (text[start : start + step] for start in range(0, len(text), step))


def _runs(flags: Iterable[bool]) -> int:
    return sum(flag for flag, _ in itertools.groupby(flags))


# --- OpenAI, chat completions --------------------------------------------------------------------


def _chat_usage(say: Say) -> Json:
    return {
        "prompt_tokens": say.input_tokens,
        "completion_tokens": say.output_tokens,
        "total_tokens": say.input_tokens + say.output_tokens,
        "prompt_tokens_details": {"cached_tokens": say.cached_tokens},
    }


def _chat_head(answer: Answer, kind: str) -> Json:
    """`provider` and `native_finish_reason` are OpenRouter's; others do not look at them."""
    made = {"created": 1_700_000_000, "model": answer.model, "provider": "Scripted"}
    return {"id": answer.id, "object": kind, **made}


def _chat_finish(say: Say) -> str:
    return say.finish or ("tool_calls" if say.calls else "stop")


def _details(text: str = "", **more: str) -> list[Json]:
    """OpenRouter's, beside what DeepSeek, vLLM and others say; each looks at its own."""
    kind = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0, "id": "r-1"}
    return [{**kind, "text": text, **more}]


def _chat_whole(answer: Answer) -> Json:
    message: Json = {"role": "assistant", "content": answer.say.text}
    if answer.say.reasoning:
        message["reasoning_content"] = answer.say.reasoning
        message["reasoning_details"] = _details(answer.say.reasoning, signature="signed")
    if answer.calls:
        message["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in answer.calls
        ]
    finish = _chat_finish(answer.say)
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": finish,
        "native_finish_reason": finish,
    }
    head = _chat_head(answer, "chat.completion")
    return {**head, "choices": [choice], "usage": _chat_usage(answer.say)}


def _chat_events(answer: Answer, pieces: int) -> Iterator[Json | str]:
    head = _chat_head(answer, "chat.completion.chunk")

    def chunk(delta: Json, finish: str | None = None) -> Json:
        ends = {"finish_reason": finish, "native_finish_reason": finish}
        return {**head, "choices": [{"index": 0, "delta": delta, **ends}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in cut(answer.say.reasoning, pieces):
        yield chunk({"reasoning_content": piece, "reasoning_details": _details(piece)})
    if answer.say.reasoning:
        yield chunk({"reasoning_details": _details(signature="signed")})
    for piece in cut(answer.say.text, pieces):
        yield chunk({"content": piece})
    for index, (id_, name, arguments) in enumerate(answer.calls):
        start = {"name": name, "arguments": ""}
        yield chunk(
            {"tool_calls": [{"index": index, "id": id_, "type": "function", "function": start}]}
        )
        for piece in cut(arguments, pieces):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _chat_finish(answer.say))
    yield {**head, "choices": [], "usage": _chat_usage(answer.say)}
    yield "[DONE]"


def _openai_error(status: int, message: str, code: str | None) -> Json:
    return {"error": {"message": message, "type": "fault", "code": code}}


# --- OpenAI, responses ---------------------------------------------------------------------------


def _items(answer: Answer) -> list[Json]:
    items = list[Json]()
    if answer.say.reasoning:
        summary = [{"type": "summary_text", "text": answer.say.reasoning}]
        items.append(
            {
                "id": f"rs_{answer.id}",
                "type": "reasoning",
                "summary": summary,
                "encrypted_content": "sealed",
            }
        )
    if answer.say.text:
        text = {"type": "output_text", "text": answer.say.text, "annotations": []}
        items.append(
            {
                "id": f"msg_{answer.id}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [text],
            }
        )
    for id_, name, arguments in answer.calls:
        items.append(
            {
                "id": f"fc_{id_}",
                "type": "function_call",
                "status": "completed",
                "call_id": id_,
                "name": name,
                "arguments": arguments,
            }
        )
    return items


def _response(answer: Answer) -> Json:
    say = answer.say
    filtered = say.finish == "content_filter"
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": answer.model,
        "status": "incomplete" if filtered else "completed",
        "incomplete_details": {"reason": "content_filter"} if filtered else None,
        "output": _items(answer),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": {
            "input_tokens": say.input_tokens,
            "output_tokens": say.output_tokens,
            "total_tokens": say.input_tokens + say.output_tokens,
            "input_tokens_details": {"cached_tokens": say.cached_tokens, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def _response_events(answer: Answer, pieces: int) -> Iterator[Json | str]:
    numbers = itertools.count()

    def event(name: str, **more: Any) -> Json:
        return {"type": f"response.{name}", "sequence_number": next(numbers), **more}

    whole = _response(answer)
    yield event("created", response={**whole, "status": "in_progress", "output": []})
    for index, item in enumerate(whole["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        match item["type"]:
            case "message":
                text, part = item["content"][0]["text"], item["content"][0]
                started = {**item, "content": [], "status": "in_progress"}
                yield event("output_item.added", output_index=index, item=started)
                yield event("content_part.added", **at, content_index=0, part={**part, "text": ""})
                for piece in cut(text, pieces):
                    yield event(
                        "output_text.delta", **at, content_index=0, delta=piece, logprobs=[]
                    )
                yield event("output_text.done", **at, content_index=0, text=text, logprobs=[])
            case "reasoning":
                yield event("output_item.added", output_index=index, item={**item, "summary": []})
                text, part = item["summary"][0]["text"], item["summary"][0]
                yield event(
                    "reasoning_summary_part.added", **at, summary_index=0, part={**part, "text": ""}
                )
                for piece in cut(text, pieces):
                    yield event("reasoning_summary_text.delta", **at, summary_index=0, delta=piece)
            case _:
                started = {**item, "arguments": "", "status": "in_progress"}
                yield event("output_item.added", output_index=index, item=started)
                for piece in cut(item["arguments"], pieces):
                    yield event("function_call_arguments.delta", **at, delta=piece)
        yield event("output_item.done", output_index=index, item=item)
    yield event(whole["status"], response=whole)


def _response_turn(request: Json) -> int:
    items = request["input"] if isinstance(request["input"], list) else []
    return _runs(
        item.get("type") in ("function_call", "reasoning") or item.get("role") == "assistant"
        for item in items
    )


# --- Anthropic, messages -------------------------------------------------------------------------


def _blocks(answer: Answer) -> list[Json]:
    blocks = list[Json]()
    if answer.say.reasoning:
        blocks.append({"type": "thinking", "thinking": answer.say.reasoning, "signature": "signed"})
    if answer.say.text:
        blocks.append({"type": "text", "text": answer.say.text})
    for id_, name, arguments in answer.calls:
        blocks.append({"type": "tool_use", "id": id_, "name": name, "input": json.loads(arguments)})
    return blocks


def _stop_reason(say: Say) -> str:
    if say.finish == "content_filter":
        return "refusal"
    return say.finish or ("tool_use" if say.calls else "end_turn")


def _message(answer: Answer, **changes: Any) -> Json:
    say = answer.say
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": _blocks(answer),
        "stop_reason": _stop_reason(say),
        "stop_sequence": None,
        "usage": {
            "input_tokens": say.input_tokens - say.cached_tokens,
            "output_tokens": say.output_tokens,
            "cache_read_input_tokens": say.cached_tokens,
            "cache_creation_input_tokens": 0,
        },
        **changes,
    }


def _message_events(answer: Answer, pieces: int) -> Iterator[Json | str]:
    whole = _message(answer)
    usage = {**whole["usage"], "output_tokens": 1}
    started = {**whole, "content": [], "stop_reason": None, "usage": usage}
    yield {"type": "message_start", "message": started}
    for index, block in enumerate(whole["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        for delta in _deltas(block, pieces):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": answer.say.output_tokens}
    yield {"type": "message_delta", "delta": stop, "usage": usage}
    yield {"type": "message_stop"}


def _opened(block: Json) -> Json:
    empty: Json = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {key: empty.get(key, value) for key, value in block.items()}


def _deltas(block: Json, pieces: int) -> Iterator[Json]:
    match block["type"]:
        case "text":
            for piece in cut(block["text"], pieces):
                yield {"type": "text_delta", "text": piece}
        case "thinking":
            for piece in cut(block["thinking"], pieces):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case _:
            for piece in cut(json.dumps(block["input"]), pieces):
                yield {"type": "input_json_delta", "partial_json": piece}


def _anthropic_error(status: int, message: str, code: str | None) -> Json:
    kinds = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


# --- Google, Gemini ------------------------------------------------------------------------------


def _candidate(parts: list[Json], answer: Answer, *, last: bool = True) -> Json:
    say = answer.say
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = "SAFETY" if say.finish == "content_filter" else "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": say.input_tokens,
            "candidatesTokenCount": say.output_tokens,
            "totalTokenCount": say.input_tokens + say.output_tokens,
            "cachedContentTokenCount": say.cached_tokens,
        },
        "modelVersion": answer.model,
        "responseId": answer.id,
    }


def _gemini_calls(answer: Answer) -> list[Json]:
    parts: list[Json] = [
        {"functionCall": {"id": id_, "name": name, "args": json.loads(arguments)}}
        for id_, name, arguments in answer.calls
    ]
    if parts and answer.say.reasoning:
        parts[0]["thoughtSignature"] = "c2lnbmVk"
    return parts


def _gemini_whole(answer: Answer) -> Json:
    parts = list[Json]()
    if answer.say.reasoning:
        parts.append({"text": answer.say.reasoning, "thought": True})
    if answer.say.text:
        parts.append({"text": answer.say.text})
    return _candidate([*parts, *_gemini_calls(answer)], answer)


def _gemini_events(answer: Answer, pieces: int) -> Iterator[Json | str]:
    for piece in cut(answer.say.reasoning, pieces):
        yield _candidate([{"text": piece, "thought": True}], answer, last=False)
    for piece in cut(answer.say.text, pieces):
        yield _candidate([{"text": piece}], answer, last=False)
    yield _candidate(_gemini_calls(answer), answer)


def _gemini_error(status: int, message: str, code: str | None) -> Json:
    names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED"}
    return {"error": {"code": status, "message": message, "status": code or names.get(status, "")}}


_GEMINI = Format(
    lambda request: sum(content.get("role") == "model" for content in request["contents"]),
    _gemini_whole,
    _gemini_events,
    _gemini_error,
)
BY_PATH = {
    "/chat/completions": Format(
        lambda request: sum(message["role"] == "assistant" for message in request["messages"]),
        _chat_whole,
        _chat_events,
        _openai_error,
    ),
    "/responses": Format(_response_turn, _response, _response_events, _openai_error),
    "/messages": Format(
        lambda request: sum(message["role"] == "assistant" for message in request["messages"]),
        _message,
        _message_events,
        _anthropic_error,
    ),
    ":generateContent": _GEMINI,
    ":streamGenerateContent": _GEMINI,
}

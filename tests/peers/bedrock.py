"""Amazon Bedrock's Converse format, whole and as a stream of binary frames.

Source: the API reference of Converse and ConverseStream, and the specification of
`application/vnd.amazon.eventstream` (prelude, headers, payload, two CRC-32).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from tests.peers.formats import Answer, Json, Say, cut

STRING = 7
"""The type of a header's value."""
KINDS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def frame(event: Json) -> bytes:
    """One message: *event* is its type and its payload."""
    ((kind, payload),) = event.items()
    body = json.dumps(payload).encode()
    fields = {
        ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    headers = b"".join(_header(name, value) for name, value in fields.items())
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", STRING, len(text)) + text


def named(path: str) -> Json:
    """What other formats say in the body."""
    _, _, rest = path.partition("/model/")
    return {"model": rest.rpartition("/")[0], "stream": path.endswith("-stream")}


def turn(request: Json) -> int:
    return sum(message["role"] == "assistant" for message in request["messages"])


def whole(answer: Answer) -> Json:
    message = {"role": "assistant", "content": _blocks(answer)}
    return {
        "output": {"message": message},
        "stopReason": _stop_reason(answer.say),
        "usage": _usage(answer.say),
        "metrics": {"latencyMs": 1},
    }


def events(answer: Answer, pieces: int) -> Iterator[Json]:
    yield {"messageStart": {"role": "assistant"}}
    for index, block in enumerate(_blocks(answer)):
        at = {"contentBlockIndex": index}
        if (use := block.get("toolUse")) is not None:
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            yield {"contentBlockStart": {**at, "start": start}}
        for delta in _deltas(block, pieces):
            yield {"contentBlockDelta": {**at, "delta": delta}}
        yield {"contentBlockStop": at}
    yield {"messageStop": {"stopReason": _stop_reason(answer.say)}}
    yield {"metadata": {"usage": _usage(answer.say), "metrics": {"latencyMs": 1}}}


def error(status: int, message: str, code: str | None) -> Json:
    return {"__type": code or KINDS.get(status, "ModelErrorException"), "message": message}


def _blocks(answer: Answer) -> list[Json]:
    blocks = list[Json]()
    if answer.say.reasoning:
        said = {"text": answer.say.reasoning, "signature": "signed"}
        blocks.append({"reasoningContent": {"reasoningText": said}})
    if answer.say.text:
        blocks.append({"text": answer.say.text})
    for id_, name, arguments in answer.calls:
        use = {"toolUseId": id_, "name": name, "input": json.loads(arguments)}
        blocks.append({"toolUse": use})
    return blocks


def _deltas(block: Json, pieces: int) -> Iterator[Json]:
    if "text" in block:
        yield from ({"text": piece} for piece in cut(block["text"], pieces))
    elif "toolUse" in block:
        given = json.dumps(block["toolUse"]["input"])
        yield from ({"toolUse": {"input": piece}} for piece in cut(given, pieces))
    else:
        said: Any = block["reasoningContent"]["reasoningText"]
        yield from ({"reasoningContent": {"text": piece}} for piece in cut(said["text"], pieces))
        yield {"reasoningContent": {"signature": said["signature"]}}


def _stop_reason(say: Say) -> str:
    if say.finish == "content_filter":
        return "content_filtered"
    return say.finish or ("tool_use" if say.calls else "end_turn")


def _usage(say: Say) -> Json:
    fresh = say.input_tokens - say.cached_tokens
    return {
        "inputTokens": fresh,
        "outputTokens": say.output_tokens,
        "totalTokens": say.input_tokens + say.output_tokens,
        "cacheReadInputTokens": say.cached_tokens,
        "cacheWriteInputTokens": 0,
    }

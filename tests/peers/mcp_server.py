"""An MCP server over stdio, in plain Python, that does what its arguments say: also wrong things.

Committed to repositories of tests, so that the Python of a sandbox can run it there.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5Erk"
    "Jggg=="
)


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def tool(name: str, description: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": SCHEMA, **more}


def tools(way: str) -> list[dict[str, Any]]:
    match way:
        case "many":
            return [tool(f"tool{number}", "x" * 300) for number in range(200)]
        case "huge":
            return [tool("echo", "y" * 1_000_000)]
        case "strange":
            return [
                tool("deep", inputSchema={"type": "object", "properties": {"a": nested(40)}}),
                tool("lost", inputSchema={"type": "object", "properties": {"a": {"$ref": "#/x"}}}),
                tool("named", inputSchema={"type": "object", "properties": {"a b": {}}}),
                tool("echo ünd more \u202e" + "z" * 100, "Say \u200bit."),
            ]
    return [tool("echo", "Say it."), tool("environment"), tool("files"), tool("picture"),
            tool("fail"), tool("die"), tool("slow"), tool("count")]  # fmt: skip


def nested(depth: int) -> dict[str, Any]:
    return {"type": "array", "items": nested(depth - 1)} if depth else {"type": "string"}


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    text = str(arguments.get("text", ""))
    match name:
        case "environment":
            text = json.dumps(dict(os.environ))
        case "files":
            with open(text) as file:
                text = file.read()
        case "picture":
            return {"content": [{"type": "image", "data": PNG, "mimeType": "image/png"}]}
        case "fail":
            return {"content": [{"type": "text", "text": f"no {text}"}], "isError": True}
        case "die":
            sys.stderr.write("out of ideas\n")
            sys.stderr.flush()
            os._exit(3)
        case "slow":
            time.sleep(float(text))
        case "count":
            with open(os.path.expanduser("~/calls"), "a") as file:
                file.write("called\n")
            time.sleep(float(text))
    return {"content": [{"type": "text", "text": text}]}


def answer(way: str, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    match method:
        case "initialize":
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "plain", "version": "1"},
            }
        case "tools/list":
            return {"tools": tools(way)}
        case "tools/call":
            return call(params["name"], params.get("arguments") or {})
    return None


def misbehave(way: str) -> None:
    """What a server may do before it has said anything."""
    if way == "dead":
        sys.exit("there is no database")
    if way == "hang":
        time.sleep(600)
    while way == "flood":
        say({"method": "notifications/message", "params": {"level": "info", "data": "again"}})
    while way == "garbage":
        sys.stdout.write("Welcome!\n" * 1000)
    while way == "endless":
        sys.stdout.write("x" * 65536)


def serve(way: str) -> None:
    print("listening on stdio", flush=True)  # what many servers do wrong
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = answer(way, message["method"], message.get("params") or {})
        if result is None:
            error = {"code": -32601, "message": f"no {message['method']}"}
            say({"id": message["id"], "error": error})
        elif way == "nonsense" and message["method"] == "tools/list":
            say({"id": message["id"], "result": {"tools": "none"}})
        else:
            say({"id": message["id"], "result": result})


if __name__ == "__main__":
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    misbehave(asked)
    serve(asked)

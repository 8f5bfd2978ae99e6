"""A small agent over the Agent Client Protocol, for the system's own Python inside a sandbox.

It does what the lines of the prompt say: `run COMMAND`, `ask COMMAND` (permission first),
`question TEXT`, `model` (asks the model at MODEL_URL), `say TEXT`, `plan TEXT`, `crash`, `hang`,
`flood`, `refuse`, `noise`, `servers` (says which MCP servers it was given), `remember WORD`,
`recall`. A prompt that tells of an earlier copy, or of an interruption, does only what comes after
the last `User:`; with no order in it, it ends.

With MEMORY set it keeps there what it remembers, and loads its session from it. Who remembers
`poison` answers every prompt with an error then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

cancelled = threading.Event()
answers: dict[int, Any] = {}
answered = threading.Condition()
numbers = iter(range(1, 1_000_000))
loaded: dict[str, str] = {}
given: list[Any] = []


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def update(**fields: Any) -> None:
    send({"method": "session/update", "params": {"sessionId": "s", "update": fields}})


def say(text: str) -> None:
    for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
        content = {"type": "text", "text": piece}
        update(sessionUpdate="agent_message_chunk", content=content)


def request(method: str, **params: Any) -> Any:
    number = next(numbers)
    send({"id": number, "method": method, "params": {"sessionId": "s", **params}})
    with answered:
        answered.wait_for(lambda: number in answers, timeout=60)
    return answers[number]


def run(command: str, *, ask: bool = False) -> None:
    call = f"call-{next(numbers)}"
    about = {"toolCallId": call, "title": command, "kind": "execute"}
    update(sessionUpdate="tool_call", status="pending", **about)
    given = {"command": command}
    if ask:
        options = [
            {"optionId": "yes", "name": "Allow once", "kind": "allow_once"},
            {"optionId": "no", "name": "Reject", "kind": "reject_once"},
        ]
        said = request(
            "session/request_permission", toolCall={**about, "rawInput": given}, options=options
        )
        if said["outcome"].get("optionId") != "yes":
            update(sessionUpdate="tool_call_update", toolCallId=call, status="failed")
            say(f"Not allowed: {command}.")
            return
    update(sessionUpdate="tool_call_update", toolCallId=call, status="in_progress", rawInput=given)
    process = subprocess.Popen(
        ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while process.poll() is None and not cancelled.is_set():
        time.sleep(0.02)
    process.kill()
    output = process.stdout.read() if process.stdout else ""
    content = [{"type": "content", "content": {"type": "text", "text": output}}]
    update(
        sessionUpdate="tool_call_update",
        toolCallId=call,
        status="completed" if process.returncode == 0 else "failed",
        content=content,
        rawOutput={"exitCode": process.returncode},
    )


def ask_model(_: str) -> None:
    body = {"model": os.environ["MODEL"], "messages": [{"role": "user", "content": "hi"}]}
    asked = urllib.request.Request(
        f"{os.environ['MODEL_URL']}/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": "Bearer guess", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=30) as response:
        say(json.load(response)["choices"][0]["message"]["content"])


def question(text: str) -> None:
    schema = {"type": "object", "properties": {"choice": {"enum": ["red", "blue"]}}}
    said = request("elicitation/create", mode="form", message=text, requestedSchema=schema)
    say(f"So it is {said['content']['choice']}.")


def plan(text: str) -> None:
    steps = [{"content": text, "priority": "high", "status": "in_progress"}]
    update(sessionUpdate="plan", entries=steps)


def noise(_: str) -> None:
    print("warning: not JSON")
    send({"method": "session/update", "params": {"update": {"sessionUpdate": "new"}}})
    send({"method": "session/update", "params": [1]})
    update(sessionUpdate="tool_call", toolCallId=7, rawInput="x", content={"a": 1})
    sys.stdout.write("[1]\n")


def remember(word: str) -> None:
    with open(os.environ["MEMORY"], "a") as file:
        file.write(f"{word}\n")


def recalled() -> list[str]:
    """Of the session that was loaded; none without one."""
    with open(os.environ["MEMORY"]) as file:
        return file.read().split() if "session" in loaded else []


def flood(_: str) -> None:
    sys.stdout.write("x" * (20 << 20))
    sys.stdout.flush()


def crash(_: str) -> None:
    sys.stderr.write("out of luck")
    sys.stderr.flush()
    os._exit(3)


ORDERS: dict[str, Callable[[str], None]] = {
    "run": run,
    "ask": lambda command: run(command, ask=True),
    "question": question,
    "model": ask_model,
    "say": say,
    "plan": plan,
    "noise": noise,
    "flood": flood,
    "crash": crash,
    "remember": remember,
    "recall": lambda _: say(f"I remember {recalled()}."),
    "servers": lambda _: say(f"Servers: {json.dumps(given)}"),
    "hang": lambda _: time.sleep(3600),
}


def prompt(number: int, text: str) -> None:
    if "another copy of you" in text and "# Now" in text:
        text = text.rsplit("# Now", 1)[1]
    elif "# Task" in text:
        text = text.rsplit("# Task", 1)[1]
    elif "You were interrupted here" in text:
        text = text.rpartition("User: ")[2]
        if "poison" in recalled():
            send({"id": number, "error": {"code": -32603, "message": "my memory is bad"}})
            return
    reason = "end_turn"
    for line in text.splitlines():
        if cancelled.is_set():
            break
        order, _, rest = line.strip().partition(" ")
        if order == "refuse":
            reason = "refusal"
        elif order in ORDERS:
            ORDERS[order](rest)
    say("I have ended.")
    usage = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
    stop = "cancelled" if cancelled.is_set() else reason
    send({"id": number, "result": {"stopReason": stop, "usage": usage}})


def load(number: int, params: dict[str, Any]) -> None:
    if not os.path.exists(os.environ["MEMORY"]):
        send({"id": number, "error": {"code": -32002, "message": "no such session"}})
        return
    loaded["session"] = params["sessionId"]
    given.extend(params["mcpServers"])
    say("This I have said before.")
    send({"id": number, "result": None})


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        number, method = message.get("id"), message.get("method")
        params = message.get("params") or {}
        if method is None:
            with answered:
                answers[number] = message.get("result")
                answered.notify_all()
        elif method == "initialize":
            able = {"loadSession": "MEMORY" in os.environ, "mcpCapabilities": {"http": True}}
            send({"id": number, "result": {"protocolVersion": 1, "agentCapabilities": able}})
        elif method == "session/new":
            given.extend(params["mcpServers"])
            send({"id": number, "result": {"sessionId": "s"}})
        elif method == "session/load":
            load(number, params)
        elif method == "session/set_mode":
            error = {"code": -32602, "message": f"no mode {params['modeId']}"}
            send({"id": number, "error": error})
        elif method == "session/prompt":
            cancelled.clear()
            text = params["prompt"][0]["text"]
            threading.Thread(target=prompt, args=(number, text), daemon=True).start()
        elif method == "session/cancel":
            cancelled.set()


main()

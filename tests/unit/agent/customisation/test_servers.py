"""MCP servers as they are configured: what is understood, filled in, and said to be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from journeyman.agent.customisation import servers
from journeyman.agent.customisation.servers import ServerSpec

COMMAND = {"type": "local", "command": "run", "args": ["a"], "tools": ["*"]}


def test_settings_are_read_with_every_kind() -> None:
    read = servers.of_settings(
        {
            "mcpServers": {
                "one": COMMAND,
                "two": {"type": "stdio", "command": "x", "env": {"PORT": 80}, "tools": ["a"]},
                "three": {"type": "http", "url": "https://a.example/mcp", "headers": {"X": "y"}},
                "four": {"type": "sse", "url": "https://a.example/sse"},
                "five": {"url": "https://a.example/"},
            }
        }
    )
    assert not read.faults
    assert not read.warnings
    assert [(spec.name, spec.kind, spec.tools) for spec in read.servers] == [
        ("one", "local", ("*",)),
        ("two", "local", ("a",)),
        ("three", "http", ("*",)),
        ("four", "sse", ("*",)),
        ("five", "http", ("*",)),
    ]
    assert read.servers[1].env == {"PORT": "80"}
    assert read.servers[1].gives("a")
    assert not read.servers[1].gives("b")


@pytest.mark.parametrize("nothing", [None, {}, {"mcpServers": {}}])
def test_no_configuration_is_no_server(nothing: dict[str, Any] | None) -> None:
    assert servers.of_settings(nothing) == servers.Read()


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ("npx", "it must be an object"),
        ({"type": "websocket"}, "type is 'websocket'; it may be local, stdio, http or sse"),
        ({"type": ["local"]}, "type is"),
        ({"type": "local"}, "command is missing"),
        ({"type": "http"}, "url is missing, or is neither http nor https"),
        ({"type": "sse", "url": "file:///etc/passwd"}, "url is missing"),
        ({"command": "x", "args": "a b"}, "args must be a list of texts"),
        ({"command": "x", "tools": [1]}, "tools must be a list of texts"),
        ({"command": ["x"]}, "command must be a text"),
        ({"command": "x", "env": {"A": None}}, "env must have a text for 'A'"),
        ({"command": "x", "env": {"A=B": "c"}}, "env has the name 'A=B'"),
        ({"command": "x", "env": []}, "env must be an object"),
        ({"command": "x\0"}, "command has a NUL character"),
    ],
)
def test_what_is_broken_is_left_out_and_told(server: Any, message: str) -> None:
    read = servers.read({"bad": server, "good": COMMAND})
    assert [spec.name for spec in read.servers] == ["good"]
    (fault,) = read.faults
    assert fault.startswith("MCP server 'bad' is not used: ")
    assert message in fault


def test_what_is_not_known_is_told() -> None:
    known = servers.of_settings(
        {"mcpServers": {"x": {**COMMAND, "cwd": "/", "envFile": ".env"}}, "inputs": []}
    )
    assert known.warnings == (
        "MCP server 'x': unknown key 'cwd' is ignored",
        "MCP server 'x': unknown key 'envFile' is ignored",
        "the MCP configuration: unknown key 'inputs' is ignored",
    )
    assert servers.of_settings({"servers": {}}).faults
    many = servers.read({str(number): COMMAND for number in range(25)})
    assert len(many.servers) == 20
    assert many.warnings == ("only the first 20 of 25 MCP servers are used",)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$COPILOT_MCP_KEY", "k1"),
        ("a-${COPILOT_MCP_KEY}-b", "a-k1-b"),
        ("${COPILOT_MCP_KEY:-x}", "k1"),
        ("${COPILOT_MCP_NONE:-x y}", "x y"),
        ("${COPILOT_MCP_NONE:-}", ""),
        ("${{ secrets.COPILOT_MCP_KEY }}", "k1"),
        ("${{vars.COPILOT_MCP_KEY}}", "k1"),
        ("--host=$HOST", "--host=a.example"),
        ("$HOME and $5 or $", "$HOME and $5 or $"),
        ("$COPILOT_MCP_KEYS", ""),
        ("${{ secrets.OTHER }}", ""),
    ],
)
def test_references_are_filled_in(text: str, filled: str) -> None:
    values = {"COPILOT_MCP_KEY": "k1"}
    spec = ServerSpec("x", "local", command="run", args=(text,), env={"HOST": "a.example"})
    made, missing = servers.filled(spec, values)
    assert made.args == (filled,)
    assert missing == [name for name in ("COPILOT_MCP_KEYS", "OTHER") if name in text]
    away = ServerSpec("x", "http", url=f"https://a.example/{text}", headers={"X": text})
    made, _ = servers.filled(away, values | {"HOST": "a.example"})
    assert (made.url, made.headers) == (f"https://a.example/{filled}", {"X": filled})


def test_what_a_secret_says_is_not_filled_in_again() -> None:
    spec = ServerSpec("x", "local", command="run", env={"A": "$COPILOT_MCP_A"})
    made, _ = servers.filled(spec, {"COPILOT_MCP_A": "$COPILOT_MCP_B", "COPILOT_MCP_B": "b"})
    assert made.env == {"A": "$COPILOT_MCP_B"}

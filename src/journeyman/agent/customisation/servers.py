"""MCP servers as a repository's settings and custom agents configure them, in GitHub's format.

Knows nothing of how servers are started or spoken to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from journeyman.agent.text import clean

LOCAL, HTTP, SSE = "local", "http", "sse"
KINDS = {"local": LOCAL, "stdio": LOCAL, "http": HTTP, "streamable-http": HTTP, "sse": SSE}
KEYS = frozenset({"type", "tools", "command", "args", "env", "url", "headers"})
MOST_SERVERS = 20
NAME_CHARS = 100
PREFIX = "COPILOT_MCP_"
"""Names of the secrets and variables that a configuration may refer to."""
_REFERENCE = re.compile(
    r"\$\{\{\s*(?:secrets|vars)\.(?P<context>\w+)\s*\}\}"
    r"|\$\{(?P<braced>\w+)(?::-(?P<default>[^}]*))?\}"
    r"|\$(?P<plain>[A-Za-z_]\w*)"
)


@dataclass(frozen=True)
class ServerSpec:
    """One server. *kind* is local, http or sse."""

    name: str
    kind: str
    tools: tuple[str, ...] = ("*",)
    """As the server names them; `*`: all."""
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def gives(self, tool: str) -> bool:
        return "*" in self.tools or tool in self.tools


class Broken(ValueError):
    """A server that cannot be started as it is configured; the text says why."""


@dataclass(frozen=True)
class Read:
    """*faults*: servers that cannot be used, and why. *warnings*: what is ignored."""

    servers: tuple[ServerSpec, ...] = ()
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read(servers: Mapping[str, Any]) -> Read:
    """*servers*: configurations by name, as they are written; references are not filled in."""
    found, faults, warnings = list[ServerSpec](), list[str](), list[str]()
    for name, value in list(servers.items())[:MOST_SERVERS]:
        shown = clean(str(name))[:NAME_CHARS]
        try:
            found.append(_spec(shown, value))
        except Broken as error:
            faults.append(f"MCP server {shown!r} is not used: {error}")
        else:
            strange = sorted(str(key) for key in value.keys() - KEYS)
            warnings += [f"MCP server {shown!r}: unknown key {key!r} is ignored" for key in strange]
    if len(servers) > MOST_SERVERS:
        warnings.append(f"only the first {MOST_SERVERS} of {len(servers)} MCP servers are used")
    return Read(tuple(found), tuple(faults), tuple(warnings))


def of_settings(configuration: Mapping[str, Any] | None) -> Read:
    """What a repository's settings say: `{"mcpServers": {NAME: {…}}}`."""
    if not configuration:
        return Read()
    named = configuration.get("mcpServers")
    if not isinstance(named, dict):
        return Read(faults=('the MCP configuration needs "mcpServers": {NAME: {…}}',))
    known = read(named)
    strange = sorted(str(key) for key in configuration.keys() - {"mcpServers"})
    unknown = tuple(f"the MCP configuration: unknown key {key!r} is ignored" for key in strange)
    return Read(known.servers, known.faults, known.warnings + unknown)


def filled(spec: ServerSpec, values: Mapping[str, str]) -> tuple[ServerSpec, list[str]]:
    """*spec* with its references replaced, and the names that are referred to and not set.

    *values*: what may be referred to. What a server's `env` sets may be used in the rest of it. A
    name of another kind that nobody has set stays as it is written.
    """
    missing = list[str]()

    def fill(text: str, known: Mapping[str, str]) -> str:
        return _REFERENCE.sub(lambda found: _value(found, known, missing.append), text)

    env = {name: fill(text, values) for name, text in spec.env.items()}
    known = {**env, **values}
    made = ServerSpec(
        name=spec.name,
        kind=spec.kind,
        tools=spec.tools,
        command=fill(spec.command, known),
        args=tuple(fill(text, known) for text in spec.args),
        env=env,
        url=fill(spec.url, known),
        headers={name: fill(text, known) for name, text in spec.headers.items()},
    )
    return made, list(dict.fromkeys(missing))


def _value(found: re.Match[str], known: Mapping[str, str], miss: Callable[[str], None]) -> str:
    name = found["context"] or found["braced"] or found["plain"]
    value = known.get(name, "")
    if found["default"] is not None:
        return value or found["default"]
    if name in known:
        return value
    if name.startswith(PREFIX) or found["context"]:
        miss(name)
        return ""
    return found[0]


def _spec(name: str, value: Any) -> ServerSpec:
    if not isinstance(value, dict):
        raise Broken("it must be an object")
    kind = _kind(value)
    spec = ServerSpec(
        name=name,
        kind=kind,
        tools=_list(value, "tools", ("*",)),
        command=_text(value, "command"),
        args=_list(value, "args", ()),
        env=_table(value, "env"),
        url=_text(value, "url"),
        headers=_table(value, "headers"),
    )
    if kind == LOCAL and not spec.command:
        raise Broken("command is missing")
    if kind != LOCAL and not spec.url.startswith(("http://", "https://", "$")):
        raise Broken("url is missing, or is neither http nor https")
    return spec


def _kind(value: Mapping[str, Any]) -> str:
    said = value.get("type", "http" if "url" in value else "local")
    kind = KINDS.get(said) if isinstance(said, str) else None
    if kind is None:
        raise Broken(f"type is {str(said)[:40]!r}; it may be local, stdio, http or sse")
    return kind


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key, "")
    if not isinstance(found, str):
        raise Broken(f"{key} must be a text")
    return _checked(key, found)


def _list(value: Mapping[str, Any], key: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    found = value.get(key)
    if found is None:
        return otherwise
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Broken(f"{key} must be a list of texts")
    return tuple(_checked(key, item) for item in found)


def _table(value: Mapping[str, Any], key: str) -> dict[str, str]:
    found = value.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Broken(f"{key} must be an object with a text for each name")
    return dict(_pairs(key, found))


def _pairs(key: str, found: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for name, item in found.items():
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise Broken(f"{key} must have a text for {str(name)[:40]!r}")
        if not name or "=" in str(name):
            raise Broken(f"{key} has the name {str(name)[:40]!r}")
        yield _checked(key, str(name)), _checked(key, str(item))


def _checked(key: str, text: str) -> str:
    if "\0" in text:
        raise Broken(f"{key} has a NUL character")
    return clean(text)

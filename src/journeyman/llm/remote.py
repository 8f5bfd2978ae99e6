"""What a request would have its provider fetch or run: that would reach past a session's network.

Tools that the client carries out stay. Knows nothing of how requests are passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
OwnTool = Callable[[Json], Json | None]
"""A tool as it may be offered to the model; None: not at all."""

KEYS = frozenset(
    {"mcp_servers", "container"}  # Anthropic
    | {"web_search_options", "prompt", "background"}  # OpenAI; a prompt stored there has tools
    | {"plugins", "models"}  # OpenRouter
)
"""Of a request, that are left out."""
_CLIENTS = frozenset({"function", "custom", "local_shell", "apply_patch"})
_CLIENTS_VERSIONED = ("bash_", "text_editor_", "memory_")
"""Anthropic's, with a date at the end."""
_DECLARED = ("functionDeclarations", "function_declarations")
_WITH_TOOLS = ("tool_choice", "parallel_tool_calls", "toolConfig", "tool_config")
"""Of a request, that providers refuse where there is no tool."""
_FREE = frozenset({"auto", "any", "none", "required"})
"""Choices that name no tool."""


def of_client(tool: Json) -> Json | None:
    """OpenAI's and Anthropic's: by its type."""
    kind = tool.get("type", "custom")
    known = isinstance(kind, str) and (kind in _CLIENTS or kind.startswith(_CLIENTS_VERSIONED))
    return tool if known else None


def declared(tool: Json) -> Json | None:
    """Google's: functions are the client's, all else is done there."""
    return {key: tool[key] for key in _DECLARED if key in tool} or None


def without(body: Json, own: OwnTool) -> Json:
    """*body* with nothing in it that the provider does by itself, nor a choice of such a tool: the
    model then chooses among the others."""
    kept = {key: value for key, value in body.items() if key not in KEYS}
    if not isinstance(given := kept.pop("tools", None), list):
        return kept
    tools = [made for tool in given if isinstance(tool, dict) and (made := own(tool))]
    if tools:
        kept["tools"] = tools
    gone = _WITH_TOOLS if given and not tools else ()
    if len(tools) < len(given) and not _chosen(kept.get("tool_choice")) <= set(map(_named, tools)):
        gone = (*gone, "tool_choice")
    return {key: value for key, value in kept.items() if key not in gone}


def _chosen(choice: Any) -> set[str]:
    """The tools that a `tool_choice` names, in either of OpenAI's formats or in Anthropic's."""
    if not isinstance(choice, dict) or choice.get("type") in _FREE:
        return set()
    allowed = choice.get("allowed_tools", choice)
    several = allowed.get("tools") if isinstance(allowed, dict) else None
    named = several if isinstance(several, list) else [choice]
    return {_named(one) for one in named if isinstance(one, dict)}


def _named(tool: Json) -> str:
    """Its name; its kind, of those that have none."""
    inner = tool.get(str(tool.get("type")))
    name = inner.get("name") if isinstance(inner, dict) else tool.get("name")
    return str(name or tool.get("type"))


def fetched(body: Json) -> str | None:
    """An address of an image or a file that the provider would fetch; None: there is none."""
    unseen: list[Any] = [body]
    while unseen:
        part = unseen.pop()
        if isinstance(part, dict):
            for address in _addresses(part):
                if ":" in address and not address.lstrip().startswith("data:"):
                    return address
            unseen += part.values()
        elif isinstance(part, list):
            unseen += part
    return None


def _addresses(part: Json) -> Iterator[str]:
    """Of what is fetched. Google takes each key in camelCase and in snake_case."""
    match part:
        case (
            {
                "type": "image_url" | "input_image" | "computer_screenshot",
                "image_url": str(address) | {"url": str(address)},
            }
            | {"type": "video_url", "video_url": str(address) | {"url": str(address)}}
            | {"type": "audio_url", "audio_url": str(address) | {"url": str(address)}}
            | {"type": "input_file", "file_url": str(address)}
            | {"type": "file", "file": {"file_data": str(address)}}
            | {"type": "image" | "document", "source": {"type": "url", "url": str(address)}}
        ):
            yield address
    for key in ("fileData", "file_data"):
        if isinstance(data := part.get(key), dict):
            yield from (str(data[key]) for key in ("fileUri", "file_uri") if key in data)

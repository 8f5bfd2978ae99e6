"""What a tool is: a definition for the model, a check of its arguments, and what it does.

Knows nothing of the loop or the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import ToolDefinition

from journeyman.domain.events import NewEvent

OnPartial = Callable[[bytes], None]
"""Gets the output of a running command as it comes."""


class ToolError(Exception):
    """A call that could not be done; the message is for the model: what was wrong, what to do."""


@dataclass(frozen=True)
class Image:
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Result:
    """*text* is what the tool found, whole; the loop clips what the model sees of it."""

    text: str
    success: bool = True
    details: dict[str, Any] = field(default_factory=dict)
    """For models that are programs: the language models never see it."""
    paths: tuple[str, ...] = ()
    """The files of the repository that it was about, from the root."""
    images: tuple[Image, ...] = ()
    events: tuple[NewEvent, ...] = ()
    """What else the log says of it, after its result."""


class Arguments(BaseModel):
    """A tool's arguments; field descriptions are part of its definition."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Asking:
    """A question for the user, as a call asks it."""

    question: str
    choices: tuple[str, ...] = ()
    allow_freeform: bool = True


@dataclass(frozen=True)
class Delegation:
    """A part of the task for a sub-agent: who it is told to be, with what, and what to do."""

    instructions: str
    tools: Toolbox
    prompt: str
    agent: str = ""
    """Its name."""


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)
Run = Callable[[Any, OnPartial], Awaitable[Result]]


@dataclass(frozen=True)
class Tool:
    definition: ToolDefinition
    arguments: type[Arguments]
    run: Run
    """Raises ToolError; SandboxLost passes through it."""
    read_only: bool = False
    """True when it changes no file: such calls run at once, and need no checkpoint."""
    service: bool = False
    """True when it calls back into the service, whose errors end the turn."""
    ask: Callable[[Any], Asking] | None = None
    """Set for the tool that ends the turn with a question."""
    delegate: Callable[[Any], Delegation | None] | None = None
    """Set for the tool that gives work to a sub-agent; None when there is none of that name."""
    listed: str = ""
    """How custom agents list it, when that is not by its name: `server/tool` of MCP."""

    @property
    def name(self) -> str:
        return self.definition.name

    def parse(self, call: ToolCallPart) -> Arguments:
        """The checked arguments of *call*; ToolError says what was wrong with each."""
        try:
            raw = call.args_as_dict(raise_if_invalid=True)
        except (ValueError, AssertionError) as error:
            raise ToolError(
                f"The arguments of {self.name} are not a JSON object: {error}"
            ) from error
        try:
            return self.arguments.model_validate(raw)
        except ValidationError as error:
            raise ToolError(_explained(self.name, error)) from error


class Toolbox:
    """The tools of one session, in the order they are offered."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self.definitions: Sequence[ToolDefinition] = tuple(tool.definition for tool in tools)

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._tools)

    @property
    def all(self) -> Sequence[Tool]:
        return tuple(self._tools.values())

    def only(self, allows: Callable[[str], bool]) -> Toolbox:
        """Those that *allows* lets through, by the names under which they are listed."""
        return Toolbox([tool for tool in self.all if allows(tool.listed or tool.name)])

    def find(self, name: str) -> Tool | None:
        return self._tools.get(name)


def make_tool(
    name: str,
    arguments: type[ArgumentsT],
    run: Callable[[ArgumentsT, OnPartial], Awaitable[Result]],
    *,
    read_only: bool = False,
    service: bool = False,
    ask: Callable[[ArgumentsT], Asking] | None = None,
    delegate: Callable[[ArgumentsT], Delegation | None] | None = None,
) -> Tool:
    """A tool whose description is the docstring of its arguments."""
    schema = arguments.model_json_schema()
    description = schema.pop("description")
    _drop_titles(schema)
    definition = ToolDefinition(name=name, description=description, parameters_json_schema=schema)
    return Tool(definition, arguments, run, read_only, service, ask, delegate)


def _drop_titles(schema: dict[str, Any]) -> None:
    """They repeat the names, and every request carries them."""
    schema.pop("title", None)
    for inner in (*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()):
        _drop_titles(inner)


def _explained(name: str, error: ValidationError) -> str:
    lines = [
        f"- {'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    ]
    return f"The arguments of {name} are wrong:\n" + "\n".join(lines)

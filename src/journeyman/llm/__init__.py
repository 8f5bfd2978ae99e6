"""What answers: the contract of every model, in the message types of pydantic-ai's model layer.

Knows nothing of sandboxes or the log. Implementations live beside this file and are named in `app`
only.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.tools import ToolDefinition

from journeyman.domain.sessions import Reason

SCRIPT = "script"
"""The id of the built-in model, which is a program."""
WINDOW_TOKENS = 128_000
"""What fits into a model of which nothing else is known."""


class ModelError(Exception):
    """A reply could not be had. *permanent*: asking again will not help.

    *retry_after_seconds*: as the provider said.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_seconds = retry_after_seconds


class ContextOverflow(ModelError):
    """The conversation no longer fits into the model's window."""


class ModelRefused(ModelError):
    """The provider or the model declined this request."""


@dataclass(frozen=True)
class Delta:
    """A piece of a reply while it comes."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True)
class Failure:
    """A model's own word that its work ended in failure; a language model never says it."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Reply:
    """One whole reply; a stream that broke off is a ModelError, never half a reply."""

    message: ModelResponse
    model: str
    """The name the provider answered with."""
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_nano_credits: int | None
    """1 credit is 0.01 USD; None when the price is not known."""
    failure: Failure | None = None
    """Set on a last reply, one without tool calls, that ends the session as failed."""


OnDelta = Callable[[Delta], None]
OnReply = Callable[[Reply, float], None]
"""Gets a reply that went by, with its tokens and price alone, and the seconds it took."""


class Model(Protocol):
    id: str
    """`provider:name`, or `script`."""

    @property
    def window_tokens(self) -> int:
        """How much of a conversation fits, its reply included."""
        ...

    async def reply(
        self,
        messages: Sequence[ModelMessage],
        tools: Sequence[ToolDefinition],
        *,
        on_delta: OnDelta,
    ) -> Reply:
        """One request, no retries of its own: the loop decides.

        Raises ModelError; safe to cancel.
        """
        ...


class Endpoint(Protocol):
    """A model's provider for a program of others, which gets no key."""

    model: str
    """As the provider spells it."""

    def serve(self, listening: socket.socket, told: OnReply) -> AbstractAsyncContextManager[None]:
        """Answer in the provider's own wire format at *listening*, which is closed in the end."""
        ...


@dataclass(frozen=True)
class Facts:
    """What is known of a model before it is asked."""

    window_tokens: int | None = None
    """What fits; None: not known."""
    images: bool = True
    """Whether it takes images."""
    input_price: float | None = None
    """USD for a million tokens, before any tiers; None: not known."""
    output_price: float | None = None


@dataclass(frozen=True)
class Needs:
    """What a task asks of its model."""

    tokens: int = 0
    """Of the first request."""
    images: bool = False

    def met_by(self, facts: Facts) -> bool:
        """Half of the window is kept for the work."""
        fits = facts.window_tokens is None or 2 * self.tokens <= facts.window_tokens
        return fits and (facts.images or not self.images)


NO_NEEDS = Needs()


@dataclass(frozen=True)
class ModelInfo:
    """One line of the list of what may be named in `model`."""

    id: str
    name: str
    provider: str
    healthy: bool
    detail: str = ""
    facts: Facts = Facts()


class Models(Protocol):
    """All that is configured."""

    def list(self) -> Sequence[ModelInfo]:
        """The first call reads the price list, which takes half a second: call it in a thread."""
        ...

    def resolve(self, name: str | None, needs: Needs = NO_NEEDS) -> Model:
        """None or `auto`: the first healthy configured model that meets *needs*, or, where none
        does, the first healthy one; `script` when none is configured.
        Raises UnknownModel, which lists what there is."""
        ...

    def instead(self, model_id: str, asked: str | None) -> str | None:
        """The id of a model that answers, for one that does not: the same at another provider,
        or, where *asked* left the choice to us, another one. None: there is none."""
        ...


class UnknownModel(LookupError):
    def __init__(self, name: str, available: Sequence[str]) -> None:
        super().__init__(f"model {name!r} is not configured; there is: {', '.join(available)}")
        self.name = name
        self.available = tuple(available)

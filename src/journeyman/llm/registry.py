"""All that is configured: names to models, and which of them answer at the moment.

Knows nothing of wire formats; each provider is one file beside this one.
"""

from __future__ import annotations

import builtins
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic_ai.messages import ModelMessage
from pydantic_ai.tools import ToolDefinition

from journeyman.llm import (
    NO_NEEDS,
    ContextOverflow,
    Facts,
    Model,
    ModelError,
    ModelInfo,
    ModelRefused,
    Needs,
    OnDelta,
    Reply,
    UnknownModel,
)
from journeyman.llm.observed import Observed
from journeyman.llm.script import Script

TRANSIENT_SECONDS = 60.0
PERMANENT_SECONDS = 600.0
"""How long a model is passed over by `auto` after an error that asking again would not mend."""

_SCRIPT = Script.id


class Provider(Protocol):
    """One configured place that serves models."""

    name: str

    @property
    def models(self) -> Sequence[str]:
        """Names as the place spells them, the preferred one first."""
        ...

    def model(self, name: str) -> Model: ...

    def facts(self, name: str) -> Facts:
        """What is known of *name*. Slow the first time."""
        ...

    async def aclose(self) -> None: ...


@dataclass
class _Entry:
    provider: Provider
    name: str
    down_until: float = 0.0
    detail: str = ""

    @property
    def id(self) -> str:
        return f"{self.provider.name}:{self.name}"

    def meets(self, needs: Needs) -> bool:
        return needs.met_by(self.provider.facts(self.name))


SCRIPTED = ModelInfo(
    _SCRIPT,
    _SCRIPT,
    "built-in",
    True,
    "runs the ```sh blocks of the prompt",
    Facts(images=False, input_price=0.0, output_price=0.0),
)


def _info(entry: _Entry, now: float) -> ModelInfo:
    up = entry.down_until <= now
    facts = entry.provider.facts(entry.name)
    detail = "" if up else entry.detail
    return ModelInfo(entry.id, entry.name, entry.provider.name, up, detail, facts)


class _Watched:
    """A model whose failures are told to the registry."""

    def __init__(self, inner: Model, failed: Callable[[str, ModelError], None]) -> None:
        self.id = inner.id
        self._inner = inner
        self._failed = failed

    @property
    def window_tokens(self) -> int:
        return self._inner.window_tokens

    async def reply(
        self,
        messages: Sequence[ModelMessage],
        tools: Sequence[ToolDefinition],
        *,
        on_delta: OnDelta,
    ) -> Reply:
        try:
            return await self._inner.reply(messages, tools, on_delta=on_delta)
        except ModelError as error:
            self._failed(self.id, error)
            raise


class Registry:
    """Models in the order they were configured; the built-in script model is always the last."""

    def __init__(
        self, providers: Sequence[Provider] = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._providers = tuple(providers)
        self._clock = clock
        self._script = Observed(Script())
        self._entries = [_Entry(p, name) for p in self._providers for name in p.models]

    def list(self) -> Sequence[ModelInfo]:
        now = self._clock()
        return [*(_info(entry, now) for entry in self._entries), SCRIPTED]

    def resolve(self, name: str | None, needs: Needs = NO_NEEDS) -> Model:
        if name is None or name.strip().lower() in {"", "auto"}:
            fit = [one for one in self._entries if needs == NO_NEEDS or one.meets(needs)]
            return self._best(fit or self._entries)
        if name.strip().lower() == _SCRIPT:
            return self._script
        if found := self._named(name.strip()):
            return self._best(found)
        raise UnknownModel(name, [*(entry.id for entry in self._entries), _SCRIPT])

    def instead(self, model_id: str, asked: str | None) -> str | None:
        now, name = self._clock(), canonical(model_id.partition(":")[2])
        up = [e for e in self._entries if e.down_until <= now and e.id != model_id]
        same = [entry for entry in up if canonical(entry.name) == name]
        free = asked is None or asked.strip().lower() in {"", "auto"}
        return next((entry.id for entry in (*same, *(up if free else ()))), None)

    def report_failure(self, model_id: str, error: ModelError) -> None:
        """Pass *model_id* over for a while, for as long as the provider said where it did."""
        if isinstance(error, ContextOverflow | ModelRefused):
            return  # about this one request, not about the model
        pause = (
            PERMANENT_SECONDS if error.permanent else error.retry_after_seconds or TRANSIENT_SECONDS
        )
        for entry in self._entries:
            if entry.id == model_id:
                entry.down_until, entry.detail = self._clock() + pause, str(error)

    async def aclose(self) -> None:
        for provider in self._providers:
            await provider.aclose()

    def _best(self, entries: builtins.list[_Entry]) -> Model:
        """The first that answers; when none does, the one that is expected back first."""
        if not entries:
            return self._script
        now = self._clock()
        entry = min(entries, key=lambda e: max(e.down_until, now))
        return _Watched(Observed(entry.provider.model(entry.name)), self.report_failure)

    def _named(self, name: str) -> builtins.list[_Entry]:
        """The entries *name* may mean: by id, else by exact name, else by canonical spelling."""
        for matches in self._readings(name):
            if found := [entry for entry in self._entries if matches(entry)]:
                return found
        return []

    def _readings(self, name: str) -> Iterator[Callable[[_Entry], bool]]:
        yield lambda entry: entry.id == name
        prefix, colon, rest = name.partition(":")
        if colon and any(prefix == provider.name for provider in self._providers):
            spelling = canonical(rest)
            yield lambda entry: entry.provider.name == prefix and canonical(entry.name) == spelling
            return
        yield lambda entry: entry.name == name
        yield lambda entry: canonical(entry.name) == canonical(name)
        # A way to ask for the same model, for which most providers have no name of its own.
        if (standard := re.sub(r"^(claude-.*)-fast$", r"\1", canonical(name))) != canonical(name):
            yield lambda entry: canonical(entry.name) == standard


def canonical(name: str) -> str:
    """One spelling for one model: `claude-sonnet-4-6`, `anthropic/claude-sonnet-4.6`,
    `us.anthropic.claude-sonnet-4-6-20260217-v1:0` and `Claude Sonnet 4.6 (copilot)` are all
    `claude-sonnet-4.6`."""
    spelling = name.strip().lower().rsplit("/", 1)[-1]
    # As GitHub's pages and editors show names: with blanks, and remarks in parentheses.
    spelling = spelling.replace("(fast mode)", "fast")
    spelling = "-".join(re.sub(r"\([^()]*\)", " ", spelling).split())
    spelling = re.sub(
        r"^((us|eu|apac|jp|au|global|regional)\.)?(anthropic|openai|meta|amazon|google)\.",
        "",
        spelling,
    )
    spelling = re.sub(r"-v\d+(:\d+)?$", "", spelling)
    spelling = re.sub(
        r"[-@](20\d{6}|20\d\d-\d\d-\d\d|latest|preview|preview-\d\d-\d{2,4})$", "", spelling
    )
    spelling = re.sub(r"(?<=\d)[.-](?=\d)", ".", spelling)
    return re.sub(r"(?<=-\d)\.0$", "", spelling)

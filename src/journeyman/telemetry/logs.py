"""Logs to standard error: for people on a terminal, JSON lines otherwise, never with a token.

Knows nothing of what is logged. A session's events are domain data, not telemetry.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from journeyman.telemetry import traces

_SECRETS = re.compile(
    r"""
    (?P<token> github_pat_ | gh[pousr]_ | (?: (?<![A-Za-z0-9]) | (?<=\dm) ) sk- ) [A-Za-z0-9._-]{8,}
  | (?P<scheme> \b (?i: bearer | basic | token ) \s+ ) (?=\S*[0-9A-Z=]) [A-Za-z0-9._~+/-]{8,} =*
  | (?P<userinfo> :// [^\s:/@"']* : ) [^\s/@"']+ (?=@)
    """,
    re.VERBOSE,
)
"""GitHub's tokens by prefix (their length has changed before), model keys, credentials of HTTP."""

_ABOVE = {
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "dbos": logging.WARNING,  # advertises its hosted service at INFO
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "mcp.client": logging.CRITICAL,  # tells of servers at length; sessions do so in short
    "openai": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.WARNING,
}
_process: dict[str, str] = {}
_CANCELLED = {
    "CancelledError",
    "DBOSAwaitedWorkflowCancelledError",
    "DBOSWorkflowCancelledError",
    "DBOSWorkflowConflictIDError",
}


def configure(level: str = "info", form: str = "auto", *, stream: TextIO | None = None) -> None:
    """For structlog and the standard library's loggers; *form* is auto, console or json."""
    stream = stream or sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_process,
        _with_trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if not console else "%H:%M:%S", utc=not console),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendered(console=console, colors=console and stream.isatty()),
                redacted,
            ],
        )
    )
    _take_over(handler, level.upper())


def identify(**fields: str) -> None:
    """Fields of every line from now on: who this process is."""
    _process.update(fields)


def redact(text: str) -> str:
    """*text* with every token, password and key in it masked; what kind it was stays readable."""
    return _SECRETS.sub(_masked, text)


def redacted(_logger: WrappedLogger, _method: str, line: EventDict | str) -> str:
    """The last processor: it sees the whole line, so no traceback or nested value is missed."""
    return redact(str(line))


def _with_process(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    return {**_process, **fields}


def _with_trace(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    return {**traces.ids(), **fields}


def _masked(match: re.Match[str]) -> str:
    return f"{match['token'] or match['scheme'] or match['userinfo']}***"


def _rendered(*, console: bool, colors: bool) -> list[Processor]:
    if console:
        plain = structlog.dev.plain_traceback  # rich's shows local variables, and they hold secrets
        return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _take_over(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _ABOVE.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    engine = logging.getLogger("dbos")
    engine.handlers[:] = [handler]  # it adds its own when it finds none
    engine.propagate = False
    engine.filters[:] = [_is_no_cancel]


def _is_no_cancel(record: logging.LogRecord) -> bool:
    """A cancel is an order, not an error, but the engine logs a traceback for each."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or kind.__name__ not in _CANCELLED

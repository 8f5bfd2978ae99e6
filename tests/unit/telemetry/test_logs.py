"""What the log looks like, and what never gets into it."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from journeyman.telemetry import logs

TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, engine = logging.getLogger(), logging.getLogger("dbos")
    kept = (root.handlers[:], root.level, engine.handlers[:], engine.filters[:], engine.propagate)
    yield
    structlog.reset_defaults()
    root.handlers[:], level, engine.handlers[:], engine.filters[:], engine.propagate = kept
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (TOKEN, "ghp_***"),
        (f"x={TOKEN}, y", "x=ghp_***, y"),
        ("github_pat_11AAAAAAA0123_abcdef", "github_pat_***"),
        ("ghs_123_eyJhbGciOi.eyJpc3Mi.c2ln", "ghs_***"),
        ("Authorization: Bearer abcDEF123456", "Authorization: Bearer ***"),
        ("authorization: basic eDpnaHBfMDEyMzQ1Njc4OQ==", "authorization: basic ***"),
        ("http://x:hunter2@localhost:1/a.git", "http://x:***@localhost:1/a.git"),
        ("key sk-proj-0123456789", "key sk-***"),
        ("\x1b[35msk-0123456789", "\x1b[35msk-***"),
        ("task-0123456789", None),
        ("\x1b[35mghp_0123456789\x1b[0m", "\x1b[35mghp_***\x1b[0m"),
        ("Basic authentication is off; a bearer token is needed", None),
        ("http://localhost:8080/alice@example", None),
    ],
)
def test_secrets_are_masked_and_prose_is_not(text: str, shown: str | None) -> None:
    assert logs.redact(text) == (text if shown is None else shown)


def test_lines_are_json_where_nobody_watches() -> None:
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    structlog.get_logger().info(
        "session.claimed", session_id="s1", headers={"a": f"Bearer {TOKEN}"}
    )
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    expected = {
        "event": "session.claimed",
        "session_id": "s1",
        "level": "info",
        "headers": {"a": "Bearer ***"},
    }
    assert line == expected


def test_lines_are_for_people_on_a_terminal() -> None:
    stream = Terminal()
    logs.configure("info", stream=stream)
    structlog.get_logger().info("session.claimed", token=TOKEN)
    assert "session.claimed" in stream.getvalue()
    assert "{" not in stream.getvalue()
    assert TOKEN not in stream.getvalue()


def push() -> None:
    raise RuntimeError(f"push with {TOKEN} failed")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_hides_no_token(form: str) -> None:
    stream = io.StringIO()
    logs.configure("info", form, stream=stream)
    try:
        push()
    except RuntimeError:
        structlog.get_logger().exception("push.failed")
    assert "push with ghp_*** failed" in stream.getvalue()
    assert TOKEN not in stream.getvalue()


def test_the_standard_library_logs_through_the_same_line() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    logging.getLogger("some.library").warning("sent %s", TOKEN)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["level"]) == (
        "sent ghp_***",
        "some.library",
        "warning",
    )


def test_below_the_level_nothing_is_written() -> None:
    stream = io.StringIO()
    logs.configure("warning", stream=stream)
    structlog.get_logger().info("session.claimed")
    logging.getLogger("some.library").info("hello")
    logging.getLogger("httpx").warning("heard")
    assert "heard" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_the_noise_of_libraries_is_left_out() -> None:
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    logging.getLogger("httpx").info("HTTP Request: GET /")
    logging.getLogger("dbos").info("Try our hosted service")
    assert stream.getvalue() == ""


def test_a_cancel_is_no_error_of_the_engine_but_an_error_is() -> None:
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    engine = logging.getLogger("dbos")
    for error in (asyncio.CancelledError(), ValueError("real")):
        engine.error("Exception encountered in asynchronous workflow", exc_info=error)
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: real" in json.loads(line)["exception"]

"""Spans where they are wanted, and nothing at all where they are not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from journeyman.config import load
from journeyman.domain.errors import AppError
from journeyman.telemetry import carried, metrics, traces
from journeyman.telemetry.measured import measured
from tests.peers.collector import Collector, collecting

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as started:
        monkeypatch.setenv(ENDPOINT, started.url)
        traces.configure("1.2.3", "test")
        yield started
        traces.shutdown()


def wants(**environ: str) -> bool:
    return load(environ={"HOME": "/nowhere", **environ}).traces


def test_they_are_on_when_a_collector_is_named() -> None:
    assert not wants()
    assert wants(**{ENDPOINT: "http://127.0.0.1:4318"})
    assert wants(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://127.0.0.1:4318/v1/traces")


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")]
)
def test_the_standard_switches_turn_them_off(name: str, value: str) -> None:
    assert not wants(**{ENDPOINT: "http://127.0.0.1:4318", name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_EXPORTER", "zipkin")],
)
def test_what_is_not_spoken_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(AppError, match=f"{name} is '{value}'"):
        wants(**{ENDPOINT: "http://127.0.0.1:4317", name: value})


def test_nothing_of_the_sdk_is_imported_without_them() -> None:
    code = (
        "import sys; from journeyman import app;"
        "print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'google.proto'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_collector_a_span_is_nothing() -> None:
    with traces.span("x", {"a": 1}) as span:
        assert not span.is_recording()
        assert traces.carrier() == {}
        assert traces.ids() == {}


def test_an_error_is_told_by_its_type_alone(collector: Collector) -> None:
    with pytest.raises(ValueError, match="hunter2"), traces.span("x"):
        raise ValueError("the password is hunter2")
    traces.shutdown()
    sent = collector.one("x")
    assert sent.failed
    assert sent.attributes == {"error.type": "ValueError"}
    assert sent.resource["service.version"] == "1.2.3"


def test_what_is_queued_goes_on_in_its_trace(collector: Collector) -> None:
    with traces.span("asked"):
        kept = carried.carry("t1")
    with carried.resumed(kept, session_id="s1"):
        carried.waited(kept)
        with measured("turn", metrics.STEP, "turn"):
            assert (carried.bound("task_id"), carried.bound("session_id")) == ("t1", "s1")
    traces.shutdown()
    asked = collector.one("asked")
    assert {span.parent_id for span in collector.spans if span is not asked} == {asked.span_id}
    assert collector.one("queue.wait").seconds >= 0


def test_a_trace_parent_of_nonsense_begins_a_new_trace(collector: Collector) -> None:
    with traces.joined({"traceparent": "00-zz-1-\x00"}), traces.span("x"):
        pass
    traces.shutdown()
    assert collector.one("x").parent_id == ""


def test_the_operator_may_want_no_trace_of_callers() -> None:
    """In a process of its own: OpenTelemetry reads this once."""
    code = (
        "from journeyman.telemetry import traces; traces.configure('1', 'test')\n"
        f"caller = {{'traceparent': '00-{'a' * 32}-{'b' * 16}-01'}}\n"
        "for of_caller in (True, False):\n"
        "    with traces.joined(caller, of_caller=of_caller), traces.span('one'):\n"
        "        print(traces.ids()['trace_id'])\n"
    )
    environ = {ENDPOINT: "http://127.0.0.1:1", "OTEL_PROPAGATORS": "none"}
    done = subprocess.run(
        [sys.executable, "-u", "-c", code + "import os; os._exit(0)"],
        env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    strangers, ours = done.stdout.split()
    assert strangers != "a" * 32 == ours


def test_a_collector_that_is_away_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    traces.configure("1.2.3", "test")
    with traces.span("x"):
        pass
    traces.shutdown()

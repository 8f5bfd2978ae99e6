"""Everything that is counted and timed, in one list: name, help, labels.

A label's values are few and known: states, outcomes, routes as they are written, configured models;
never an id, a path, a login or anything that a user or a repository chose.
docs/operations.md is compared with this list in a test.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which no query asks for

REGISTRY = CollectorRegistry()
GCCollector(REGISTRY)
PlatformCollector(REGISTRY)
ProcessCollector(registry=REGISTRY)

QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: what a client waits for."""
SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
"""Seconds: what a session waits for."""


def _gauge(name: str, told: str, *labels: str) -> Gauge:
    return Gauge(f"journeyman_{name}", told, labels, registry=REGISTRY)


def _counter(name: str, told: str, *labels: str) -> Counter:
    return Counter(f"journeyman_{name}", told, labels, registry=REGISTRY)


def _timer(name: str, told: str, *labels: str, buckets: tuple[float, ...] = SLOW) -> Histogram:
    return Histogram(f"journeyman_{name}_seconds", told, labels, registry=REGISTRY, buckets=buckets)


# --- Of the database: every process tells the same -----------------------------------------------

DATABASE_UP = _gauge("database_up", "1 when the database answered this scrape.")
SESSIONS = _gauge("sessions", "Sessions by state; queued is the depth of the queue.", "state")
QUEUE_OLDEST = _gauge(
    "queue_oldest_seconds", "How long the session has waited that waits longest; 0: none waits."
)
DISK = _gauge("disk_bytes", "Disk used, measured every few minutes, by what uses it.", "part")
DISK_FREE = _gauge("disk_free_bytes", "Free where the data directory is.")

# --- Of this process -----------------------------------------------------------------------------

DATABASE_CONNECTIONS = _gauge(
    "database_connections", "Connections of the pool: in_use, idle, most.", "kind"
)
REQUESTS = _counter("http_requests", "Answered requests.", "method", "route", "status")
REQUEST = _timer("http_request", "Until an answer begins.", "method", "route", buckets=(*QUICK, 30))
STREAMS = _gauge("event_streams", "Open event streams: of the api, of the web pages.", "surface")
RUNS = _gauge("runs_active", "Runs that this worker carries now.")
QUEUE_WAIT = _timer("queue_wait", "From being queued to being begun.")
STEP = _timer("step", "Steps of runs: prepare, turn, deliver.", "step", "outcome")
SANDBOX_START = _timer("sandbox_start", "Starts of sandboxes.", "outcome")
MIRROR = _timer("mirror_refresh", "Bringing a repository's mirror up to date.", "outcome")
PUSH = _timer("push", "Putting a branch on the forge.", "outcome")
PULL = _timer("pull_request", "Opening a pull request or bringing it up to date.", "outcome")
MODEL = _timer("model_request", "Requests to models.", "model", "outcome")
TOKENS = _counter(
    "model_tokens", "Tokens: input (cached ones included), cache_read, cache_write, output.",
    "model", "kind",
)  # fmt: skip
COST = _counter("model_cost_usd", "What models cost, where the price is known.", "model")
TOOL = _timer("tool", "Tool calls.", "tool", "outcome")
WEBHOOK = _timer(
    "webhook", "Deliveries to webhooks, each attempt; not taken is failed.", "outcome",
    buckets=(*QUICK, 30),
)  # fmt: skip
RECOVERED = _counter("runs_recovered", "Runs taken back from workers that died.")
BACKGROUND_FAILURES = _counter(
    "background_failures", "Rounds of work in the background that failed; made again.", "work"
)
LOST = _counter("runs_lost", "Runs given up after their workers had failed again and again.")

"""What an operator sees of one task that an API process takes and a worker carries out: one trace
from the request to the pull request, the metrics of both, and the same ids in both logs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import postgres
from tests.e2e.conftest import REPOSITORY, hello
from tests.e2e.server import JOURNEYMAN, Client, Server, free_port, journeyman, running
from tests.peers.collector import Collector, Sent, collecting

pytestmark = [pytest.mark.sandbox, pytest.mark.engine, pytest.mark.postgres]

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
METRICS_TOKEN = "only-for-prometheus"
GOOD = "Count\n\n```sh\necho one > count.txt\n```\n"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(scope="module")
def environ(cluster: postgres.Cluster, collector: Collector) -> dict[str, str]:
    return {
        "JOURNEYMAN_DATABASE_URL": cluster.fresh(),
        "JOURNEYMAN_METRICS_TOKEN": METRICS_TOKEN,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("server") / "data"
    with running(Server(data, environ, flags=("--no-worker",))) as started:
        yield started
        print(started.log.read_text())


@pytest.fixture(scope="module")
def token(server: Server, environ: dict[str, str]) -> str:
    made = journeyman("token", "create", "--user", "alice", data=server.data, **environ)
    source = str(hello(server.data.parent / "hello"))
    added = journeyman("repo", "add", REPOSITORY, source, data=server.data, **environ)
    assert added.returncode == 0, added.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def client(server: Server, token: str) -> Iterator[Client]:
    made = Client(server.url, token)
    yield made
    made.http.close()


@pytest.fixture(scope="module")
def worker_url(server: Server) -> Iterator[str]:
    port = free_port()
    with (server.data / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [JOURNEYMAN, "worker", "--data", server.data],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(server.data),
                "JOURNEYMAN_METRICS_PORT": str(port),
                **server.environ,
            },
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        finally:
            process.kill()
            print((server.data / "worker.log").read_text())


@pytest.fixture(scope="module")
def task(client: Client, worker_url: str) -> dict[str, Any]:
    """Done, by the worker, with a pull request."""
    made = client.http.post(
        f"/agents/repos/{REPOSITORY}/tasks",
        json={"prompt": GOOD, "create_pull_request": True},
        headers={"traceparent": PARENT},
    )
    assert made.status_code == 201, made.text
    request_id = made.headers["x-github-request-id"]
    ended = client.wait(made.json()["id"])
    assert ended["state"] == "completed"
    return {**ended, "request_id": request_id}


def scrape(url: str) -> str:
    answer = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert answer.status_code == 200, answer.text
    return answer.text


def value(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{series} is not among:\n{text}"
    return float(found[1])


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_a_worker_tells_of_its_work(task: dict[str, Any], worker_url: str) -> None:
    text = scrape(worker_url)
    assert value(text, 'journeyman_step_seconds_count{outcome="ok",step="deliver"}') == 1
    assert value(text, 'journeyman_sandbox_start_seconds_count{outcome="ok"}') == 1
    assert value(text, 'journeyman_push_seconds_count{outcome="ok"}') >= 1
    assert value(text, 'journeyman_pull_request_seconds_count{outcome="ok"}') >= 1
    assert value(text, 'journeyman_model_request_seconds_count{model="script",outcome="ok"}') >= 2
    assert value(text, 'journeyman_tool_seconds_count{outcome="ok",tool="bash"}') == 1
    assert value(text, "journeyman_queue_wait_seconds_count") == 1
    assert value(text, "journeyman_runs_recovered_total") == 0
    assert value(text, 'journeyman_sessions{state="completed"}') == 1


def test_an_api_process_tells_of_its_requests(task: dict[str, Any], server: Server) -> None:
    text = scrape(server.url)
    route = "/agents/repos/{owner}/{repo}/tasks"
    series = f'journeyman_http_requests_total{{method="POST",route="{route}",status="201"}}'
    assert value(text, series) == 1
    assert value(text, "journeyman_database_up") == 1
    assert value(text, "journeyman_queue_oldest_seconds") == 0
    assert value(text, 'journeyman_disk_bytes{part="database"}') > 0
    assert value(text, 'journeyman_database_connections{kind="most"}') > 0
    assert task["id"] not in text
    assert "alice" not in text


def test_metrics_are_not_for_everybody(server: Server, worker_url: str, token: str) -> None:
    for url in (server.url, worker_url):
        assert httpx.get(f"{url}/metrics").status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{url}/metrics", headers=headers).status_code == 401


def test_a_workers_port_serves_nothing_else(worker_url: str) -> None:
    assert httpx.get(f"{worker_url}/agents/tasks").status_code == 404


def test_the_worker_logs_the_ids_of_the_request(task: dict[str, Any], server: Server) -> None:
    own = [line for line in lines(server.data / "worker.log") if line.get("task_id") == task["id"]]
    assert {line["event"] for line in own} >= {"run.begun", "run.delivered"}
    for line in own:
        assert line["request_id"] == task["request_id"]
        assert line["session_id"] == task["sessions"][0]["id"]
        assert line["worker"].startswith("worker-")
        assert line["trace_id"] == TRACE


@pytest.fixture(scope="module")
def trace(task: dict[str, Any], collector: Collector) -> list[Sent]:
    """Every span of the task's trace, once both processes have sent theirs."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if {"deliver", "POST /agents/repos/{owner}/{repo}/tasks"} <= {
            span.name for span in collector.spans if span.trace_id == TRACE
        }:
            break
        time.sleep(0.2)
    return [span for span in collector.spans if span.trace_id == TRACE]


def test_one_trace_leads_from_the_request_to_the_pull_request(trace: list[Sent]) -> None:
    by_id = {span.span_id: span for span in trace}

    def path(span: Sent) -> list[str]:
        above = by_id.get(span.parent_id)
        return [*(path(above) if above else [span.parent_id]), span.name]

    paths = {" > ".join(path(span)) for span in trace}
    post = "b7ad6b7169203331 > POST /agents/repos/{owner}/{repo}/tasks"
    assert paths >= {
        post,
        f"{post} > queue.wait",
        f"{post} > prepare",
        f"{post} > prepare > mirror.refresh",
        f"{post} > prepare > sandbox.start",
        f"{post} > turn",
        f"{post} > turn > chat script",
        f"{post} > turn > execute_tool bash",
        f"{post} > deliver",
        f"{post} > deliver > push",
        f"{post} > deliver > pull_request",
    }
    assert not any(span.failed for span in trace)


def test_spans_say_what_they_are_about(trace: list[Sent], task: dict[str, Any]) -> None:
    named = {span.name: span for span in trace}
    post, turn = named["POST /agents/repos/{owner}/{repo}/tasks"], named["turn"]
    assert post.attributes["http.response.status_code"] == 201
    assert post.attributes["journeyman.task.id"] == task["id"]
    assert turn.attributes["journeyman.task.id"] == task["id"]
    session_id = task["sessions"][0]["id"]
    assert turn.attributes["journeyman.session.id"] == session_id
    chat, tool = named["chat script"], named["execute_tool bash"]
    assert chat.attributes["gen_ai.operation.name"] == "chat"
    assert chat.attributes["gen_ai.provider.name"] == "script"
    assert chat.attributes["gen_ai.conversation.id"] == session_id
    assert chat.attributes["gen_ai.usage.input_tokens"] == 0
    assert tool.attributes["gen_ai.tool.name"] == "bash"
    assert {span.resource["service.name"] for span in trace} == {"journeyman"}
    assert {span.resource["journeyman.process"] for span in trace} == {"serve", "worker"}
    assert {span.resource["deployment.environment.name"] for span in trace} == {"test"}
    told = " ".join(f"{span.attributes}" for span in trace)
    assert "count.txt" not in told

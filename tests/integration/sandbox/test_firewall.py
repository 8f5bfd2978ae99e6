"""The firewall as programs inside a real sandbox meet it, with and without a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from journeyman.sandbox import Blocked, Network, Sandbox, SandboxBackend, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.sandbox.requirement import require
from tests.peers.packages import make_wheel

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

LOOPBACK = ("127.0.0.0/8",)
UNAWARE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "")
"""The environment of a program that knows of no proxy."""


async def everywhere(host: str, port: int) -> Sequence[str]:
    """All names lead to this machine, but for one that leads to a cloud's metadata."""
    return ["169.254.169.254"] if host == "metadata.test" else ["127.0.0.1"]


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and git from below it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        return

    def do_GET(self) -> None:
        if ".git/" not in self.path:
            super().do_GET()
            return
        path, _, query = self.path.partition("?")
        self._git(path, query, b"")

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self._git(self.path, "", data)

    def _git(self, path: str, query: str, data: bytes) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": self.directory,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(data)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], env=environment, input=data, capture_output=True, check=True
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass(frozen=True)
class Peer:
    port: int
    root: Path


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A web server on this machine."""
    root = tmp_path_factory.mktemp("peer")
    (root / "hello").write_text("hello\n")
    make_wheel(root)
    make_repository(root)
    handler = functools.partial(Files, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield Peer(server.server_address[1], root)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def backend_of_names() -> SandboxBackend:
    return Bubblewrap(resolve=everywhere)


@contextlib.asynccontextmanager
async def started(
    backend: SandboxBackend, directory: Path, network: Network | None
) -> AsyncIterator[Sandbox]:
    await require(backend)
    box = await backend.start(SandboxSpec(directory.name, directory, network=network))
    try:
        yield box
    finally:
        await box.close()
        await backend.remove(directory)


def rules(peer: Peer) -> Network:
    ports = tuple(f"{name}.test:{peer.port}" for name in ("index", "git"))
    return Network(("web.test", "metadata.test", *ports), LOOPBACK)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box(
    backend_of_names: SandboxBackend, peer: Peer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sandbox]:
    directory = tmp_path_factory.mktemp("firewall") / "session"
    async with started(backend_of_names, directory, rules(peer)) as box:
        yield box


def tried(blocked: Sequence[Blocked]) -> list[tuple[str, int, str]]:
    return [(one.host, one.port, one.method) for one in blocked]


AWARE_OR_NOT = pytest.mark.parametrize("env", [{}, UNAWARE], ids=["proxy", "transparent"])


@AWARE_OR_NOT
async def test_a_listed_host_is_reached(box: Sandbox, peer: Peer, env: dict[str, str]) -> None:
    result = await box.exec(f"curl -sS http://index.test:{peer.port}/hello", env=env)
    assert result.output == b"hello\n"
    assert result.blocked == ()


async def test_node_needs_no_proxy(box: Sandbox, peer: Peer) -> None:
    """Its fetch ignores the variables that name one."""
    if (await box.exec("node --version")).exit_code != 0:
        pytest.skip("no node here")
    url = f"http://index.test:{peer.port}/hello"
    code = f"fetch('{url}').then(r => r.text()).then(t => process.stdout.write(t))"
    assert (await box.exec(["node", "-e", code])).output == b"hello\n"


async def test_a_blocked_host_is_told_at_once(box: Sandbox) -> None:
    result = await box.exec("curl -sS http://no.test/; curl -sS https://no.test/")
    assert b"no.test:80 is not on the allowlist" in result.output
    assert b"403" in result.output
    assert tried(result.blocked) == [("no.test", 80, "GET"), ("no.test", 443, "CONNECT")]
    assert result.blocked[1].command == "curl -sS https://no.test/"
    assert result.seconds < 2


async def test_a_blocked_name_is_not_found(box: Sandbox) -> None:
    result = await box.exec(["curl", "-sS", "https://no-dns.test/"], env=UNAWARE)
    assert b"Could not resolve host" in result.output
    assert tried(result.blocked) == [("no-dns.test", 0, "DNS")]
    assert result.blocked[0].command == "curl -sS https://no-dns.test/"


async def test_a_name_that_leads_inside_is_refused(box: Sandbox) -> None:
    result = await box.exec("curl -sS http://metadata.test/")
    assert b"169.254.169.254 is not a public address" in result.output
    unaware = await box.exec("curl -sS --max-time 5 https://metadata.test/", env=UNAWARE)
    assert unaware.exit_code != 0
    assert tried(unaware.blocked) == [("metadata.test", 443, "TCP")]


async def test_attempts_are_told_apart_by_command(box: Sandbox) -> None:
    one, two = await asyncio.gather(
        box.exec("curl -sS https://first.test/"), box.exec("curl -sS https://second.test/")
    )
    assert tried(one.blocked) == [("first.test", 443, "CONNECT")]
    assert tried(two.blocked) == [("second.test", 443, "CONNECT")]
    again = await box.exec("for i in 1 2 3; do curl -sS https://first.test/; done")
    assert [(b.host, b.count) for b in again.blocked] == [("first.test", 3)]
    total = {b.host: b.count for b in box.blocked()}
    assert (total["first.test"], total["second.test"]) == (4, 1)


async def test_plain_http_without_a_proxy_goes_to_its_own_name_only(box: Sandbox) -> None:
    result = await box.exec("curl -sS -H 'Host: other.test' http://web.test/", env=UNAWARE)
    assert b"its Host is not web.test" in result.output


async def test_there_is_no_other_way_out(box: Sandbox) -> None:
    code = """
import socket
for address in (("1.1.1.1", 443), ("10.0.0.1", 80), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, timeout=2)
        print("reached", address)
    except OSError as error:
        print(error.strerror)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    try:
        s.sendto(b"x", ("1.1.1.1", 53))
        print("sent")
    except OSError as error:
        print(error.strerror)
"""
    result = await box.exec(["python3", "-c", code])
    assert result.output == b"Network is unreachable\n" * 4


async def test_ports_on_its_own_loopback_stay_free(box: Sandbox) -> None:
    code = """
import socket
socket.getaddrinfo("web.test", 443)
for port in (80, 443, 22, 8080):
    socket.create_server(("127.0.0.1", port)).close()
print("free")
"""
    result = await box.exec(["python3", "-c", code])
    assert result.output == b"free\n"


async def test_localhost_is_not_asked_of_anybody(box: Sandbox) -> None:
    script = """
python3 -m http.server --bind 127.0.0.1 8001 >/dev/null 2>&1 &
for i in $(seq 50); do curl -s http://localhost:8001/ >/dev/null && break; sleep 0.1; done
echo $?; kill %1
"""
    assert (await box.exec(script)).output == b"0\n"


async def test_more_names_than_sockets_were_prepared(
    backend_of_names: SandboxBackend, tmp_path: Path
) -> None:
    async with started(backend_of_names, tmp_path / "s", Network(("*.zone.test",))) as box:
        result = await box.exec("for i in $(seq 40); do getent hosts n$i.zone.test; done")
        found = {line.split()[0] for line in result.output.decode().splitlines()}
        assert len(found) == 40


async def test_sessions_do_not_reach_each_others_firewall(
    backend_of_names: SandboxBackend, box: Sandbox, peer: Peer, tmp_path: Path
) -> None:
    async with started(backend_of_names, tmp_path / "s", Network()) as other:
        url = f"http://index.test:{peer.port}/hello"
        refused = await other.exec(f"curl -sS {url}")
        assert tried(refused.blocked) == [("index.test", peer.port, "GET")]
        assert (await box.exec(f"curl -sS {url}")).output == b"hello\n"
        assert ("index.test", peer.port, "GET") not in tried(box.blocked())


async def test_rules_change_while_it_runs(
    backend_of_names: SandboxBackend, peer: Peer, tmp_path: Path
) -> None:
    ask = f"curl -sS http://index.test:{peer.port}/hello"
    async with started(backend_of_names, tmp_path / "s", Network()) as box:
        for env in ({}, UNAWARE):
            assert b"hello" not in (await box.exec(ask, env=env)).output
        box.change_network(rules(peer))
        for env in ({}, UNAWARE):
            assert (await box.exec(ask, env=env)).output == b"hello\n"
        with pytest.raises(ValueError, match="not a rule"):
            box.change_network(Network(("a b",)))
        box.change_network(Network())
        for env in ({}, UNAWARE):
            assert b"hello" not in (await box.exec(ask, env=env)).output


async def test_nothing_of_a_firewall_is_left(
    backend_of_names: SandboxBackend, peer: Peer, tmp_path: Path
) -> None:
    async with started(backend_of_names, tmp_path / "first", rules(peer)):
        pass
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3):
        async with started(backend_of_names, tmp_path / f"s{number}", rules(peer)) as box:
            await box.exec("curl -sS http://no.test/ & getent hosts git.test; exit 0")
            await box.exec("sleep 30 | nc 127.0.0.1 3128 & exit 0")
    assert len(os.listdir("/proc/self/fd")) == before


def make_repository(folder: Path) -> None:
    """One with a single commit."""
    work = folder / "work"
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "-q", "-b", "main", str(work)],
        ["-C", str(work), *identity, "commit", "-q", "--allow-empty", "-m", "First"],
        ["clone", "-q", "--bare", str(work), str(folder / "thing.git")],
    ):
        subprocess.run(["git", *arguments], check=True)


@AWARE_OR_NOT
async def test_pip_installs_from_a_listed_index(
    box: Sandbox, peer: Peer, env: dict[str, str]
) -> None:
    if (await box.exec("python3 -m pip --version")).exit_code != 0:
        pytest.skip("no pip for /usr/bin/python3")
    index = f"--index-url http://index.test:{peer.port}/simple --trusted-host index.test"
    result = await box.exec(
        f"python3 -m pip install -q --no-cache-dir --target /tmp/made {index} tiny-thing"
        " && PYTHONPATH=/tmp/made python3 -c 'import tiny_thing; print(tiny_thing.VALUE)'"
        " && rm -r /tmp/made",
        env=env,
        timeout_seconds=60,
    )
    assert result.output.endswith(b"42\n"), result.output


@AWARE_OR_NOT
async def test_git_speaks_to_a_listed_host(box: Sandbox, peer: Peer, env: dict[str, str]) -> None:
    url = f"http://git.test:{peer.port}/thing.git"
    result = await box.exec(f"git ls-remote {url} main && git clone -q {url} /tmp/c", env=env)
    assert result.output.endswith(b"\trefs/heads/main\n"), result.output
    assert (await box.exec("git -C /tmp/c log --format=%s; rm -rf /tmp/c")).output == b"First\n"


async def test_git_tells_of_a_blocked_host(box: Sandbox) -> None:
    result = await box.exec("git ls-remote https://no-git.test/x.git")
    assert b"403" in result.output
    assert tried(result.blocked) == [("no-git.test", 443, "CONNECT")]
    assert "no-git.test/x.git" in result.blocked[0].command

"""What a session costs: its start, its commands, its way out through the firewall."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from benchmarks.report import Row, milliseconds
from journeyman.sandbox import Network, Sandbox, SandboxSpec, cgroup
from journeyman.sandbox.bubblewrap import Bubblewrap

STARTS, COMMANDS, AT_ONCE, CONNECTIONS = 20, 300, 30, 200
SESSIONS = 200
MEGABYTES = 512
NAME = "bench.test"
PEER = """
import socket, sys, threading
data = b"x" * (1 << 20)
def serve(one):
    with one:
        for _ in range(int.from_bytes(one.recv(2), "big")):
            one.sendall(data)
        one.sendall(b"!")
with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
"""Sends as many megabytes as it is asked for in two bytes, and one byte more."""
CLIENT = """
import socket, sys, time
name, port, times, megabytes, proxied = sys.argv[1], *map(int, sys.argv[2:])
buffer = bytearray(1 << 20)
for _ in range(times):
    began = time.monotonic()
    one = socket.create_connection(("127.0.0.1", 3128) if proxied else (name, port))
    if proxied:
        one.sendall(f"CONNECT {name}:{port} HTTP/1.1\\r\\n\\r\\n".encode())
        assert b" 200 " in one.recv(200)
    one.sendall(megabytes.to_bytes(2, "big"))
    left = (megabytes << 20) + 1
    while left:
        left -= one.recv_into(buffer)
    print(time.monotonic() - began)
    one.close()
"""


async def measure() -> list[Row]:
    """Everything, in sandboxes of this host; the peer is on this machine, too."""
    with tempfile.TemporaryDirectory(prefix="journeyman-bench-") as folder:
        async with _peer() as port:
            network = Network((f"{NAME}:{port}",), ("127.0.0.0/8",))
            backend = Bubblewrap(resolve=_here)
            spec = SandboxSpec("bench", Path(folder, "one"), network=network)
            rows = [await _starts(backend, spec, None), await _starts(backend, spec, network)]
            rows.append(await _many(backend, Path(folder), network))
            box = await backend.start(spec)
            try:
                rows += [await _commands(box), await _output(box)]
                for proxied, way in ((1, "proxy"), (0, "mapped name")):
                    rows += await _way_out(box, port, way, proxied=proxied)
            finally:
                await box.close()
            rows.append(await _left(backend, Path(folder)))
    return rows


async def _left(backend: Bubblewrap, folder: Path) -> Row:
    """What a host has more of after many sessions."""
    before = _held(folder)
    for number in range(SESSIONS):
        spec = SandboxSpec(f"s{number}", folder / f"s{number}")
        box = await backend.start(spec)
        await box.exec("sleep 100 & touch file")
        await box.close()
        await backend.remove(spec.directory)
    for _ in range(100):
        if (after := _held(folder)) == before:
            break
        await asyncio.sleep(0.02)
    more = ", ".join(f"{after[name] - before[name]} {name}" for name in before)
    return Row(f"left by {SESSIONS} sessions", more, "one after the other")


def _held(folder: Path) -> dict[str, int]:
    groups = Path("/sys/fs/cgroup").glob(f"**/{cgroup.PREFIX}{os.getpid()}-*")
    children = list(Path("/proc/self/task").glob("*/children"))
    return {
        "processes": sum(len(path.read_text().split()) for path in children),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "mounts": Path("/proc/self/mounts").read_text().count("\n"),
        "loop devices": _attached(folder),
        "control groups": sum(1 for _ in groups),
        "folders": sum(1 for _ in folder.glob("s*")),
    }


def _attached(folder: Path) -> int:
    """How many of its disks are devices; others' may vanish meanwhile."""
    found = 0
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            found += str(folder) in backing.read_text()
    return found


async def _output(box: Sandbox) -> Row:
    began = time.monotonic()
    await box.exec(f"head -c {MEGABYTES}M /dev/zero", limit_bytes=1 << 20)
    speed = MEGABYTES / (time.monotonic() - began)
    return Row("output of a command", f"{speed:,.0f} MB/s", f"{MEGABYTES} MB, head and tail kept")


async def _starts(backend: Bubblewrap, spec: SandboxSpec, network: Network | None) -> Row:
    seconds = []
    for _ in range(STARTS):
        began = time.monotonic()
        box = await backend.start(SandboxSpec(spec.id, spec.directory, network=network))
        await box.exec(["true"])
        seconds.append(time.monotonic() - began)
        await box.close()
    what = "no network" if network is None else "with firewall"
    return Row(f"sandbox to first command, {what}", milliseconds(seconds, 50, 99), f"{STARTS}")


async def _many(backend: Bubblewrap, folder: Path, network: Network) -> Row:
    specs = [SandboxSpec(f"m{n}", folder / f"m{n}", network=network) for n in range(AT_ONCE)]
    began = time.monotonic()
    boxes = await asyncio.gather(*(backend.start(spec) for spec in specs))
    seconds = time.monotonic() - began
    await asyncio.gather(*(box.close() for box in boxes))
    return Row(f"{AT_ONCE} sandboxes with firewall at once", f"{seconds:.2f} s", "once")


async def _commands(box: Sandbox) -> Row:
    seconds = []
    for _ in range(COMMANDS):
        began = time.monotonic()
        await box.exec(["true"])
        seconds.append(time.monotonic() - began)
    return Row("command in a sandbox", milliseconds(seconds, 50, 99), f"{COMMANDS} times `true`")


async def _way_out(box: Sandbox, port: int, way: str, *, proxied: int) -> list[Row]:
    seconds = await _client(box, port, CONNECTIONS, 0, proxied)
    (whole,) = await _client(box, port, 1, MEGABYTES, proxied)
    return [
        Row(f"connect to first byte, {way}", milliseconds(seconds, 50, 99), f"{CONNECTIONS}"),
        Row(f"download, {way}", f"{MEGABYTES / whole:,.0f} MB/s", f"{MEGABYTES} MB, one stream"),
    ]


async def _client(box: Sandbox, *arguments: int) -> Sequence[float]:
    command = ["python3", "-c", CLIENT, NAME, *map(str, arguments)]
    result = await box.exec(command, timeout_seconds=60)
    assert result.exit_code == 0, result.output
    return [float(line) for line in result.output.split()]


async def _here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@contextlib.asynccontextmanager
async def _peer() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PEER, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(f"{row.what}: {row.result} ({row.how})")

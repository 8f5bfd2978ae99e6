"""Packages of the real indexes of this machine, fetched from inside a sandbox."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path

import pytest

from journeyman.sandbox import SandboxBackend, SandboxSpec
from journeyman.sandbox.provisions import Options, Provisions

pytestmark = pytest.mark.sandbox

PACKAGE = "six"


def ranges(rules: tuple[str, ...]) -> tuple[str, ...]:
    """Where the hosts of *rules* are, if that is not public: development machines have mirrors."""
    found = set()
    for rule in rules:
        try:
            entries = socket.getaddrinfo(rule.partition(":")[0], 443, proto=socket.IPPROTO_TCP)
        except OSError:
            continue
        found |= {str(entry[4][0]) for entry in entries}
    return tuple(one for one in found if not ipaddress.ip_address(one).is_global)


@pytest.mark.parametrize(
    ("command", "fetched"),
    [
        (f"python3 -m pip download -q --no-deps --no-cache-dir {PACKAGE}", f"{PACKAGE}-*"),
        ("npm pack --silent is-number", "is-number-*"),
    ],
    ids=["pip", "npm"],
)
async def test_packages_are_fetched_as_the_host_does(
    backend: SandboxBackend, tmp_path: Path, command: str, fetched: str
) -> None:
    rules = (await Provisions(Options()).provision()).network
    assert rules is not None
    options = Options(allowed_networks=ranges(rules.allow))
    given = await Provisions(options).provision()
    spec = SandboxSpec(
        "fetch",
        tmp_path / "s",
        network=given.network,
        env=given.env,
        files=given.files,
        folders=given.folders,
    )
    here = tmp_path / "here"
    here.mkdir()
    process = await asyncio.create_subprocess_shell(
        f"timeout 60 {command}", cwd=here, stderr=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        pytest.skip("this machine itself cannot fetch packages")
    box = await backend.start(spec)
    try:
        result = await box.exec(command, timeout_seconds=60)
        assert result.exit_code == 0, (result.output, result.blocked)
        assert (await box.exec(f"ls {fetched}")).exit_code == 0
    finally:
        await box.close()

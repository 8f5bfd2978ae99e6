"""What the sandbox's tests need of the host: missing it skips them, but in CI it fails them."""

from __future__ import annotations

import os

import pytest

from journeyman.sandbox import SandboxBackend


def lacking(reason: str) -> None:
    """Skip the test because of *reason*; fail it in CI."""
    if "CI" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


async def require(backend: SandboxBackend) -> SandboxBackend:
    """*backend*, when it isolates here."""
    probe = await backend.probe()
    if not probe.available:
        lacking(f"{backend.name}: {probe.hint}")
    return backend


def require_root() -> None:
    """Go on as root only."""
    if os.geteuid() != 0:
        lacking("needs root")

"""One command run in this process, against a scripted server."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from journeyman import cli
from tests.unit.cli.api import Api, serving


@dataclass
class Result:
    code: int
    out: str
    err: str


class Run(Protocol):
    def __call__(self, *arguments: str) -> Result: ...


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


@pytest.fixture
def journeyman(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Run:
    """Runs one command; with a server in the test, as alice against it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    if "api" in request.fixturenames:
        monkeypatch.setenv("JOURNEYMAN_URL", request.getfixturevalue("api").url)
        monkeypatch.setenv("JOURNEYMAN_TOKEN", "ghp_alice")

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["journeyman", *arguments])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return run

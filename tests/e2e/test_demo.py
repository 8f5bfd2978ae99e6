"""The demo, as the README promises it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.server import JOURNEYMAN

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]


def test_the_demo_ends_with_a_pull_request_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [JOURNEYMAN, "demo"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from prompt to pull request" in done.stdout
    assert "Co-authored-by: alice" in done.stdout
    assert list(tmp_path.iterdir()) == []

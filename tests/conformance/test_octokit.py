"""octokit, installed from npm at test time from the pinned versions in `octokit/package.json`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import OWNER, REPO, SEEDED, Forge

pytestmark = pytest.mark.npm


@pytest.fixture
def seen(octokit: Path, forge: Forge) -> dict[str, Any]:
    known = {
        "url": forge.url,
        "tokens": forge.tokens,
        "owner": OWNER,
        "repo": REPO,
        "finished": forge.seeded.finished,
        "archived": forge.seeded.archived,
    }
    done = subprocess.run(
        ["node", "drive.mjs", json.dumps(known)],
        cwd=octokit,
        env={"PATH": os.environ["PATH"], "HOME": str(octokit)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(420)
def test_octokit_sees_what_github_would_show(seen: dict[str, Any], forge: Forge) -> None:
    assert seen["errors"] == {
        "unknown": 401,
        "reader": 403,
        "stranger": 404,
        "invalid": 422,
        "unchanged": 304,
        "gone": 410,
    }
    for prefix in ("/", "/api/v3"):
        part = seen[prefix]
        assert (part["operations"]["status"], part["operations"]["prompt"]) == (201, "From octokit")
        assert len(set(part["operations"]["ids"])) == 1
        assert len(part["pages"]) == len(set(part["pages"])) >= SEEDED - 1
        assert part["filters"] == {
            "completed": [forge.seeded.finished],
            "archived": [forge.seeded.archived],
            "nobodys": [],
            "later": [],
        }
        assert part["around"]["login"] == "alice"
        assert {"fix", "main"} <= set(part["around"]["branches"])
        assert part["around"]["variables"] == ["OCTO"]
        assert part["around"]["date"]

"""What the command `doctor` says of this host, and of one that can do less."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import JOURNEYMAN
from tests.integration.sandbox.requirement import require_root

pytestmark = pytest.mark.sandbox

WITHOUT_GROUPS = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
HIDE = 'mount -t tmpfs none /sys/fs/cgroup; exec "$@"'


def doctor(data: Path, *before: str, path: str = "") -> tuple[int, dict[str, dict[str, Any]]]:
    """Its exit code, and its guarantees by name, in order."""
    said = subprocess.run(
        [*before, str(JOURNEYMAN), "doctor", "--json", "--data", str(data)],
        env={"PATH": path or os.environ["PATH"], "HOME": str(data)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    found = json.loads(said.stdout)["guarantees"]
    return said.returncode, {guarantee["name"]: guarantee for guarantee in found}


def test_each_line_holds_or_names_its_mending(tmp_path: Path) -> None:
    code, found = doctor(tmp_path)
    assert code == (0 if all(one["holds"] for one in found.values()) else 1)
    assert all(one["holds"] or one["mend"] for one in found.values())
    expected = {"bubblewrap", "user namespace", "system call filter", "firewall", "memory limit"}
    assert expected <= set(found)


@pytest.mark.root
def test_a_host_that_can_do_less_is_told_so(tmp_path: Path) -> None:
    require_root()
    code, found = doctor(tmp_path, *WITHOUT_GROUPS, HIDE, "sh")
    assert code == 1
    assert found["bubblewrap"]["holds"]
    assert not found["memory limit"]["holds"]
    assert "Delegate=yes" in found["memory limit"]["mend"]


def test_a_host_that_cannot_isolate_is_told_so(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh", "rm"):
        (programs / name).symlink_to(str(shutil.which(name)))
    code, found = doctor(tmp_path, path=str(programs))
    assert code == 2
    ((name, refused),) = found.items()
    assert (name, refused["holds"], refused["mend"]) == (
        "bubblewrap", False, "apt-get install bubblewrap",
    )  # fmt: skip

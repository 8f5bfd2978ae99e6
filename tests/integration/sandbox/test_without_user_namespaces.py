"""The attempts to break out once more, as root on a system that makes no user namespaces.

Tests run in a user namespace of their own, whose root may make no other: as if there were none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.sandbox.requirement import require_root

pytestmark = [pytest.mark.sandbox, pytest.mark.root]

ROOT = Path(__file__).parents[3]
SUITES = ("tests/integration/sandbox/test_escape.py", "tests/contract/sandbox/test_life.py")
ALIKE = "many_start or hostile_tree or raise_powers or is_not_there"
"""What does not depend on it."""
ALONE = """
import ctypes, os, sys
ready, told = os.pipe()
mapped, go = os.pipe()
child = os.fork()
if child == 0:
    assert ctypes.CDLL(None).unshare(0x10000000) == 0
    os.write(told, b"x")
    os.read(mapped, 1)
    os.setuid(0)
    os.setgid(0)
    with open("/proc/sys/user/max_user_namespaces", "w") as most:
        most.write("0")
    os.execv(sys.argv[1], sys.argv[1:])
os.read(ready, 1)
for which in ("uid", "gid"):
    with open(f"/proc/{child}/{which}_map", "w") as map:
        map.write("0 0 4294967294")
os.write(go, b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.timeout(300)
def test_root_alone_isolates_as_well(tmp_path: Path) -> None:
    require_root()
    found = "import asyncio; from journeyman.sandbox.bubblewrap import Bubblewrap as B; "
    found += "p = asyncio.run(B().probe()); print([g.detail for g in p.guarantees])"
    mode = subprocess.run(
        [sys.executable, "-c", ALONE, sys.executable, "-c", found],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert b"gives up every power" in mode.stdout
    result = subprocess.run(
        [
            *(sys.executable, "-c", ALONE, sys.executable, "-m", "pytest", "-q"),
            *("-p", "no:cacheprovider", "--confcutdir", str(Path(__file__).parent)),
            *("-m", "not containers", "-k", f"not ({ALIKE})", f"--basetemp={tmp_path}/t", *SUITES),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    print(result.stdout.decode())
    assert result.returncode == 0

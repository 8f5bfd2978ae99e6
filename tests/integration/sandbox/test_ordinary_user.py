"""The same suites once more, with the service under an account without any power."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.sandbox.requirement import require_root

pytestmark = [pytest.mark.sandbox, pytest.mark.root]

ACCOUNT = "65533"
ROOT = Path(__file__).parents[3]
SUITES = ("tests/contract/sandbox", "tests/integration/sandbox")
ALIKE = (
    "TestExec or TestExport or hostile_tree or many_start or many_sessions or flood or fork_bomb "
    "or raise_powers or packages or pip or node"
)
"""What does not depend on the account: as root is the harder case, and it is tested so."""
REACHABLE = """set -e
account=$1 keep=$2; shift 2
mount -n -t tmpfs none "$keep"
number=0
for path in $KEEP; do
    number=$((number + 1))
    mkdir "$keep/$number"
    mount -n --rbind "$path" "$keep/$number"
done
for closed in $CLOSED; do
    mount -n -t tmpfs -o mode=0755 none "$closed"
done
number=0
for path in $KEEP; do
    number=$((number + 1))
    mkdir -p "$path"
    mount -n --rbind "$keep/$number" "$path"
done
exec setpriv --reuid "$account" --regid "$account" --clear-groups --inh-caps=-all -- "$@"
"""
"""Opens the way to what the tests need where it lies below folders that only root may enter."""


def closed_folder(path: Path) -> Path | None:
    """The topmost parent of *path* that others may not enter."""
    for parent in reversed(path.parents):
        if not parent.stat().st_mode & 0o001:
            return parent
    return None


@pytest.mark.timeout(300)
def test_everything_holds_for_a_service_that_is_not_root(tmp_path: Path) -> None:
    require_root()
    needed = [ROOT, Path(sys.prefix), Path(sys.base_prefix)]
    closed = {path: folder for path in needed if (folder := closed_folder(path)) is not None}
    data = Path("/tmp") / f"journeyman-user-{os.getpid()}"
    (data / "keep").mkdir(parents=True)
    os.chown(data, int(ACCOUNT), int(ACCOUNT))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(data),
        **{name: os.environ[name] for name in ("CI",) if name in os.environ},
        "PYTHONDONTWRITEBYTECODE": "1",
        "KEEP": " ".join(map(str, closed)),
        "CLOSED": " ".join(sorted({str(folder) for folder in closed.values()})),
    }
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    pytest_command += ["--confcutdir", str(Path(__file__).parent)]
    try:
        result = subprocess.run(
            [
                *("unshare", "--mount", "--propagation", "private", "--"),
                *("sh", "-c", REACHABLE, "sh", ACCOUNT, str(data / "keep")),
                *(
                    *pytest_command,
                    "-m",
                    "not root and not containers",
                    "-k",
                    f"not ({ALIKE})",
                    f"--basetemp={data}/tmp",
                    *SUITES,
                ),
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", str(data)], check=True)
    print(result.stdout.decode())
    assert result.returncode == 0

"""Sessions on another system than the host's."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeyman.sandbox import SandboxSpec, SandboxUnavailable
from journeyman.sandbox.bubblewrap import Bubblewrap, Options
from tests.integration.sandbox.requirement import require, require_root

pytestmark = [pytest.mark.sandbox, pytest.mark.root]


@pytest.fixture
def system() -> Iterator[Path]:
    """A root of its own with the host's /usr, where everybody may enter."""
    require_root()
    made = Path(tempfile.mkdtemp(prefix="journeyman-system-", dir="/var/tmp"))
    made.chmod(0o755)
    (made / "usr").mkdir()
    (made / "etc").mkdir()
    (made / "etc" / "os-release").write_text("NAME=Another\n")
    (made / "etc" / "shadow").write_text("secret")
    for name in ("bin", "lib", "lib64"):
        (made / name).symlink_to(f"usr/{name}")
    subprocess.run(["mount", "--bind", "/usr", str(made / "usr")], check=True)
    try:
        yield made
    finally:
        subprocess.run(["umount", str(made / "usr")], check=True)
        subprocess.run(["rm", "-rf", "--one-file-system", str(made)], check=True)


async def test_it_is_what_they_see(system: Path, tmp_path: Path) -> None:
    backend = Bubblewrap(Options(system=str(system)))
    await require(backend)
    box = await backend.start(SandboxSpec("other", tmp_path / "s"))
    try:
        result = await box.exec("cat /etc/os-release; ls /etc/shadow /srv; git --version")
        assert result.output.startswith(b"NAME=Another\n")
        assert b"shadow': No such file" in result.output
        assert b"git version" in result.output
    finally:
        await box.close()
        await backend.remove(tmp_path / "s")


async def test_one_without_python_is_told(tmp_path: Path) -> None:
    backend = Bubblewrap(Options(system=str(tmp_path)))
    with pytest.raises(SandboxUnavailable, match="usr/bin/python3 is not there"):
        await backend.start(SandboxSpec("none", tmp_path / "s"))

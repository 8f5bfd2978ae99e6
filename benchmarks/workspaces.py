"""How long a session waits for its files, the first and the second time."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.report import Row
from journeyman.forge import Remote
from journeyman.sandbox import SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.workspace import checkout
from journeyman.workspace.bases import Bases
from journeyman.workspace.mirror import Mirrors

FILES, FOLDER_FILES, FILE_BYTES = 20_000, 100, 2_000


async def measure() -> list[Row]:
    """The remote is a repository on this machine."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="journeyman-bench-") as folder:
        remote = Remote(url=str(_repository(Path(folder, "source.git"))), writable=False)
        base_sha = Path(remote.url, "refs/heads/main").read_text().strip()
        mirrors, backend = Mirrors(Path(folder, "mirrors")), Bubblewrap()
        bases = Bases(Path(folder, "bases"), backend, workspaces=Path(folder))
        await backend.probe()
        for name in ("first", "second"):
            began = time.monotonic()
            mirror = await mirrors.refresh(1, remote, commit=base_sha)
            mirrored = time.monotonic() - began
            base = await bases.find(1, base_sha)
            spec = SandboxSpec(name, Path(folder, name), mirror=mirror, base=base)
            box = await backend.start(spec)
            started = time.monotonic() - began - mirrored
            try:
                await checkout.checkout(
                    box, base_sha=base_sha, head_ref="journeyman/x", clone_url="https://x.invalid/"
                )
            finally:
                seconds = time.monotonic() - began
                await box.close()
            how = f"mirror {mirrored * 1000:,.0f} ms, sandbox {started * 1000:,.0f} ms of it"
            what = f"{name} workspace of {FILES:,} files"
            rows.append(Row(what, f"{seconds * 1000:,.0f} ms", how))
            bases.prepare(1, base_sha, mirror)
            await bases.prepared()
    return rows


def _repository(path: Path) -> Path:
    """One commit with files that differ."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    parts = [b"commit refs/heads/main\ncommitter B <b@example.org> 0 +0000\ndata 0\n"]
    for number in range(FILES):
        content = f"{number}\n".encode() * (FILE_BYTES // len(f"{number}\n"))
        name = f"d{number // FOLDER_FILES}/f{number}".encode()
        parts.append(b"M 644 inline %s\ndata %d\n%s\n" % (name, len(content), content))
    importing = ["git", "--git-dir", str(path), "fast-import", "--quiet"]
    subprocess.run(importing, input=b"".join(parts), check=True)
    return path


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(f"{row.what}: {row.result} ({row.how})")

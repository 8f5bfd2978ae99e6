"""How long a session waits for its files: the first of a repository, and those after it."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import Row, milliseconds, percentile
from journeyman.forge import Remote
from journeyman.sandbox import SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.workspace import checkout
from journeyman.workspace.bases import Bases
from journeyman.workspace.mirror import Mirrors

FILES, FOLDER_FILES, FILE_BYTES = 20_000, 100, 2_000
LATER = 15
CONFIGURED = {checkout.GITCONFIG: checkout.gitconfig("Bench", "bench@example.org")}


class Taken(NamedTuple):
    """Seconds until a session has its files, and what of it took the mirror and the sandbox."""

    seconds: float
    mirror: float
    sandbox: float


async def measure() -> list[Row]:
    """The remote is a repository on this machine."""
    with tempfile.TemporaryDirectory(prefix="journeyman-bench-") as folder:
        root = Path(folder)
        remote = Remote(url=str(_repository(root / "source.git")), writable=False)
        base_sha = Path(remote.url, "refs/heads/main").read_text().strip()
        mirrors, backend = Mirrors(root / "mirrors"), Bubblewrap()
        bases = Bases(root / "bases", backend, workspaces=root)
        await backend.probe()

        async def begin(name: str) -> Taken:
            began = time.monotonic()
            mirror = await mirrors.refresh(1, remote, commit=base_sha)
            mirrored = time.monotonic()
            base = await bases.find(1, base_sha)
            box = await backend.start(
                SandboxSpec(name, root / name, mirror=mirror, base=base, files=CONFIGURED)
            )
            started = time.monotonic()
            try:
                await checkout.checkout(
                    box, base_sha=base_sha, head_ref="journeyman/x", clone_url="https://x.invalid/"
                )
                return Taken(time.monotonic() - began, mirrored - began, started - mirrored)
            finally:
                await box.close()

        first = await begin("first")
        bases.prepare(1, base_sha, mirrors.path(1))
        await bases.prepared()
        later = [await begin(f"later{number}") for number in range(LATER)]
    return [_row("first workspace", [first]), _row("each later workspace", later)]


def _row(what: str, taken: Sequence[Taken]) -> Row:
    mirror, sandbox = (
        1000 * percentile([getattr(one, name) for one in taken], 50) for name in Taken._fields[1:]
    )
    how = f"{len(taken)}; mirror {mirror:,.0f} ms, sandbox {sandbox:,.0f} ms of it"
    seconds = [one.seconds for one in taken]
    percents = (50, 99) if len(taken) > 1 else (50,)
    return Row(f"{what} of {FILES:,} files", milliseconds(seconds, *percents), how)


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

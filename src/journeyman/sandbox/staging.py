"""As root: a session's folders, put where an unprivileged account can reach them.

This happens in a mount namespace of the sandbox's own, and vanishes with it. Knows nothing of what
runs there.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from journeyman.sandbox import folders, probing, volume
from journeyman.sandbox.folders import Account

STAGES = ("/mnt", "/media", "/srv", "/opt", "/home")
"""Folders of the host over which a launch puts its own, in its own mount namespace only."""
PRIVATELY = ("unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-c")
LAYER = "lowerdir=work,upperdir=$1/work,workdir=$1/overlay,redirect_dir=on,nosuid,nodev"
"""With redirects, folders of the base can be renamed like others. The base is where it is mounted
from: its path may have signs that mean something among options."""
MOUNTS = f"""set -e
stage=$1 session=$2 disk=$3 options=$4 mirror=$5 base=$6 cache=$7; shift 7
at() {{ point=$stage/$1; shift; mount -n "$@" "$point"; }}
lay() {{
    cd -- "$base"
    [ -d "$1/overlay" ] || mkdir "$1/overlay"
    at work -t overlay -o "X-mount.mkdir,{LAYER}" journeyman
}}
mount -n -t tmpfs -o size=64k,mode=0755,nosuid,nodev journeyman "$stage"
if [ -n "$disk" ]; then at session -t ext4 -o "X-mount.mkdir,$options" "$disk"
else at session --bind -o X-mount.mkdir "$session"; fi
if [ -n "$mirror" ]; then at mirror --bind -o X-mount.mkdir "$mirror"; fi
if [ -n "$cache" ]; then at cache --bind -o X-mount.mkdir "$cache"; fi
if [ -n "$base" ]; then lay "$stage/session"; cd /; fi
exec "$@"
"""
TRY = 'read -r line <"$1/work/below" && [ "$line" = lower ] && rm "$1/work/below"'


@dataclass(frozen=True)
class Sources:
    """What a session has on the host."""

    directory: Path
    disk: Path | None
    """The device that is its disk; None: *directory* has its folders."""
    mirror: Path | None
    base: Path | None
    cache: Path | None = None
    """See SandboxSpec for both."""


def prefix(stage: Path, sources: Sources) -> list[str]:
    """Before a command line: `session`, `mirror`, `cache` are then at *stage*, on a base `work`."""
    disk = (str(sources.disk or ""), volume.OPTIONS)
    optional = [str(one or "") for one in (sources.mirror, sources.base, sources.cache)]
    return [*PRIVATELY, MOUNTS, "sh", str(stage), str(sources.directory), *disk, *optional]


def stage_for(sources: Sources, *others: Path) -> Path:
    """A folder that hides none of *sources* and *others*. Raises OSError."""
    paths = (sources.directory, sources.mirror, sources.base, sources.cache, *others)
    resolved = [path.resolve() for path in paths if path is not None]
    for stage in map(Path, STAGES):
        hides = any(path.is_relative_to(stage) for path in resolved)
        if stage.is_dir() and not stage.is_symlink() and not hides:
            return stage
    raise OSError(f"none of {', '.join(STAGES)} can be used to bind a session's folders")


async def overlays(account: Account) -> bool:
    """Whether one file system can be laid over another here, found out by doing so."""
    try:
        with tempfile.TemporaryDirectory(prefix=probing.prefix()) as folder:
            sources = Sources(Path(folder, "session"), None, None, Path(folder, "base"))
            for one in ("session", "base"):
                folders.make(Path(folder, one), account)
            Path(folder, "base/work/below").write_text("lower\n")
            stage = stage_for(sources)
            process = await asyncio.create_subprocess_exec(
                *prefix(stage, sources),
                *("sh", "-c", TRY, "sh", str(stage)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            return await process.wait() == 0
    except OSError:
        return False

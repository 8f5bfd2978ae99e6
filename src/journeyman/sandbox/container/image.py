"""The image that is used when none is named: nothing but places for what the host lends.

Knows nothing of engines but the archive that `docker load` and `podman load` take.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping

from journeyman.sandbox import HOME, MIRROR, WORKSPACE, inside

NAME = "localhost/journeyman"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
PLACES = ("usr", "etc", "dev", "proc", "sys", "run", "tmp", "var/tmp", HOME[1:])


def empty() -> tuple[str, bytes]:
    """Its name, which changes with its content, and its archive."""
    return archive(_layer(), {})


def archive(layer: bytes, env: Mapping[str, str]) -> tuple[str, bytes]:
    """Name and archive of an image of one *layer*, which sets *env*."""
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Env": [f"{name}={value}" for name, value in env.items()]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    name = f"{NAME}:{digest[:12]}"
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    parts = {
        "layer.tar": layer,
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for part, content in parts.items():
            entry = tarfile.TarInfo(part)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return name, packed.getvalue()


def _layer() -> bytes:
    links, folders = inside.links_and_folders()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in (*PLACES, *(path[1:] for path in (MIRROR, WORKSPACE, *folders))):
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path, target in links.items():
            entry = tarfile.TarInfo(path[1:])
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return packed.getvalue()

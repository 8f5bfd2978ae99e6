"""What every session finds inside, whatever isolates it: files, places, environment, process 1.

Knows nothing of how it gets there.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path, PurePosixPath

from journeyman.sandbox import HOME, MIRROR, WORKSPACE, probing

HOST = Path("/")
"""The system whose programs sessions see, unless another is configured."""
PYTHON = "/usr/bin/python3"
"""Of the host; runs process 1."""
INIT = "/run/journeyman/init"
START = "import sys; sys.path.insert(0, '/run/journeyman'); from init.serve import main; main()"
COMPILE = """
import os, py_compile, sys
folder, place = sys.argv[1:]
for name in os.listdir(folder):
    py_compile.compile(
        os.path.join(folder, name),
        dfile=os.path.join(place, name),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
"""
SHARED_MEMORY_BYTES = 64 << 20

FROM_ETC = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "os-release",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
"""What the host's /etc lends, beside Java's settings: nothing that can hold a secret."""

TAKEN = (
    *("/bin", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sys", "/tmp"),  # noqa: S108
    *("/usr", "/var", MIRROR, WORKSPACE),
)
"""Where a sandbox has its own, and no folder of the host is put."""

ENVIRONMENT = {
    "PATH": f"{HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": HOME,
    "USER": "agent",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
    "TERM": "dumb",
}


def init_sources() -> dict[str, bytes]:
    """Process 1 as files by path, to be read once: a service outlives an upgrade of its files."""
    package = resources.files("journeyman.sandbox.init")
    texts = [one for one in package.iterdir() if one.name.endswith(".py")]
    return {f"{INIT}/{one.name}": one.read_bytes() for one in texts}


async def compiled(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the host's python makes of *sources*, so that no start has to; nothing if it fails."""
    with tempfile.TemporaryDirectory(prefix=probing.prefix()) as folder:
        for path, text in sources.items():
            Path(folder, PurePosixPath(path).name).write_bytes(text)
        process = await asyncio.create_subprocess_exec(
            *(PYTHON, "-I", "-S", "-c", COMPILE, folder, INIT),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()
        made = Path(folder, "__pycache__").glob("*.pyc")
        return {f"{INIT}/__pycache__/{one.name}": one.read_bytes() for one in made}


def arguments(control: str) -> list[str]:
    """Of python, as process 1: it speaks on the descriptor or the socket's path *control*."""
    return ["-I", "-S", "-B", "-c", START, control]


def files(given: Mapping[str, bytes], init: Mapping[str, bytes], *, uid: int) -> dict[str, bytes]:
    """Read-only files by path: ours for an agent who is *uid* inside, *given*, process 1.

    Raises ValueError when one is given elsewhere than below /etc or /run.
    """
    for path in given:
        _check(path)
    return {**_generated(uid), **given, **init}


def lent(system: Path = HOST) -> Iterable[str]:
    """Places below /etc that *system* lends; some may be missing."""
    java = [path.name for path in (system / "etc").glob("java-*-openjdk")]
    return [f"/etc/{name}" for name in sorted([*FROM_ETC, *java])]


def links_and_folders(system: Path = HOST) -> tuple[dict[str, str], list[str]]:
    """Programs and libraries in *system*'s root: what links to where, and real folders."""
    places = sorted(system.glob("*bin")) + sorted(system.glob("lib*"))
    links = {f"/{path.name}": str(path.readlink()) for path in places if path.is_symlink()}
    return links, [f"/{path.name}" for path in places if path.is_dir() and not path.is_symlink()]


def is_free(path: Path) -> bool:
    """Whether a folder of the host may be put at *path*: nothing of a sandbox's own is there."""
    return not any(path.is_relative_to(it) or Path(it).is_relative_to(path) for it in TAKEN)


def _generated(uid: int) -> dict[str, bytes]:
    texts = {
        "/etc/passwd": (
            "root:x:0:0::/nonexistent:/usr/sbin/nologin\n"
            f"agent:x:{uid}:{uid}::{HOME}:/bin/bash\n"
            "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
        ),
        "/etc/group": f"root:x:0:\nagent:x:{uid}:\nnogroup:x:65534:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:2\n",
        "/etc/gitconfig": "[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n",
    }
    return {path: text.encode() for path, text in texts.items()}


def _check(path: str) -> None:
    parts = PurePosixPath(path).parts
    if len(parts) < 3 or parts[:2] not in (("/", "etc"), ("/", "run")) or ".." in parts:
        raise ValueError(f"a generated file belongs below /etc or /run, not at {path!r}")

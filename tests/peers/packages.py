"""Indexes of packages on this machine, as pip and npm want them, that count what is fetched."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WHEEL = "tiny_thing-1.0-py3-none-any.whl"
TARBALL = "tiny-thing-1.0.0.tgz"


def make_wheel(folder: Path) -> None:
    """The smallest package there can be, and an index of it."""
    record = "tiny_thing-1.0.dist-info"
    files = {
        "tiny_thing.py": b"VALUE = 42\n",
        f"{record}/METADATA": b"Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n",
        f"{record}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    files[f"{record}/RECORD"] = "".join([*lines, f"{record}/RECORD,,\n"]).encode()
    place = folder / "simple" / "tiny-thing"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / WHEEL, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    (place / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')


def make_tarball(folder: Path, host: str, port: int) -> None:
    """The same for npm, whose index names the address of each package."""
    described = json.dumps({"name": "tiny-thing", "version": "1.0.0", "main": "i.js"}).encode()
    (folder / "npm").mkdir()
    packed = folder / "npm" / TARBALL
    with tarfile.open(packed, "w:gz") as archive:
        for name, data in (("package.json", described), ("i.js", b"module.exports = 42\n")):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    address = f"http://{host}:{port}/npm/{TARBALL}"
    version = {
        **json.loads(described),
        "dist": {"tarball": address, "integrity": f"sha512-{digest}"},
    }
    index = {"name": "tiny-thing", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    (folder / "tiny-thing").write_text(json.dumps(index))


class Index:
    """What it was asked for, by path, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []


@contextmanager
def serving(folder: Path, host: str) -> Iterator[Index]:
    """Both indexes on this machine, to be called *host*; packages never change, as on real ones."""

    class Files(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            index.asked.append(self.path)

        def end_headers(self) -> None:
            if self.path.endswith((WHEEL, TARBALL)):
                self.send_header("Cache-Control", "max-age=365000000, immutable, public")
            super().end_headers()

        def do_GET(self) -> None:
            super().do_GET()

    def handler(*arguments: object) -> Files:
        return Files(*arguments, directory=str(folder))  # type: ignore[arg-type]

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        index = Index(server.server_address[1])
        make_wheel(folder)
        make_tarball(folder, host, index.port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()

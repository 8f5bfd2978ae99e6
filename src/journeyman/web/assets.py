"""The files that pages load: read once, served compressed, at addresses that change with them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
LASTING = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    content: bytes
    compressed: bytes
    media_type: str
    version: str


class Assets:
    def __init__(self, files: Mapping[str, Asset]) -> None:
        self.files = files

    def address(self, name: str) -> str:
        return f"/static/{name}?v={self.files[name].version}"

    async def serve(self, request: Request) -> Response:
        found = self.files.get(request.path_params["name"])
        if found is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        current = request.query_params.get("v") == found.version
        headers = {
            "Cache-Control": LASTING if current else "no-cache",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        content = found.content
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = found.compressed, "gzip"
        return Response(content, headers=headers, media_type=found.media_type)


def load() -> Assets:
    folder = resources.files("journeyman.web") / "static"
    files = {}
    for file in folder.iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            content = file.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:12]
            files[file.name] = Asset(content, gzip.compress(content, mtime=0), kind, version)
    return Assets(files)

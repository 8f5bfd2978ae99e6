"""Pages from templates, with the headers that keep them from being framed, sniffed or scripted.

Knows nothing of what a page is about.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

HERE = Path(__file__).parent
STATIC = HERE / "static" / "login"
TYPES = {".css": "text/css", ".svg": "image/svg+xml"}
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Asset:
    content: bytes
    media_type: str
    address: str
    """Changes with the content, so that a browser may keep it."""


class Pages:
    """The templates and what they load, read once."""

    def __init__(self) -> None:
        self.assets = {file.name: _asset(file) for file in sorted(STATIC.iterdir())}
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates" / "login"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["asset"] = lambda name: self.assets[name].address

    def page(
        self, template: str, *, status: int = 200, form_goes_to: str = "", **values: Any
    ) -> Response:
        """*form_goes_to*: an address that the answer to the page's form may redirect to."""
        text = self._templates.get_template(template).render(values)
        policy = {"Content-Security-Policy": policy_for(form_goes_to)}
        return HTMLResponse(text, status, HEADERS | policy)


def redirect(target: str) -> Response:
    """After a form: the browser asks for *target* with GET."""
    return RedirectResponse(target, 303, HEADERS)


def policy_for(form_goes_to: str) -> str:
    """Nothing is loaded but this server's own style and pictures, and nothing runs."""
    forms = " ".join(["'self'", *([_source(form_goes_to)] if form_goes_to else [])])
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {forms}"
    )


def _source(address: str) -> str:
    """As a policy can name it: it knows neither IPv6 hosts nor the path of other schemes."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or "[" in parts.netloc:
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"


def _asset(file: Path) -> Asset:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(content, TYPES[file.suffix], f"/login/assets/{file.name}?{digest}")


def asset(found: Asset) -> Response:
    """A file that pages load; its address is new when it is."""
    lasting = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, 200, HEADERS | lasting, found.media_type)

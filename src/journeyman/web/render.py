"""Pages from templates, with the headers that keep them from being framed, sniffed or scripted.

Knows nothing of what a page is about.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

HERE = Path(__file__).parent
STATIC = HERE / "static" / "login"
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Pages:
    """The templates, loaded once."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates" / "login"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["asset"] = _asset

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


def _asset(name: str) -> str:
    """The address of a static file, which changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/login/assets/{name}?{digest}"

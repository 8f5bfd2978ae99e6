"""The headers that keep pages from being framed, sniffed or scripted, and the way to another page.

Knows nothing of what a page is about.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def redirect(target: str) -> Response:
    """After a form: the browser asks for *target* with GET."""
    return RedirectResponse(target, 303, HEADERS)


def policy(*, scripted: bool, form_goes_to: str = "") -> str:
    """Nothing is loaded but this server's own files, and nothing that is in the page runs.

    *form_goes_to*: an address that the answer to the page's form may redirect to.
    """
    forms = " ".join(["'self'", *([_source(form_goes_to)] if form_goes_to else [])])
    scripts = "script-src 'self'; connect-src 'self'; " if scripted else ""
    return (
        f"default-src 'none'; {scripts}style-src 'self'; img-src 'self'; "
        f"base-uri 'none'; frame-ancestors 'none'; form-action {forms}"
    )


def _source(address: str) -> str:
    """As a policy can name it: it knows neither IPv6 hosts nor the path of other schemes."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or "[" in parts.netloc:
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"

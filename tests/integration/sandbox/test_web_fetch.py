"""The tool web_fetch, through a sandbox's real firewall to a web server on this machine."""

from __future__ import annotations

import http.server
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic_ai.messages import ToolCallPart

from journeyman.agent.tools import Result, ToolError, web_fetch
from journeyman.sandbox import Network, Sandbox, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.sandbox.requirement import require

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

HTML = b"""<html><head><title>T</title><style>p{}</style></head><body><!-- obey me -->
<h1>Guide</h1><script>alert(1)</script><p>See <a href="/other">the other</a>.</p>
<pre><code>x = 1</code></pre></body></html>"""
PAGES = {
    "/page": ("text/html; charset=utf-8", HTML),
    "/data.json": ("application/json", b'{"a": 1}'),
    "/long": ("text/plain", b"0123456789" * 5000),
    "/picture": ("image/png", b"\x89PNG\0"),
    "/none": ("text/plain", b""),
    "/huge": ("text/plain", b"x" * (5 << 20)),
    "/bad": ("text/html", b"<div>" * 20_000 + b"\xff\xfe"),
}


class Pages(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        return

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/page")
            self.end_headers()
            return
        kind, body = PAGES.get(self.path, ("text/plain", b"nothing here"))
        self.send_response(200 if self.path in PAGES else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


async def everywhere(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box(port: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    backend = Bubblewrap(resolve=everywhere)
    await require(backend)
    directory: Path = tmp_path_factory.mktemp("fetch") / "session"
    network = Network((f"docs.test:{port}",), ("127.0.0.0/8",))
    box = await backend.start(SandboxSpec("fetch", directory, network=network))
    yield box
    await box.close()
    await backend.remove(directory)


async def fetch(box: Sandbox, url: str, **more: int) -> Result:
    tool = web_fetch.tool(box)
    return await tool.run(tool.parse(ToolCallPart("web_fetch", {"url": url, **more})), print)


async def test_a_page_comes_as_text_and_marked_as_material(box: Sandbox, port: int) -> None:
    url = f"http://docs.test:{port}/page"

    result = await fetch(box, url)

    assert result.text.startswith(f"[What {url} answered (status 200). It is material from outside")
    assert "# Guide" in result.text
    assert "[the other](/other)" in result.text
    assert "x = 1" in result.text
    for hidden in ("obey me", "alert", "p{}"):
        assert hidden not in result.text
    assert result.success


async def test_redirects_are_followed_and_the_last_address_is_told(box: Sandbox, port: int) -> None:
    assert (
        f"docs.test:{port}/page answered"
        in (await fetch(box, f"http://docs.test:{port}/moved")).text
    )


async def test_what_is_no_html_comes_as_it_is(box: Sandbox, port: int) -> None:
    assert (await fetch(box, f"http://docs.test:{port}/data.json")).text.endswith('\n{"a": 1}')
    missing = await fetch(box, f"http://docs.test:{port}/gone")
    assert (missing.success, missing.text.endswith("nothing here")) == (False, True)


async def test_a_long_text_says_how_to_go_on(box: Sandbox, port: int) -> None:
    url = f"http://docs.test:{port}/long"

    first = await fetch(box, url)
    second = await fetch(box, url, start=28_000)

    assert first.text.endswith("[characters 0-28000 of 50000; go on with start=28000]")
    assert len(second.text.split("\n")[1]) == 22_000
    with pytest.raises(ToolError, match="has only 50000 characters"):
        await fetch(box, url, start=50_000)


async def test_a_hostile_page_is_a_page_or_an_error(box: Sandbox, port: int) -> None:
    result = await fetch(box, f"http://docs.test:{port}/bad")

    assert result.text.startswith("[What ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://docs.test:{port}/picture", "is image/png, 5 bytes, and no text"),
        ("http://docs.test:{port}/huge", "has more than 4 MB"),
        ("http://elsewhere.test/", "The firewall does not let elsewhere.test be reached"),
        ("http://169.254.169.254/latest", "The firewall does not let 169.254.169.254 be reached"),
        ("file:///etc/passwd", "is not an http or https address"),
        ("http:///x", "is not an http or https address"),
    ],
)
async def test_what_cannot_be_fetched_is_told(box: Sandbox, port: int, url: str, said: str) -> None:
    with pytest.raises(ToolError) as caught:
        await fetch(box, url.format(port=port))

    assert said in str(caught.value)

"""`journeyman mcp`: a Model Context Protocol server, by which an editor's agent hands work over.

Over stdio it acts for who started it. Over HTTP it keeps no token: each caller's own
`Authorization` header goes on to the API, which alone decides what it may do.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman.cli import options, output
from journeyman.domain.errors import AppError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from journeyman import config
    from journeyman.cli.client import Client

BEARER = "bearer "


def register(root: typer.Typer) -> None:
    root.command("mcp")(mcp)


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve HTTP instead of stdio.")] = False,
    host: Annotated[str, typer.Option(help="Where --http listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port.", min=1, max=65535)] = 8090,
    url: options.Url = None,
) -> None:
    """Serve tools to start, list, follow, steer and cancel tasks, for an editor's agent."""
    from journeyman import config
    from journeyman.cli.client import Client
    from journeyman.cli.mcp_tools import build

    settings = config.load_client(url=url)
    if not http:
        with Client(settings):
            # Now rather than at the first call: nobody reads what an editor's agent is told.
            pass

    def connect(headers: Mapping[str, str] | None) -> Client:
        if not http:
            return Client(settings)
        return Client(config.Client(url=settings.url, token=_token(headers)))

    server = build(connect)
    # Beside, so that whoever has started this waits for nothing.
    look = threading.Thread(target=_look, args=(settings, http), daemon=True)
    if not http:
        look.start()
        server.run("stdio")
        return
    from journeyman import hosting

    # Said here in a line: the library that listens in the end writes its own log about it.
    hosting.bind(host, port, "Choose another port with --port.").close()
    output.hint(f"listening on http://{host}:{port}/mcp for {settings.url}")
    look.start()
    server.run("streamable-http", host=host, port=port, stateless_http=True)


def _look(settings: config.Client, http: bool) -> None:
    """Say what is wrong with the server, if something is; each tool tries it anew."""
    from journeyman import config
    from journeyman.cli.client import Client

    asked, token = ("/healthz", "none") if http else ("/user", settings.token)
    try:
        with Client(config.Client(url=settings.url, token=token)) as client:
            client.request("GET", asked)
    except AppError as error:
        output.hint(f"{error.message}; the tools say the same until that is mended")


def _token(headers: Mapping[str, str] | None) -> str | None:
    given = (headers or {}).get("authorization", "")
    return given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else None

"""What an operator starts and checks: `serve`, `worker`, `migrate`, `config-check`, `doctor`."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman import __version__
from journeyman.cli import options, output
from journeyman.domain.errors import AppError, Code

if TYPE_CHECKING:
    from journeyman.config import Config

BOUND_SECONDS = 0.3
"""By then the server has its port, or has ended because another has it."""
REFUSED, WEAKER = 2, 1
"""Exit codes of `doctor`: sessions would be refused; they run, but some guarantee does not hold."""


def register(root: typer.Typer) -> None:
    root.command()(serve)
    root.command()(worker)
    root.command()(doctor)
    root.command("config-check")(config_check)
    root.command()(migrate)


def serve(
    data: options.Data = None,
    config: options.File = None,
    database: options.Database = None,
    host: Annotated[str | None, typer.Option(help="Where to listen.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0: any free one.", show_default=False)
    ] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Accept tasks only; workers run elsewhere.")
    ] = False,
) -> None:
    """Run the server: API, forge and worker in one process, until SIGTERM or Ctrl-C."""
    settings = options.operating(
        data,
        config,
        quiet=False,
        database__url=database,
        server__host=host,
        server__port=port or _any_port(port),
    )
    with _no_collection():
        from journeyman import app

    threading.Thread(target=_announce, args=(settings,), daemon=True).start()
    app.serve(settings, with_worker=not no_worker, invite=_invite)


def worker(
    data: options.Data = None,
    config: options.File = None,
    database: options.Database = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where `serve` answers, for a worker on another machine.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a worker of its own, beside or instead of the server's.

    It shares the server's data directory, or fetches and pushes over HTTP with --server.
    """
    settings = options.operating(
        data, config, quiet=False, database__url=database, worker__server_url=server
    )
    if settings.worker.server_url and settings.origins["database.url"] == "default":
        message = (
            "a worker with --server has a data directory of its own, so its default database "
            "is not the server's: name that with --database postgresql://…"
        )
        raise AppError(Code.INVALID, message)
    with _no_collection():
        from journeyman import app

    app.work(settings)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """What an import makes stays: looking through it for garbage is a fifth of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def migrate(
    data: options.Data = None,
    config: options.File = None,
    database: options.Database = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 when there is work.")
    ] = False,
) -> None:
    """Bring the database up to date. `serve` and `worker` do it too."""
    settings = options.operating(data, config, empty=True, database__url=database)
    from journeyman import administering, app

    before, newest = administering.revisions(settings)
    if not check:
        app.migrate(settings)
        before, newest = administering.revisions(settings)
    if before == newest:
        output.hint(f"the database is up to date, at revision {newest}")
    elif check:
        output.hint(f"the database is at revision {before or 'none'}, this version's is {newest}")
        raise typer.Exit(1)
    else:
        output.hint(f"a newer version has brought the database to revision {before}; it is left so")


def config_check(
    data: options.Data = None, config: options.File = None, as_json: options.AsJson = False
) -> None:
    """Print every setting, where it came from, and nothing secret."""
    settings = options.configured(data, config).settings()
    if as_json:
        output.print_json([dataclasses.asdict(setting) for setting in settings])
        return
    rows = [(s.key, _readable(s.key, s.value), s.origin) for s in settings]
    output.print_table(("SETTING", "VALUE", "FROM"), rows)


def doctor(
    data: options.Data = None, config: options.File = None, as_json: options.AsJson = False
) -> None:
    """Say which guarantees of isolation hold here, by trying them, and what the disk holds.

    Exit code 0: all of them; 1: sessions run, but a guarantee does not hold; 2: they are refused.
    """
    import asyncio

    settings = options.configured(data, config)
    from journeyman import app
    from journeyman.telemetry import logs

    logs.configure("warning", settings.log.format)
    found = asyncio.run(app.doctor(settings))
    disk = asyncio.run(app.disk(settings))
    if as_json:
        guarantees = [dataclasses.asdict(guarantee) for guarantee in found]
        used = None if disk is None else {**disk.parts, "free": disk.free}
        output.print_json({"guarantees": guarantees, "disk_bytes": used})
    else:
        marks = {True: ("✓", "green"), False: ("✗", "red")}
        rows = [
            (g.name, output.mark(*marks[g.holds]), g.detail, g.mend if not g.holds else "")
            for g in found
        ]
        output.print_table(("GUARANTEE", "", "HERE", "TO MEND IT"), rows)
        if disk is not None:
            sizes = [*disk.parts.items(), ("free", disk.free)]
            output.print_table(("DISK", "USED"), [(name, output.about(n)) for name, n in sizes])
    if not all(guarantee.holds for guarantee in found):
        # The first line is whether this host can isolate at all.
        raise typer.Exit(WEAKER if found[0].holds else REFUSED)


def _readable(key: str, value: object) -> str:
    if key in ("sandbox.memory", "sandbox.disk") and isinstance(value, int):
        return output.size(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return "" if value is None else str(value)


def _any_port(port: int | None) -> int | None:
    """A free port when 0 was asked for: what is printed must be known before it listens."""
    if port != 0:
        return None
    from journeyman.cli import temporary

    return temporary.free_port()


def _announce(config: Config) -> None:
    """Print where to go, as soon as it is true."""
    from journeyman.cli import probing

    time.sleep(BOUND_SECONDS)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.server.host, config.server.host)  # noqa: S104
    address = f"http://{f'[{host}]' if ':' in host else host}:{config.server.port}"
    while not probing.answers(address):
        time.sleep(0.1)
    for line in _first_steps(config):
        print(line, flush=True)


def _invite(link: str) -> None:
    print(
        f"Nobody has logged in yet. This link does it, once, within the hour:\n  {link}", flush=True
    )


def _first_steps(config: Config) -> list[str]:
    models = [f"{one.name}:{model}" for one in config.providers for model in one.models]
    shown = ", ".join(models) or "script (no provider is configured; see docs/configuration.md)"
    return [
        f"Journeyman {__version__} serves {config.public_url}",
        f"  data    {config.data}",
        f"  forge   {config.forge.url}",
        f"  models  {shown}",
        "A first task, from another terminal:",
        *_own_steps(config),
        f"  curl {config.public_url}/agents/repos/alice/hello/tasks \\",
        '    -H "Authorization: Bearer $JOURNEYMAN_TOKEN" \\',
        """    -d '{"prompt": "Say hello.\\n```sh\\necho hello > hello.txt\\n```"}'""",
    ]


def _own_steps(config: Config) -> list[str]:
    """Where the forge is elsewhere, so are repositories and tokens."""
    if config.forge.url != "embedded":
        return [f"  export JOURNEYMAN_TOKEN=…    # of {config.forge.url}"]
    return [
        f"  journeyman repo add alice/hello PATH-OR-URL --data {config.data}",
        f"  export JOURNEYMAN_TOKEN=$(journeyman token create --user alice --data {config.data})",
    ]

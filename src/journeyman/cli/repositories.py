"""`journeyman repo …`: the repositories of the embedded forge, while the server runs or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journeyman.cli import options, output

if TYPE_CHECKING:
    from journeyman.config import Config
    from journeyman.domain.repositories import Repository

repo = typer.Typer(no_args_is_help=True, help="Repositories of the embedded forge.")


def register(root: typer.Typer) -> None:
    root.add_typer(repo, name="repo")


@repo.command()
def add(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", show_default=False)],
    source: Annotated[
        str, typer.Argument(metavar="PATH-OR-URL", help="A git repository.", show_default=False)
    ],
    public: Annotated[bool, typer.Option("--public", help="Readable without a token.")] = False,
    upstream: Annotated[
        bool,
        typer.Option("--upstream", help="Its home stays there: tasks fetch and push there."),
    ] = False,
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """Copy a git repository into the forge. The original is not touched again, or with --upstream
    stays the repository's home: each task begins with what is there, and pushes its branch there.
    """
    import asyncio

    settings = options.operating(data, config)
    added = asyncio.run(
        _add(settings, repository, _located(source), private=not public, upstream=upstream)
    )
    if as_json:
        output.print_json(_as_json(added))
    else:
        print(f"added {added.full_name} (id {added.id}, branch {added.default_branch})")
        output.hint(f"a first task: journeyman task create {added.full_name} PROMPT")


@repo.command()
def rename(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", show_default=False)],
    name: Annotated[str, typer.Argument(metavar="NEW", help="Without OWNER/.", show_default=False)],
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """Rename a repository; under the former name, clients and git are led to the new one."""
    import asyncio

    renamed = asyncio.run(_rename(options.operating(data, config), repository, name))
    if as_json:
        output.print_json(_as_json(renamed))
    else:
        print(f"renamed {repository} to {renamed.full_name}")


class Level(StrEnum):
    """What a user may do in somebody else's repository."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@repo.command()
def grant(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", show_default=False)],
    user: Annotated[str, typer.Argument(metavar="USER", show_default=False)],
    permission: Annotated[
        Level, typer.Argument(help="none takes it back.", case_sensitive=False)
    ] = Level.WRITE,
    data: options.Data = None,
    config: options.File = None,
    as_json: options.AsJson = False,
) -> None:
    """Let a user see a repository that is not theirs, give it tasks (write), or administer it."""
    import asyncio

    asyncio.run(_grant(options.operating(data, config), repository, user, permission))
    if as_json:
        output.print_json({"full_name": repository, "user": user, "permission": permission.value})
    else:
        can = "no longer use" if permission is Level.NONE else f"now {permission.value}"
        output.hint(f"{user} may {can} {repository}")


@repo.command("list")
def list_(
    data: options.Data = None, config: options.File = None, as_json: options.AsJson = False
) -> None:
    """List the repositories."""
    import asyncio

    found = asyncio.run(_list(options.operating(data, config)))
    if as_json:
        output.print_json([_as_json(repository) for repository in found])
    elif not found:
        output.hint("no repositories; add one: journeyman repo add OWNER/NAME PATH-OR-URL")
    else:
        rows = [
            (r.full_name, str(r.id), r.default_branch, "private" if r.private else "public")
            for r in found
        ]
        output.print_table(("REPOSITORY", "ID", "BRANCH", "SEEN BY"), rows)


async def _add(
    config: Config, full_name: str, source: str, *, private: bool, upstream: bool
) -> Repository:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.administration.add_repository(
            full_name, source, private=private, upstream=upstream
        )


async def _rename(config: Config, full_name: str, name: str) -> Repository:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.administration.rename_repository(full_name, name)


async def _grant(config: Config, full_name: str, user: str, level: Level) -> None:
    from journeyman.administering import operating
    from journeyman.domain.repositories import Permission

    async with operating(config) as operator:
        await operator.administration.grant(full_name, user, Permission[level.name])


async def _list(config: Config) -> Sequence[Repository]:
    from journeyman.administering import operating

    async with operating(config) as operator:
        return await operator.administration.list_repositories()


def _located(source: str) -> str:
    """A path is made absolute: git runs elsewhere. `host:path` and URLs stay as they are."""
    if re.match(r"\w[\w+.-]*://|[\w.@-]+:(?!//)", source) and not Path(source).exists():
        return source
    return str(Path(source).expanduser().absolute())


def _as_json(repository: Repository) -> dict[str, object]:
    return {
        "id": repository.id,
        "full_name": repository.full_name,
        "default_branch": repository.default_branch,
        "private": repository.private,
        "created_at": repository.created_at.isoformat(),
    }

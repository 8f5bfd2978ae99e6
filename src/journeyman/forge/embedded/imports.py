"""Bringing a repository onto the embedded forge, from a path or an address.

Only branches and tags come along.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from journeyman import git
from journeyman.domain.errors import AppError, Code, invalid
from journeyman.git import GitError
from journeyman.git.faults import Fault, fault_of

DEFAULT_BRANCH = "main"
FETCH_SECONDS = 3600
LOOK_SECONDS = 60
REFS_LIMIT = 64 << 20
SCHEMES = frozenset({"http", "https", "ssh", "git", "file"})
INIT = ("init", "--quiet", "--bare", "--template=")
FETCH = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--update-shallow",
    "--no-write-fetch-head",
    "--no-auto-gc",
    "--",
)
REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_SCP_LIKE = re.compile(r"^[^/:]+:(?!//|:)")
_HEAD_FILE = re.compile(r"ref: refs/heads/(\S+)\s*")


@dataclass(frozen=True)
class Source:
    """What is fetched from: a path, or an address without its credential."""

    address: str
    protocol: str
    shown: str
    path: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


async def fill(target: Path, source: str, env: Mapping[str, str] | None = None) -> str:
    """Make *target* a bare repository with all branches and tags of *source*; gives its default
    branch.

    It appears whole or not at all. *env*: what lets git in there; a credential in the address
    itself is left to it.
    """
    if target.exists():
        raise AppError(Code.CONFLICT, f"{target} is there already; remove the repository first.")
    target.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        default = await _fetch(making / "repository", _parse(source, making, env or {}))
        (making / "repository").rename(target)
    finally:
        await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
    return default


def _parse(source: str, directory: Path, env: Mapping[str, str]) -> Source:
    if not source or source.startswith("-") or "\0" in source:
        raise invalid("source", f"{source!r} is neither a path nor an address of a git repository.")
    if "://" in source:
        return _parse_url(source, env)
    if _SCP_LIKE.match(source):
        return Source(source, "ssh", source, env=env)
    path = Path(source).expanduser().absolute()
    if not path.exists():
        raise invalid("source", f"{source!r} does not exist; name a git repository or its address.")
    return Source(str(path), "file", source, path, _trust(path, directory))


def _trust(path: Path, directory: Path) -> dict[str, str]:
    """Git refuses another user's repository, but the operator has named this one."""
    config = directory / "gitconfig"
    trusted = "".join(f"\tdirectory = {git.quoted(str(p))}\n" for p in (path, path / ".git"))
    config.write_text(f"[include]\n\tpath = {git.quoted(str(git.CONFIG))}\n[safe]\n{trusted}")
    return {"GIT_CONFIG_GLOBAL": str(config)}


def _parse_url(source: str, env: Mapping[str, str]) -> Source:
    try:
        parts = urlsplit(source)
        scheme, host = parts.scheme.lower(), parts.netloc.rpartition("@")[2]
    except ValueError as error:
        raise invalid("source", "The address of the source cannot be read.") from error
    bare = urlunsplit(parts._replace(netloc=host))
    if scheme not in SCHEMES:
        raise invalid(
            "source", f"{bare!r} has an unknown scheme; use one of {', '.join(sorted(SCHEMES))}."
        )
    if scheme == "ssh" or not parts.username:
        return Source(source, scheme, bare, env=env)
    return Source(bare, scheme, bare, env=env)


async def _fetch(target: Path, source: Source) -> str:
    heads, head = await _look(source)
    default = _default_branch(source, heads, head)
    await git.run(*INIT, f"--initial-branch={default}", "--", str(target))
    if heads:
        try:
            await git.run(
                *FETCH,
                source.address,
                *REFSPECS,
                git_dir=target,
                protocols=source.protocol,
                env=source.env,
                timeout_seconds=FETCH_SECONDS,
            )
        except GitError as error:
            raise _explained(source, error) from error
    if (target / "shallow").exists():
        raise _is_shallow(source)
    return default


async def _look(source: Source) -> tuple[dict[str, str], str | None]:
    """The source's branches with their commits, and the one that its HEAD names."""
    try:
        listed = await git.run(
            *("ls-remote", "--symref", "--", source.address),
            protocols=source.protocol,
            env=source.env,
            timeout_seconds=LOOK_SECONDS,
            limit_bytes=REFS_LIMIT,
        )
    except GitError as error:
        raise _explained(source, error) from error
    heads: dict[str, str] = {}
    head = head_commit = None
    for line in listed.decode("utf-8", "replace").splitlines():
        what, _, name = line.partition("\t")
        if name == "HEAD" and what.startswith("ref: "):
            head = what.removeprefix("ref: refs/heads/")
        elif name == "HEAD":
            head_commit = what
        elif name.startswith("refs/heads/"):
            heads[name.removeprefix("refs/heads/")] = what
    if head is None and head_commit:
        head = next((name for name, commit in heads.items() if commit == head_commit), None)
    return heads, head


def _default_branch(source: Source, heads: Mapping[str, str], head: str | None) -> str:
    if head in heads:
        assert head is not None
        return head
    if heads:
        return next((name for name in (DEFAULT_BRANCH, "master") if name in heads), min(heads))
    return _unborn_branch(source.path) or DEFAULT_BRANCH


def _unborn_branch(path: Path | None) -> str | None:
    """The branch that an empty repository on disk would begin with."""
    for head in (path / "HEAD", path / ".git" / "HEAD") if path else ():
        if head.is_file() and (named := _HEAD_FILE.fullmatch(head.read_text("utf-8", "replace"))):
            return named[1]
    return None


def _is_git(path: Path) -> bool:
    return any((path / head).is_file() for head in ("HEAD", ".git/HEAD", ".git"))


def _is_shallow(source: Source) -> AppError:
    return invalid(
        "source",
        f"{source.shown!r} is a shallow clone; run `git fetch --unshallow` there first.",
    )


def _explained(source: Source, error: GitError) -> AppError:
    shown = repr(source.shown)
    match fault_of(error):
        case Fault.NOT_FOUND | Fault.UNKNOWN if source.path and not _is_git(source.path):
            return invalid(
                "source", f"{shown} is not a git repository; run `git init` there first."
            )
        case Fault.NOT_FOUND:
            return invalid("source", f"There is no git repository at {shown}, or it needs a token.")
        case Fault.DENIED:
            return invalid("source", f"{shown} asks for a credential: {error.message}")
        case Fault.SHALLOW:
            return _is_shallow(source)
        case Fault.BAD_OBJECTS:
            return invalid("source", f"{shown} has objects that git refuses: {error.message}")
        case _:
            return AppError(Code.UNAVAILABLE, f"{shown} cannot be read: {error.message}")

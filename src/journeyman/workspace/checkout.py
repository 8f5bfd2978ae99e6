"""Git inside the sandbox: check out, keep what the agent did after each turn, bring it back.

All of it runs as the agent's user on files the agent may have changed: what comes out is untrusted.
"""

from __future__ import annotations

import asyncio
import functools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources

from journeyman import git
from journeyman.domain.checkpoints import Checkpoint
from journeyman.sandbox import ExecResult, FileRefused, Sandbox, TooLarge
from journeyman.workspace import Changes, Commit, FileChange, MirrorBroken, WorkspaceError

CHECKOUT_SECONDS = 1800
TURN_SECONDS = 300
BUNDLE_LIMIT = 256 << 20
CHANGES_LIMIT = 1 << 20
DIFF_LIMIT = 8 << 20
FILES_LIMIT, FILES_READ = 16 << 20, 100
"""Bytes of all files together, and files."""
COMMITS_LISTED = 100
SAID_LIMIT = 500
HEADER_LIMIT = 512
GITCONFIG = "/etc/gitconfig"
"""Where `gitconfig`'s bytes belong inside."""
_SNAPSHOT = re.compile(rb"snapshot ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) +(\d+)")
_SHORTSTAT = re.compile(rb"(\d+) (file|insertion|deletion)")
_SHA = re.compile(r"[0-9a-f]{40,64}")
_BROKEN = re.compile(
    r"is corrupt\b|corrupt loose object|\binflate\b|nonexistent object|\bbad object\b"
    r"|unable to read (sha1 file|tree)|missing (blob|tree|commit)|object file \S+ is empty"
    r"|\bpackfile\b"
)
"""What git says of objects that are there in name only."""
_FILE = re.compile(rb":(\d{6}) (\d{6}) ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) [A-Z]\d*")


def gitconfig(name: str, email: str) -> bytes:
    """The sandbox's `/etc/gitconfig`: who commits, and nothing that waits for a human."""
    return f"""\
[user]
	name = {git.quoted(name)}
	email = {git.quoted(email)}
[safe]
	directory = *
[init]
	defaultBranch = main
[core]
	editor = true
	pager = cat
[gc]
	auto = 0
[maintenance]
	auto = false
[credential]
	helper =
[commit]
	gpgSign = false
[tag]
	gpgSign = false
[advice]
	addEmbeddedRepo = false
	detachedHead = false
	implicitIdentity = false
	statusHints = false
""".encode()


async def checkout(
    box: Sandbox,
    *,
    base_sha: str,
    head_ref: str,
    clone_url: str,
    trailers: Sequence[str] = (),
) -> None:
    """Check *base_sha* out of the mirror on the branch *head_ref*, ready for the agent to commit.

    One that began on a base of any commit is moved to this one, and its refs to the mirror's.
    A workspace that is ready is left as it is; one whose `.git` is gone gets a new one and keeps
    its files. Every commit made inside gets *trailers* ("Co-authored-by: …"). *clone_url* must hold
    no credential. Raises MirrorBroken when the mirror lacks what it should have.
    """
    arguments = (base_sha, head_ref, clone_url, _hook(trailers))
    with _suspecting_the_mirror():
        await _run(box, "checkout", *arguments, seconds=CHECKOUT_SECONDS)


async def make_base(box: Sandbox, commit: str) -> None:
    """Make the empty workspace what sessions of *commit* can begin on; see SandboxSpec.base."""
    await _run(box, "base", commit, seconds=CHECKOUT_SECONDS)


async def snapshot(
    box: Sandbox, *, base_sha: str, last: Checkpoint | None = None, limit_bytes: int = BUNDLE_LIMIT
) -> Checkpoint | None:
    """All that differs from the base now: commits, changes and new files that are not ignored.

    None when nothing has changed since *last* (with None: since the checkout). WorkspaceError when
    git fails or the bundle is larger than *limit_bytes*; MirrorBroken when git misses an object,
    which may be the agent's own doing, too.
    """
    state = (last.head_sha, last.tree) if last else (base_sha, "")
    script = scripts()["begin"] + scripts()["snapshot"]
    try:
        async with asyncio.timeout(TURN_SECONDS):
            output = await box.export(
                ["/bin/sh", "-c", scripts()["unchanged"], "snapshot", script, base_sha, *state],
                limit_bytes=limit_bytes + HEADER_LIMIT,
            )
    except TooLarge as error:
        raise WorkspaceError(
            f"The workspace cannot be kept: what is new in it is more than {limit_bytes >> 20} MiB "
            "in git. Keep large files out of the repository's folder, or name them in .gitignore."
        ) from error
    except (FileRefused, TimeoutError) as error:
        with _suspecting_the_mirror():
            raise WorkspaceError(f"The workspace cannot be kept: {error}") from error
    header, _, bundle = output.partition(b"\n")
    if header == b"same":
        return None
    found = _SNAPSHOT.fullmatch(header)
    if found is None:
        raise WorkspaceError("The workspace cannot be kept: git inside gave an unknown answer.")
    sha, head, tree, changed = (part.decode() for part in found.groups())
    return Checkpoint(sha, head, tree, int(changed), bundle or None)


async def restore(box: Sandbox, kept: Checkpoint, *, head_ref: str) -> None:
    """Bring a checked-out workspace to *kept*: HEAD on *head_ref*, index clean, files as they were.

    New files that are not ignored go; ignored ones stay.
    """
    await _run(box, "restore", kept.sha, kept.head_sha, head_ref, stdin=kept.bundle or b"")


async def commit_all(box: Sandbox, message: str, *, trailers: Sequence[str] = ()) -> str | None:
    """Commit everything uncommitted that is not ignored; the commit id, None when there is nothing.

    For when no process of the agent runs any more: it takes over git's lock. Raises MirrorBroken as
    `snapshot` does.
    """
    options = [f"--trailer={trailer}" for trailer in _checked(trailers)]
    with _suspecting_the_mirror():
        ended = await _run(box, "commit", *options, stdin=message.encode("utf-8", "replace"))
    last = ended.output.decode("utf-8", "replace").split()[-1]
    if last != "none" and not _SHA.fullmatch(last):
        raise WorkspaceError(f"Git inside gave an unknown answer: {last[:SAID_LIMIT]!r}")
    return None if last == "none" else last


async def changes(box: Sandbox, base_sha: str) -> Changes:
    """What the commits since *base_sha* did; at most the newest 100 of them are listed."""
    try:
        async with asyncio.timeout(TURN_SECONDS):
            output = await box.export(
                _command("changes", base_sha, str(COMMITS_LISTED)), limit_bytes=CHANGES_LIMIT
            )
    except (FileRefused, TimeoutError) as error:
        raise WorkspaceError(f"The branch's changes cannot be told: {error}") from error
    stat, *entries = output.split(b"\0")
    numbers = {kind: int(number) for number, kind in _SHORTSTAT.findall(stat)}
    lines = (entry.decode("utf-8", "replace").partition(" ") for entry in entries if entry)
    return Changes(
        files=numbers.get(b"file", 0),
        insertions=numbers.get(b"insertion", 0),
        deletions=numbers.get(b"deletion", 0),
        commits=tuple(Commit(sha, subject) for sha, _, subject in lines),
    )


async def diff(box: Sandbox, base_sha: str, sha: str) -> str | None:
    """What *sha* adds to *base_sha*, without context; None when that is too much to be read."""
    options = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--unified=0")
    command = ["git", "diff", *options, base_sha, sha, "--"]
    try:
        async with asyncio.timeout(TURN_SECONDS):
            return (await box.export(command, limit_bytes=DIFF_LIMIT)).decode("utf-8", "replace")
    except (FileRefused, TimeoutError):
        return None


async def changed_files(
    box: Sandbox,
    base_sha: str,
    sha: str,
    names: Sequence[str],
    *,
    limit_bytes: int = FILES_LIMIT,
) -> list[FileChange] | None:
    """The files called one of *names* (git's glob patterns), in any folder, that differ between
    two commits; None when git does not tell them in time.

    Together they hold at most *limit_bytes*. Links and submodules are empty.
    """
    options = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff")
    patterns = [f":(glob)**/{name}" for name in names]
    command = ["git", "diff", *options, base_sha, sha, "--", *patterns]
    files, left = list[FileChange](), limit_bytes
    try:
        async with asyncio.timeout(TURN_SECONDS):
            told = (await box.export(command, limit_bytes=CHANGES_LIMIT)).split(b"\0")
            for entry, path in zip(told[::2], told[1::2], strict=False):
                if (match := _FILE.fullmatch(entry)) is None:
                    return None
                sides = list[bytes | None]()
                for mode, blob in ((match[1], match[3]), (match[2], match[4])):
                    read = len(files) < FILES_READ
                    sides.append(await _blob(box, mode, blob.decode(), left) if read else None)
                    left -= len(sides[-1] or b"")
                files.append(FileChange(path.decode("utf-8", "replace"), *sides))
    except (FileRefused, TimeoutError):
        return None
    return files


async def _blob(box: Sandbox, mode: bytes, blob: str, limit_bytes: int) -> bytes | None:
    """A regular file; empty for anything else, None past the limit."""
    if not mode.startswith(b"100"):
        return b""
    try:
        return await box.export(["git", "cat-file", "blob", blob], limit_bytes=limit_bytes)
    except FileRefused:
        return None


@functools.cache
def scripts() -> Mapping[str, str]:
    """What runs inside, by name, to be read once: a service outlives an upgrade of its files."""
    folder = resources.files(f"{__package__}.inside")
    texts = (one for one in folder.iterdir() if one.name.endswith(".sh"))
    return {one.name.removesuffix(".sh"): one.read_text("utf-8") for one in texts}


def _command(name: str, *arguments: str) -> list[str]:
    return ["/bin/bash", "-c", scripts()["begin"] + scripts()[name], name, *arguments]


async def _run(
    box: Sandbox, name: str, *arguments: str, stdin: bytes = b"", seconds: float = TURN_SECONDS
) -> ExecResult:
    command = _command(name, *arguments)
    ended = await box.exec(command, stdin=stdin, timeout_seconds=seconds)
    if ended.timed_out:
        raise WorkspaceError(f"Git inside took longer than {seconds:g} s ({name}).")
    if ended.exit_code:
        said = ended.output.decode("utf-8", "replace").strip()[-SAID_LIMIT:]
        raise WorkspaceError(f"Git inside failed ({name}): {said or ended.exit_code}")
    return ended


@contextmanager
def _suspecting_the_mirror() -> Iterator[None]:
    try:
        yield
    except WorkspaceError as error:
        if _BROKEN.search(str(error)):
            raise MirrorBroken(str(error)) from error
        raise


def _hook(trailers: Sequence[str]) -> str:
    options = " ".join(shlex.join(["--trailer", trailer]) for trailer in _checked(trailers))
    script = "#!/bin/sh\n" if not options else scripts()["prepare-commit-msg"]
    return script.replace("@TRAILERS@", options)


def _checked(trailers: Sequence[str]) -> Sequence[str]:
    for trailer in trailers:
        if "\n" in trailer or "\0" in trailer:
            raise ValueError(f"A trailer is one line: {trailer!r}")
    return trailers

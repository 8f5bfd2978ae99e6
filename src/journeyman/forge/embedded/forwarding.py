"""A worker's push to the copy of a repository whose home is elsewhere: the home takes it first.

By a hook of ours, run by git before it takes anything itself, which sees what is pushed. The words
of a home that refuses are those that the worker gets.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from journeyman.forge import ForgeError, Remote
from journeyman.git.addresses import protocol_of

HOME = "JOURNEYMAN_HOME"
HOOK = f"""\
#!/bin/sh
changes=$(cat)
set -- --quiet --porcelain --no-verify --no-follow-tags --no-signed
while read -r old new ref; do
    case $old in *[!0]*) ;; *) old= ;; esac
    set -- "$@" "--force-with-lease=$ref:$old"
done <<END
$changes
END
set -- "$@" -- "${HOME}"
while read -r old new ref; do
    case $new in *[!0]*) ;; *) new= ;; esac
    set -- "$@" "$new:$ref"
done <<END
$changes
END
unset GIT_QUARANTINE_PATH
said=$(git push "$@" 2>&1) && exit
printf '%s\\n' "$said" >&2
case $said in
    *rejected]* | *"error: 403"* | *"HTTP 403"* | *" denied"*) ;;
    *) echo "failed to update ref: the repository's home has not answered" >&2 ;;
esac
exit 1
"""
"""`old new ref` in each line of its standard input; zeros stand for no commit. The quarantine is
the copy's own: a home at a path would take no ref in it. The last words are git's own for what may
pass by itself (`git/faults.py`)."""


@dataclass(frozen=True)
class Forwarding:
    """What git is given so that it asks the home."""

    hooks: Path
    protocols: str
    env: Mapping[str, str]


def forwarding(directory: Path, home: Remote) -> Forwarding:
    """From the copy at *directory* to *home*. ForgeError where the hook could not run: git would
    pass over it without a word, and the push would never reach the home."""
    hooks = directory / "journeyman-hooks"
    hook = hooks / "pre-receive"
    hooks.mkdir(exist_ok=True)
    if not hook.is_file() or hook.read_text() != HOOK:
        made, path = tempfile.mkstemp(dir=hooks)
        with os.fdopen(made, "w") as file:
            file.write(HOOK)
        Path(path).chmod(0o700)
        Path(path).replace(hook)
    if not os.access(hook, os.X_OK):
        raise ForgeError(
            f"{hook} cannot be executed, so nothing is pushed to {home.url}: mount the file system "
            "of the data directory without the option noexec."
        )
    return Forwarding(hooks, protocol_of(home.url), {**home.env, HOME: home.url})

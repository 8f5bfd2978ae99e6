"""The actions that setup steps use most, done by what is on the machine.

No action's code is fetched or run: what it would have installed is there or is said to be missing.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from journeyman.sandbox import HOME, Sandbox

ARCHITECTURE = {"x86_64": "X64", "aarch64": "ARM64"}.get(platform.machine(), "X64")
VENV = f"{HOME}/.local/share/setup-python"
TIMEOUT_SECONDS = 120.0
VERSIONS: Mapping[str, tuple[str, ...]] = {
    "actions/setup-node": ("node", "--version"),
    "actions/setup-go": ("go", "version"),
    "actions/setup-java": ("java", "--version"),
    "actions/setup-dotnet": ("dotnet", "--version"),
    "ruby/setup-ruby": ("ruby", "--version"),
    "astral-sh/setup-uv": ("uv", "--version"),
    "pnpm/action-setup": ("pnpm", "--version"),
    "oven-sh/setup-bun": ("bun", "--version"),
    "denoland/setup-deno": ("deno", "--version"),
    "dtolnay/rust-toolchain": ("cargo", "--version"),
    "actions-rs/toolchain": ("cargo", "--version"),
    "swatinem/rust-cache": (),
    "actions/cache": (),
    "actions/cache/restore": (),
    "actions/cache/save": (),
}
"""The command that tells whether what the action installs is there; none: it only speeds up."""
WANTED = ("node-version", "go-version", "java-version", "dotnet-version", "ruby-version", "version")


@dataclass(frozen=True)
class Done:
    outcome: str
    """success, failure or skipped."""
    said: str
    output: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)


Action = Callable[[Mapping[str, str], Sandbox, Mapping[str, str]], Awaitable[Done]]


async def use(
    uses: str, given: Mapping[str, str], box: Sandbox, environment: Mapping[str, str]
) -> Done:
    """*uses*: as the step says it, `owner/name@version`; *given*: its `with`."""
    name = uses.partition("@")[0].strip().lower()
    if name in _ACTIONS:
        return await _ACTIONS[name](given, box, environment)
    if name in VERSIONS:
        return await _installed(name, given, box, environment)
    return Done("skipped", "skipped: this action is not available here; a `run` step would be")


async def _check_out(
    given: Mapping[str, str], box: Sandbox, environment: Mapping[str, str]
) -> Done:
    ignored = [
        name for name in ("repository", "ref", "path", "submodules", "lfs") if _set(given, name)
    ]
    if ignored:
        return Done("success", f"the repository is checked out; ignored: {', '.join(ignored)}")
    return Done("success", "the repository is checked out")


async def _python(given: Mapping[str, str], box: Sandbox, environment: Mapping[str, str]) -> Done:
    """An environment of its own, so that pip may install into it."""
    asked = given.get("python-version", "").split("\n")[0].strip()
    if not asked and (file := given.get("python-version-file")):
        ended = await box.exec(["cat", "--", file], timeout_seconds=TIMEOUT_SECONDS)
        asked = ended.output.decode(errors="replace").strip() if ended.exit_code == 0 else ""
    exact = re.fullmatch(r"(\d+\.\d+)(\.\d+|\.x)?", asked)
    program = f"python{exact[1]}" if exact else "python3"
    command = (
        f"program=$(command -v {program} || command -v python3) && "
        f'"$program" -m venv --clear {VENV} && {VENV}/bin/python --version'
    )
    ended = await box.exec(command, env=environment, timeout_seconds=TIMEOUT_SECONDS)
    output = ended.output.decode(errors="replace").strip()
    if ended.exit_code != 0:
        return Done("failure", "no Python environment could be made", output)
    found = output.splitlines()[-1].removeprefix("Python ")
    fits = not exact or found.startswith(f"{exact[1]}.")
    return Done(
        "success",
        _fits("Python", found, asked if not fits else ""),
        env={"pythonLocation": VENV, "VIRTUAL_ENV": VENV},
        paths=(f"{VENV}/bin",),
        outputs={"python-version": found, "python-path": f"{VENV}/bin/python"},
    )


async def _installed(
    name: str, given: Mapping[str, str], box: Sandbox, environment: Mapping[str, str]
) -> Done:
    command = VERSIONS[name]
    if not command:
        # No hit, so that what fills the cache is done.
        return Done("success", "nothing is cached between sessions", outputs={"cache-hit": "false"})
    ended = await box.exec(list(command), env=environment, timeout_seconds=TIMEOUT_SECONDS)
    output = ended.output.decode(errors="replace").strip()
    if ended.exit_code != 0:
        return Done("failure", f"{command[0]} is not installed on this machine")
    version = re.search(r"\d+(\.\d+)*", output)
    found = version[0] if version else output.splitlines()[0]
    asked = next((given[key].strip() for key in WANTED if given.get(key)), "")
    major = re.match(r"v?(\d+)", asked)
    fits = not major or found.split(".")[0] == major[1]
    return Done("success", _fits(command[0], found, "" if fits else asked))


def _fits(what: str, found: str, asked: str) -> str:
    return f"{what} {found} is used" + (f", although {asked} is asked for" if asked else "")


def _set(given: Mapping[str, str], name: str) -> bool:
    return given.get(name, "").strip().lower() not in ("", "false", ".")


_ACTIONS: Mapping[str, Action] = {"actions/checkout": _check_out, "actions/setup-python": _python}

"""Where this host's package managers fetch from, asked of themselves, and how sessions are told.

No host is written here. What carries a password is left out: a session may read all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from journeyman.sandbox.firewall import rules
from journeyman.sandbox.inside import FROM_ETC, PYTHON

ASK_SECONDS = 20.0
MOST_CA_BYTES = 4 << 20
PIP_FILE, NPM_FILE, CA_FILE = "/etc/pip.conf", "/etc/npmrc", "/etc/journeyman/ca.pem"
APT = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")
PIP = """
import json
from pip._internal.configuration import Configuration
from pip._internal.models.index import PyPI
found = Configuration(isolated=False)
found.load()
defaults = [PyPI.url, "https://" + PyPI.file_storage_domain]
print(json.dumps({"defaults": defaults, "set": dict(found.items())}))
"""
"""Asks pip itself: no command of it tells where it fetches from by default."""


@dataclass(frozen=True)
class Packages:
    """What a session needs to fetch packages as this host does."""

    hosts: tuple[str, ...] = ()
    """As rules of a firewall."""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()


async def find() -> Packages:
    """Ask pip, npm, apt and Go; whichever is missing or does not answer has nothing to say."""
    parts = await asyncio.gather(_pip(), _npm(), _go())
    return _joined([*parts, Packages(hosts=_hosts(_apt()))])


async def _pip() -> Packages:
    told: dict[str, Any] = {}
    for python in dict.fromkeys((PYTHON, sys.executable)):
        told = _json(await _said(python, "-c", PIP))
        if told:
            break
    values = _values(told.get("set", {}))
    index = _plain(values.get("index-url", ""))
    extra, links = _plain(values.get("extra-index-url", "")), _plain(values.get("find-links", ""))
    trusted = values.get("trusted-host", "").split()
    lines = {"index-url": index, "extra-index-url": extra, "find-links": links}
    lines["trusted-host"] = trusted
    certificates, files = _certificates(values.get("cert", ""))
    lines["cert"] = [certificates] if certificates else []
    text = ["[global]", "disable-pip-version-check = true", "break-system-packages = true"]
    text += [f"{name} = {' '.join(value)}" for name, value in lines.items() if value]
    defaults = [] if values.get("index-url") else told.get("defaults", [])
    return Packages(
        hosts=_hosts([*defaults, *index, *extra, *links]),
        env={"REQUESTS_CA_BUNDLE": certificates} if certificates else {},
        files={**files, PIP_FILE: "\n".join([*text, ""]).encode()},
        folders=(*_folders([*index, *extra], above=True), *_folders(links, above=False)),
    )


async def _npm() -> Packages:
    # Asking must leave nothing behind: npm would make a folder for its cache and logs.
    quiet = ("--cache=/dev/null", "--logs-max=0")
    told = _json(await _said("npm", "config", "list", "--json", *quiet))
    registries = {
        name: found[0]
        for name, value in told.items()
        if re.fullmatch(r"(@[\w.-]+:)?registry", name) and (found := _plain(str(value)))
    }
    if not registries:
        return Packages()
    certificates, files = _certificates(str(told.get("cafile") or ""))
    lines = {**registries, **({"cafile": certificates} if certificates else {})}
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    return Packages(
        hosts=_hosts(registries.values()),
        env={
            "NPM_CONFIG_GLOBALCONFIG": NPM_FILE,
            **({"NODE_EXTRA_CA_CERTS": certificates} if certificates else {}),
        },
        files={**files, NPM_FILE: text.encode()},
    )


async def _go() -> Packages:
    told = _json(await _said("go", "env", "-json", "GOPROXY", "GOSUMDB"))
    proxies = _plain(re.sub(r"[,|]", " ", str(told.get("GOPROXY") or "")))
    sums = str(told.get("GOSUMDB") or "")
    if not proxies:
        return Packages()
    named = [f"https://{sums}"] if re.fullmatch(r"[\w.-]+\.[\w-]+", sums) else _plain(sums)
    env = {"GOPROXY": ",".join(proxies), "GOSUMDB": sums or "off", "GOTOOLCHAIN": "local"}
    return Packages(hosts=_hosts([*proxies, *named]), env=env)


def _apt() -> list[str]:
    """Addresses in the lists of apt, whichever of the two forms they have."""
    main, others = map(Path, APT)
    found: list[str] = []
    for path in (main, *sorted(others.glob("*.list")), *sorted(others.glob("*.sources"))):
        with contextlib.suppress(OSError):
            lines = path.read_text(errors="replace").splitlines()
            found += [line for line in lines if not line.lstrip().startswith("#")]
    return re.findall(r"https?://[^\s'\"]+", "\n".join(found))


def _joined(parts: Sequence[Packages]) -> Packages:
    return Packages(
        hosts=tuple(dict.fromkeys(host for part in parts for host in part.hosts)),
        env={name: value for part in parts for name, value in part.env.items()},
        files={path: data for part in parts for path, data in part.files.items()},
        folders=tuple(dict.fromkeys(path for part in parts for path in part.folders)),
    )


def _values(told: Mapping[str, Any]) -> dict[str, str]:
    """pip's settings by their bare names; newer versions keep them apart by file."""
    found: dict[str, str] = {}
    for key, value in told.items():
        if isinstance(value, dict):
            found |= _values(value)
        elif key.startswith((":env:.", "global.", "install.", "download.")):
            found[key.rpartition(".")[2]] = str(value)
    return found


def _plain(text: str) -> list[str]:
    """The addresses and paths in *text* that carry no user and no password."""
    return [one for one in text.split() if not re.match(r"[\w+.-]+://[^/?#]*@", one)]


def _hosts(addresses: Iterable[str]) -> tuple[str, ...]:
    found = []
    for address in addresses:
        with contextlib.suppress(ValueError):
            parts = urlsplit(address)
            host = parts.hostname or ""
            host = f"[{host}]" if ":" in host else host
            rule = f"{host}:{parts.port}" if parts.port else host
            rules.parse(rule)
            if parts.scheme in ("http", "https"):
                found.append(rule)
    return tuple(dict.fromkeys(found))


def _folders(places: Iterable[str], *, above: bool) -> tuple[Path, ...]:
    """Folders of this host that *places* name; an index keeps its files beside itself."""
    found = []
    for place in places:
        if "://" in place and not place.startswith("file://"):
            continue
        path = Path(unquote(place.removeprefix("file://")))
        if path.is_absolute():
            found.append(path.parent if above and len(path.parts) > 3 else path)
    return tuple(found)


def _certificates(path: str) -> tuple[str, dict[str, bytes]]:
    """Where a session finds the certificates of *path*, and the file that must be made for it."""
    if not path or any(Path(path).is_relative_to(f"/etc/{name}") for name in FROM_ETC):
        return path, {}
    if Path(path).is_relative_to("/usr"):
        return path, {}
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_CA_BYTES)
    except OSError:
        return "", {}
    # A file that holds a key as well is not handed out.
    return ("", {}) if b"PRIVATE KEY" in content else (CA_FILE, {CA_FILE: content})


def _json(text: bytes) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


async def _said(*command: str) -> bytes:
    """What *command* prints, under the environment of the service; nothing when it fails."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return b""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        return b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output if process.returncode == 0 else b""

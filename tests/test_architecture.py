"""Rules of the code that no linter has. What may import what is import-linter's: pyproject.toml."""

import ast
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "journeyman"
MIGRATIONS = SOURCE / "store" / "migrations"
LONGEST_FILE = 500
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "misc", "manager", "base"}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
REASON = re.compile(r"noqa: [A-Z0-9, ]*\bBLE001\b\W+\w+ \w+")
ISSUE = re.compile(r"(TODO|FIXME|XXX)(?!\(#\d+\))")


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(), path.name))


def comments(path: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def reads_environment(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr=name):
            return name in ENVIRONMENT
        case ast.ImportFrom(module="os", names=names):
            return any(alias.name in ENVIRONMENT for alias in names)
    return False


def is_broad(caught: ast.expr | None) -> bool:
    match caught:
        case None | ast.Name(id="Exception" | "BaseException"):
            return True
        case ast.Tuple(elts=members):
            return any(is_broad(member) for member in members)
    return False


def raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def output(*command: str) -> str:
    """What *command* prints, nothing when it is not installed or fails."""
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def registry_hosts() -> set[str]:
    """Hosts that pip, npm and apt on this machine fetch packages from, read from themselves."""
    known_to_pip = (
        "from pip._internal.models.index import PyPI;"
        "print(PyPI.url, 'https://' + PyPI.file_storage_domain)"
    )
    apt = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    told = [
        output(sys.executable, "-c", known_to_pip),
        output(sys.executable, "-m", "pip", "config", "list"),
        output("npm", "config", "get", "registry"),
        *(path.read_text() for path in apt if path.is_file() and path.suffix != ".gpg"),
    ]
    addresses = re.findall(r"https?://[^\s'\"]+", "\n".join(told))
    hosts = {urlsplit(address).hostname or "" for address in addresses}
    return {host for host in hosts if "." in host}


def test_files_are_short() -> None:
    long = [
        place(path, lines)
        for path in python_files("src", "tests", "benchmarks")
        if MIGRATIONS not in path.parents
        and (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    ]
    assert not long, f"longer than {LONGEST_FILE} lines; split where the reasons to change differ"


def test_names_say_what_is_inside() -> None:
    vague = [
        str(path.relative_to(ROOT))
        for path in python_files("src")
        if VAGUE_NAMES & {path.stem, *path.relative_to(SOURCE).parts[:-1]}
    ]
    assert not vague, "a name that fits anything; the code has a home elsewhere"


def test_only_config_reads_the_environment() -> None:
    reads = [
        place(path, node.lineno)
        for path in python_files("src")
        if SOURCE / "config" not in path.parents
        for node in nodes(path)
        if reads_environment(node) and isinstance(node, ast.Attribute | ast.ImportFrom)
    ]
    assert not reads, "the environment is read by config and passed down as arguments"


def test_a_broad_except_gives_its_reason() -> None:
    bare = [
        place(path, node.lineno)
        for path in python_files("src")
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and is_broad(node.type)
        and not raises_again(node)
        and not REASON.search(path.read_text().splitlines()[node.lineno - 1])
    ]
    assert not bare, "write `except Exception:  # noqa: BLE001 - why everything is caught here`"


def test_what_is_left_to_do_names_its_issue() -> None:
    loose = [
        place(path, line)
        for path in python_files("src", "tests", "benchmarks")
        for line, comment in comments(path)
        if ISSUE.search(comment)
    ]
    assert not loose, "open an issue and name it: # TODO(#12) ..."


def test_no_tracked_file_names_a_package_registry() -> None:
    """Pins carry hashes and no addresses, so that they install from any mirror."""
    if not output("git", "rev-parse", "--git-dir"):
        pytest.skip("not a git repository")
    hosts = registry_hosts()
    assert hosts, "pip always knows a registry"
    patterns = [part for host in sorted(hosts) for part in ("-e", host)]
    named = output("git", "grep", "-lF", *patterns, "--", ".").splitlines()
    assert not named, "a registry is named by its host"

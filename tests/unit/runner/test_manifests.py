"""Which packages a change adds, by what the tools write."""

from __future__ import annotations

import json

import pytest

from journeyman.runner.manifests import MOST, Package, added
from journeyman.workspace import FileChange

POETRY = """[[package]]
name = "Django"
version = "3.2"
files = [
    {file = "x.whl", hash = "sha256:00"},
]

[package.dependencies]
name = "none"
version = "9"

[[package]]
name = "own"
version = "1"

[package.source]
type = "directory"
url = "../own"

[[package]]
name = "mirrored"
version = "2"

[package.source]
type = "legacy"
url = "https://index.example"
"""
UV = """version = 1

[[package]]
name = "app"
version = "0.1"
source = { editable = "." }

[[package]]
name = "django"
version = "3.2"
source = { registry = "https://pypi.example/simple" }
"""
PDM = """[metadata]
groups = ["default"]

[[package]]
name = "Django"
version = "3.2"
requires_python = ">=3.6"
files = [
    {file = "x.whl", hash = "sha256:00"},
]

[[package]]
name = "forked"
version = "1"
git = "https://example.org/forked.git"
"""
PIPENV = {
    "_meta": {"requires": {"python_version": "3.11"}},
    "default": {
        "Django": {"hashes": ["sha256:00"], "index": "pypi", "version": "==3.2"},
        "forked": {"git": "https://example.org/forked.git", "ref": "00"},
    },
    "develop": {"pytest": {"version": "==8.0"}},
}
YARN_1 = """# yarn lockfile v1


"@a/b@^1.0.0", "@a/b@^1.2.0":
  version "1.2.3"
  resolved "https://registry.yarnpkg.com/@a/b/-/b-1.2.3.tgz#00"
  dependencies:
    version "^9.0.0"

"@own/alias@npm:real@^2.0.0":
  version "2.0.1"

alias@npm:@a/real@^2.0.0:
  version "2.0.1"

lodash@^4.17.0, lodash@^4.17.20:
  version "4.17.20"

"forked@git+https://example.org/forked.git":
  version "3.0.0"

own@owner/repository:
  version "4.0.0"
"""
YARNS = ["npm lodash 4.17.20", "npm real 2.0.1"]
YARN_4 = """__metadata:
  version: 8

"@a/b@npm:^1.0.0, @a/b@npm:^1.2.0":
  version: 1.2.3
  resolution: "@a/b@npm:1.2.3"
  checksum: 10c0/00
  languageName: node

"@own/alias@npm:real@^2.0.0":
  version: 2.0.1
  resolution: "real@npm:2.0.1"

"lodash@npm:^4.17.0, lodash@npm:^4.17.20":
  version: 4.17.20
  resolution: "lodash@npm:4.17.20::__archiveUrl=https%3A%2F%2Fnpm.example"

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."

"a@patch:a@npm%3A1.0.0#./a.patch":
  version: 1.0.0
  resolution: "a@patch:a@npm%3A1.0.0#./a.patch::version=1.0.0&hash=00"
"""
PNPM_9 = """lockfileVersion: '9.0'

importers:
  .:
    dependencies:
      wrong@1.0.0:
        version: 1.0.0

packages:

  '@a/b@1.2.3':
    resolution: {integrity: sha512-00}

  lodash@4.17.20:
    resolution: {integrity: sha512-00}
    peerDependencies:
      other@1.0.0: '*'

  forked@https://codeload.example/forked/tar.gz/00:
    version: 3.0.0

snapshots:

  later@1.0.0: {}
"""
PNPM_6 = """lockfileVersion: '6.0'

packages:

  /@a/b@1.2.3(react@18.2.0):
    resolution: {integrity: sha512-00}

  file:own:
    version: 1.0.0
"""
PNPM_5 = """lockfileVersion: 5.4

packages:

  /@a/b/1.2.3_react@18.2.0:
    dev: true

  /lodash/4.17.20:
    dev: true
"""
CARGO = """[[package]]
name = "app"
version = "0.1.0"

[[package]]
name = "time"
version = "0.1.42"
source = "registry+https://github.com/rust-lang/crates.io-index"
"""
NPM = {
    "packages": {
        "": {"name": "app", "version": "1.0.0"},
        "packages/own": {"version": "1.0.0"},
        "node_modules/own": {"link": True, "resolved": "packages/own"},
        "node_modules/@a/b": {"version": "1.0.0"},
        "node_modules/x/node_modules/lodash": {"version": "4.17.20"},
        "node_modules/alias": {"name": "real", "version": "2.0.0"},
        "node_modules/git": {"version": "3.0.0", "resolved": "git+ssh://git@x/y.git#0"},
    },
    "dependencies": {"ignored": {"version": "1.0.0"}},
}
NPM_1 = {"dependencies": {"a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0"}}}}}
SUM = "example.org/m v1.2.3 h1:x=\nexample.org/m v1.2.3/go.mod h1:y=\n"
REQUIREMENTS = """# django==1.0
Django [bcrypt] == 3.2 ; python_version > "3" \\
    --hash=sha256:00
zope.interface===5.0#egg
-r other.txt
ranged>=1.0
starred==1.*
address @ https://example.org/a.whl
`rm`==1
"""


def names(path: str, after: bytes | None, before: bytes | None = b"") -> list[str]:
    packages, unread = added([FileChange(path, before, after)])
    assert not unread
    return [f"{one.ecosystem} {one.name} {one.version}" for one in packages]


@pytest.mark.parametrize(
    ("path", "content", "wanted"),
    [
        ("requirements-dev.txt", REQUIREMENTS, ["PyPI django 3.2", "PyPI zope-interface 5.0"]),
        ("requirements/runtime.txt", "\ufeffa==1\r\nb==2\r\n", ["PyPI a 1", "PyPI b 2"]),
        ("x/poetry.lock", POETRY, ["PyPI django 3.2", "PyPI mirrored 2"]),
        ("uv.lock", UV, ["PyPI django 3.2"]),
        ("pdm.lock", PDM, ["PyPI django 3.2"]),
        ("Pipfile.lock", json.dumps(PIPENV), ["PyPI django 3.2", "PyPI pytest 8.0"]),
        ("yarn.lock", YARN_1, ["npm @a/b 1.2.3", "npm @a/real 2.0.1", *YARNS]),
        ("web/yarn.lock", YARN_4, ["npm @a/b 1.2.3", *YARNS]),
        ("pnpm-lock.yaml", PNPM_9, ["npm @a/b 1.2.3", "npm lodash 4.17.20"]),
        ("pnpm-lock.yaml", PNPM_6, ["npm @a/b 1.2.3"]),
        (
            "pnpm-lock.yaml",
            f"---\n{PNPM_6}\n---\n{PNPM_9}",
            ["npm @a/b 1.2.3", "npm lodash 4.17.20"],
        ),
        ("pnpm-lock.yaml", PNPM_5, ["npm @a/b 1.2.3", "npm lodash 4.17.20"]),
        ("Cargo.lock", CARGO, ["crates.io time 0.1.42"]),
        (
            "package-lock.json",
            json.dumps(NPM),
            ["npm @a/b 1.0.0", "npm lodash 4.17.20", "npm real 2.0.0"],
        ),
        ("npm-shrinkwrap.json", json.dumps(NPM_1), ["npm a 1.0.0", "npm b 2.0.0"]),
        ("go.sum", SUM, ["Go example.org/m 1.2.3"]),
    ],
)
def test_each_file_is_read_as_its_tool_writes_it(
    path: str, content: str, wanted: list[str]
) -> None:
    assert names(path, content.encode()) == wanted


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("package-lock.json", b'{"packages": [1], "dependencies": 2}'),
        ("package-lock.json", b'{"packages": {"node_modules/a": {"version": {}}}}'),
        ("package-lock.json", b'{"packages": {"node_modules/a b`": {"version": "1"}}}'),
        ("go.sum", b"\xff\xfe v1 h1:\n"),
        ("requirements.txt", b"a==" + b"1" * 101),
        ("requirements.txt", b"a" + b" " * 1_000_000 + b"b"),
        ("poetry.lock", b"a." * 500_000),
        ("Pipfile.lock", b'{"default": [1], "develop": {"a": 2, "b": {"version": 3}}}'),
        ("yarn.lock", b'"' + b"a@" * 500_000 + b":\n"),
        ("yarn.lock", b"a" * 1_000_000 + b"\n  version " + b'"' * 1_000_000),
        ("pnpm-lock.yaml", b"\npackages:\n  " + b"@a/" * 300_000),
        ("pnpm-lock.yaml", b"\npackages:\n  a@1(" + b"(" * 1_000_000),
        ("uv.lock", b"[[package]]\n" * 100_000),
    ],
)
def test_what_makes_no_sense_names_no_package(path: str, content: bytes) -> None:
    assert names(path, content) == []


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"{",
        b"[]",
        b"[" * 1_000_000,
        b"9" * 10_000,
        json.dumps({"dependencies": {f"a{n}": {"version": "1"} for n in range(MOST + 1)}}).encode(),
    ],
    ids=["too large", "cut", "another type", "deep", "number", "many"],
)
def test_what_cannot_be_read_is_named(content: bytes | None) -> None:
    good = FileChange("go.sum", b"", SUM.encode())
    packages, unread = added([FileChange("package-lock.json", b"", content), good])

    assert unread == ["package-lock.json"]
    assert packages == {Package("Go", "example.org/m", "1.2.3"): "go.sum"}


def test_only_what_is_new_counts_wherever_it_was() -> None:
    before = FileChange("requirements.txt", b"a==1\nb==1\nc==1\n", b"")
    after = FileChange("sub/requirements.txt", b"", b"a==1\nB==2\nd==1\n")

    packages, _ = added([before, after])

    assert [(one.name, one.version) for one in packages] == [("b", "2"), ("d", "1")]

"""How this host's package managers tell where they fetch from, and what sessions hear of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from journeyman.sandbox import packages
from journeyman.sandbox.inside import PYTHON
from journeyman.sandbox.provisions import EVERYWHERE, Options, Provisions, Wishes


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH; without any configuration of pip."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "CERT", "TRUSTED_HOST"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    say(folder, "npm", {})
    say(folder, "go", {})
    return folder


def say(folder: Path, program: str, told: object) -> None:
    (folder / program).write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(told)}\nEND\n")
    (folder / program).chmod(0o755)


def require_pip() -> None:
    if subprocess.run([PYTHON, "-c", "import pip"], capture_output=True, check=False).returncode:
        pytest.skip("no pip for /usr/bin/python3")


async def test_pip_is_told_what_the_host_uses(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_pip()
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    extra = (
        "http://extra.example:8080/x https://me:secret@private.example/simple file:///opt/i/simple"
    )
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", extra)
    monkeypatch.setenv("PIP_FIND_LINKS", "/opt/wheels https://links.example/list")
    monkeypatch.setenv("PIP_CERT", str(authority))
    found = await packages.find()
    told = found.files[packages.PIP_FILE].decode()
    for host in ("index.example", "extra.example:8080", "links.example"):
        assert host in found.hosts
        assert host in told
    assert "private.example" not in told + str(found.hosts)
    assert "secret" not in str(found)
    assert f"cert = {packages.CA_FILE}" in told
    assert found.files[packages.CA_FILE] == authority.read_bytes()
    assert {Path("/opt/wheels"), Path("/opt/i")} <= set(found.folders)


async def test_without_configuration_it_is_what_pip_itself_knows(programs: Path) -> None:
    require_pip()
    found = await packages.find()
    assert found.hosts
    assert b"index-url" not in found.files[packages.PIP_FILE]


async def test_a_bundle_with_a_key_is_not_handed_out(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_pip()
    bundle = tmp_path / "both.pem"
    bundle.write_text("-----BEGIN PRIVATE KEY-----\n")
    monkeypatch.setenv("PIP_CERT", str(bundle))
    found = await packages.find()
    assert b"cert" not in found.files[packages.PIP_FILE]
    assert packages.CA_FILE not in found.files


async def test_npm_and_go_are_told_as_well(programs: Path) -> None:
    npm = {
        "registry": "https://npm.example/",
        "@own:registry": "https://own.example/npm/",
        "@paid:registry": "https://token:x@paid.example/",
        "//npm.example/:_authToken": "secret",
        "cafile": None,
    }
    say(programs, "npm", npm)
    say(programs, "go", {"GOPROXY": "https://go.example|direct", "GOSUMDB": "sum.example"})
    found = await packages.find()
    assert {"npm.example", "own.example", "go.example", "sum.example"} <= set(found.hosts)
    lines = found.files[packages.NPM_FILE].decode().splitlines()
    assert lines == ["registry=https://npm.example/", "@own:registry=https://own.example/npm/"]
    assert found.env["NPM_CONFIG_GLOBALCONFIG"] == packages.NPM_FILE
    assert "secret" not in str(found)
    assert "paid.example" not in str(found)


@pytest.mark.parametrize("told", ["", "[]", "nonsense", '{"registry": "https://[broken"}'])
async def test_odd_answers_are_no_answers(programs: Path, told: str) -> None:
    for name in ("npm", "go"):
        (programs / name).write_text(f"#!/bin/sh\necho '{told}'; test -n '{told}'\n")
    found = await packages.find()
    assert all("broken" not in host for host in found.hosts)


async def test_the_operators_rules_are_added(programs: Path) -> None:
    say(programs, "npm", {"registry": "https://npm.example/"})
    options = Options(allow=("own.example",), allowed_networks=("10.0.0.0/8",))
    given = (await Provisions(options).provision(Wishes(entries=("192.0.2.9",)))).network
    assert given is not None
    assert given.allow[-2:] == ("own.example", "192.0.2.9")
    assert "npm.example" in given.allow
    assert given.allowed_networks == ("10.0.0.0/8",)


async def test_recommended_and_firewall_can_be_off(programs: Path) -> None:
    say(programs, "npm", {"registry": "https://npm.example/"})
    bare = (await Provisions(Options(recommended=False)).provision()).network
    assert bare is not None
    assert bare.allow == ()
    off = (await Provisions(Options(enabled=False)).provision()).network
    assert off is not None
    assert off.allow == EVERYWHERE

"""What is known of packages, by files in the OSV format."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from journeyman.agent.masking import Mask
from journeyman.domain.configuration import EnabledTools
from journeyman.domain.events import EventType
from journeyman.runner import checks, osv
from journeyman.runner.advisories import find
from journeyman.runner.checks import Checked, Work
from journeyman.runner.manifests import Package
from journeyman.workspace import FileChange


def advisory(
    id: str, ecosystem: str, name: str, *events: dict[str, str], **more: Any
) -> dict[str, Any]:
    kind = "ECOSYSTEM" if ecosystem == "PyPI" else "SEMVER"
    affected = {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": kind, "events": list(events)}],
        "versions": more.pop("versions", []),
    }
    return {"id": id, "summary": f"Fault {id}", "affected": [affected], **more}


def kept(folder: Path, *found: dict[str, Any]) -> Path:
    for one in found:
        (folder / f"{one['id']}.json").write_text(json.dumps(one))
    return folder


TWICE = ({"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "2.0"}, {"fixed": "2.3.1"})
UNTIL = ({"introduced": "1.0.0"}, {"last_affected": "1.4.0"})
BEFORE = ({"introduced": "0"}, {"fixed": "2.0.0"})


@pytest.mark.parametrize(
    ("ecosystem", "events", "version", "fixed"),
    [
        ("PyPI", TWICE, "1.1.9", "1.2"),
        ("PyPI", TWICE, "1.2", None),
        ("PyPI", TWICE, "1.10", None),
        ("PyPI", TWICE, "2.3", "2.3.1"),
        ("PyPI", TWICE[::-1], "2.3", "2.3.1"),
        ("PyPI", TWICE, "2.3.1rc1", "2.3.1"),
        ("PyPI", TWICE, "2.3.1.post1", None),
        ("PyPI", TWICE, "nonsense", None),
        ("npm", BEFORE, "1.99.0", "2.0.0"),
        ("npm", BEFORE, "2.0.0-rc.1", "2.0.0"),
        ("npm", BEFORE, "2.0.0+build", None),
        (
            "npm",
            ({"introduced": "2.0.0-rc.2"}, {"fixed": "2.0.0-rc.10"}),
            "2.0.0-rc.9",
            "2.0.0-rc.10",
        ),
        ("npm", ({"introduced": "2.0.0-rc.2"}, {"fixed": "2.0.0-rc.10"}), "2.0.0-beta", None),
        ("npm", UNTIL, "1.4.0", "none"),
        ("npm", UNTIL, "1.4.1", None),
        ("npm", UNTIL, "0.9.0", None),
        ("npm", ({"introduced": "0"}, {"limit": "1.5.0"}), "1.4.0", "none"),
        ("npm", ({"introduced": "0"}, {"limit": "1.5.0"}), "1.5.0", None),
        ("Go", BEFORE, "0.0.0-20200101000000-abcdef012345", "2.0.0"),
        ("Go", BEFORE, "2.0.0+incompatible", None),
        ("crates.io", BEFORE, "0.1.42", "2.0.0"),
    ],
)
def test_a_version_is_in_a_range_or_not(
    tmp_path: Path, ecosystem: str, events: Any, version: str, fixed: str | None
) -> None:
    """*fixed* None: not affected."""
    folder = kept(tmp_path, advisory("A-1", ecosystem, "x", *events))

    search = find(folder, [Package(ecosystem, "x", version), Package(ecosystem, "other", version)])

    assert [one.fixed or "none" for one in search.findings] == ([fixed] if fixed else [])
    assert search.unread == 0
    assert search.covered == {ecosystem}


@pytest.mark.parametrize(("version", "found"), [("1.0", 1), ("1.0.0", 1), ("odd!", 1), ("1.1", 0)])
def test_listed_versions_are_affected_without_a_range(
    tmp_path: Path, version: str, found: int
) -> None:
    listed = advisory("A-1", "PyPI", "Some_Thing", versions=["1.0", "odd!"])

    search = find(kept(tmp_path, listed), [Package("PyPI", "some-thing", version)])

    assert len(search.findings) == found


def test_one_under_two_names_is_told_once_and_a_withdrawn_one_never(tmp_path: Path) -> None:
    folder = kept(
        tmp_path,
        advisory("PYSEC-1", "PyPI", "x", {"introduced": "0"}, aliases=["CVE-1"]),
        advisory("GHSA-1", "PyPI", "x", *TWICE, aliases=["CVE-1"]),
        advisory("GHSA-2", "PyPI", "x", *TWICE, withdrawn="2024-01-01T00:00:00Z"),
    )

    (one,) = find(folder, [Package("PyPI", "x", "1.0")]).findings

    assert (one.advisory, one.summary, one.fixed) == ("GHSA-1", "Fault GHSA-1", "1.2")


def test_dumps_are_read_as_they_come_and_what_is_broken_is_counted(tmp_path: Path) -> None:
    for ecosystem in ("PyPI", "npm"):
        (tmp_path / ecosystem).mkdir()
        with zipfile.ZipFile(tmp_path / ecosystem / "all.zip", "w") as archive:
            good = advisory("A-1", ecosystem, "x", *TWICE)
            archive.writestr("A-1.json", json.dumps(good))
            archive.writestr("B.json", "[" * 100_000)
            archive.writestr("readme.txt", "not looked at")
    bad = advisory("C-1", "PyPI", "x", {"introduced": "what"})
    kept(tmp_path, bad)
    (tmp_path / "null.json").write_text("null")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")

    search = find(tmp_path, [Package("PyPI", "x", "1.0")])

    assert [one.advisory for one in search.findings] == ["A-1"]
    assert search.unread == 4
    assert search.covered == {"PyPI"}, "what is in another ecosystem's folder is not read"


def test_an_archive_is_read_once_and_again_when_it_is_replaced(tmp_path: Path) -> None:
    packages, made = [Package("npm", name, "1.0.0") for name in ("x", "y")], tmp_path / "all.zip"

    def told(*names: str) -> list[str]:
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("readme.txt", "not looked at")
            for name in names:
                known = advisory(f"A-{name}", "npm", name, *BEFORE)
                archive.writestr(f"{name}.json", json.dumps(known))
        return [one.advisory for one in find(tmp_path, packages).findings]

    before = osv._index.cache_info()
    assert told("y") == ["A-y"]
    assert [one.advisory for one in find(tmp_path, packages).findings] == ["A-y"]
    now = osv._index.cache_info()
    assert (now.misses - before.misses, now.hits - before.hits) == (1, 1)
    assert told("other", "x", "y") == ["A-x", "A-y"]


# --- As a check ----------------------------------------------------------------------------------

OTHERS_OFF = EnabledTools(secret_scanning=False, copilot_code_review=False)
PINNED = FileChange("requirements.txt", b"y==1\n", b"y==1\nx==1.0\n")
BROKEN = FileChange("package-lock.json", b"", None)


async def checked(
    folder: Path | None, *files: FileChange, tools: EnabledTools = OTHERS_OFF
) -> tuple[str, str, str]:
    """The status, what it says, what the agent is told."""
    work = Work("Do it", "", "b" * 40, can_run=True, manifests=files)
    first, *told = await checks.check(work, Checked(), tools, Mask(), None, folder)
    assert first.type is EventType.CHECKS
    (one,) = [one for one in first.data["results"] if one["name"] == "dependencies"]
    return one["status"], one["message"], str(told[0].data["content"]) if told else ""


async def test_a_finding_goes_back_to_the_agent_with_the_way_out(tmp_path: Path) -> None:
    kept(tmp_path, advisory("GHSA-1", "PyPI", "x", *TWICE, summary="Many\nwords " * 100))

    status, said, told = await checked(tmp_path, PINNED)

    assert status == "failed"
    assert "- `x` 1.0 (PyPI, `requirements.txt`): GHSA-1: Many words Many" in said
    assert said.endswith("…; fixed in 1.2")
    assert len(said) < 400
    assert said in told


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ((PINNED,), "passed", "1 added or changed, no advisory is known for them"),
        ((), "passed", "the change adds none that is pinned"),
        ((BROKEN,), "skipped", "`package-lock.json` could not be read"),
        (
            (FileChange("go.sum", b"", b"m v1.0.0 h1:x\n"),),
            "skipped",
            "`checks.advisories` has no data for Go",
        ),
        (
            (FileChange("requirements.txt", b"", b"".join(b"a==%d\n" % n for n in range(60))),),
            "skipped",
            "10 of very many versions were not looked up",
        ),
    ],
)
async def test_what_could_not_be_looked_up_has_not_passed(
    tmp_path: Path, files: tuple[FileChange, ...], status: str, said: str
) -> None:
    kept(tmp_path, advisory("GHSA-1", "PyPI", "other", *TWICE))

    found = await checked(tmp_path, *files)

    assert found[0] == status
    assert said in found[1]
    assert found[2] == ""


async def test_without_data_it_says_how_to_have_some(tmp_path: Path) -> None:
    status, said, _ = await checked(None, PINNED)
    assert status == "skipped"
    assert "an operator sets its folder as `checks.advisories`" in said

    off = EnabledTools(dependency_vulnerability_checks=False)
    assert (await checked(tmp_path, PINNED, tools=off))[0] == "skipped"

"""Control groups on a tree of plain files; the real ones are exercised by the integration tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from journeyman.sandbox import Limits, cgroup

LIMITS = Limits(memory_bytes=1000, cpus=1.5, pids=7)


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    """A version 2 hierarchy with three controllers, this process in the group `unit`."""
    base = tmp_path / "unit"
    base.mkdir()
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    for name, text in {
        "cgroup.controllers": "cpu io memory pids",
        "cgroup.type": "domain",
        "cgroup.subtree_control": "cpu memory pids",
    }.items():
        (base / name).write_text(text)
    return tmp_path


@pytest.fixture
def classic(tmp_path: Path) -> Path:
    """A version 1 hierarchy, this process in the group `outer` of memory and pids."""
    for place in ("memory/outer", "pids/outer"):
        (tmp_path / place).mkdir(parents=True)
    return tmp_path


def test_version_2_limits_are_written_before_anything_is_moved(unified: Path) -> None:
    group = cgroup.find(unified, "0::/unit\n").create("s1", LIMITS)
    assert group.enforced == dict.fromkeys(("memory", "pids", "cpu"), "cgroup v2")
    (folder,) = group.folders
    assert folder.parent == unified / "unit"
    assert (folder / "memory.max").read_text() == "1000"
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "7"
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert not (folder / "cgroup.procs").exists()


def test_version_2_moves_the_service_out_of_the_way(unified: Path) -> None:
    cgroup.find(unified, "0::/unit\n")
    assert (unified / "unit" / cgroup.SERVICE / "cgroup.procs").read_text() == str(os.getpid())


def test_a_second_look_finds_the_same_place(unified: Path) -> None:
    first = cgroup.find(unified, "0::/unit\n")
    assert cgroup.find(unified, f"0::/unit/{cgroup.SERVICE}\n") == first


def test_version_1_stays_below_the_services_own_group(classic: Path) -> None:
    group = cgroup.find(classic, "4:memory:/outer\n8:pids:/outer\n1:cpu:/gone\n").create(
        "s", LIMITS
    )
    assert group.enforced == {"memory": "cgroup v1", "pids": "cgroup v1"}
    assert {folder.parent for folder in group.folders} == {
        classic / "memory/outer",
        classic / "pids/outer",
    }
    assert (group.folders[0] / "memory.limit_in_bytes").read_text() == "1000"


def test_without_control_groups_nothing_is_claimed(tmp_path: Path) -> None:
    group = cgroup.find(tmp_path, "0::/\n").create("s", LIMITS)
    assert (group.folders, group.enforced) == ((), {})


async def test_removing_is_patient_and_gives_up(tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    (busy / "child").mkdir(parents=True)
    await cgroup.Cgroup((busy, tmp_path / "gone")).remove()
    assert busy.exists()


async def test_a_sweep_takes_the_groups_of_the_dead_only(classic: Path) -> None:
    places = cgroup.find(classic, "4:memory:/outer\n")
    dead = classic / "memory/outer" / f"{cgroup.PREFIX}999999999-s"
    alive = classic / "memory/outer" / f"{cgroup.PREFIX}{os.getpid()}-s"
    foreign = classic / "memory/outer/other"
    for folder in (dead, alive, foreign):
        folder.mkdir()
    await places.sweep()
    assert not dead.exists()
    assert alive.exists()
    assert foreign.exists()

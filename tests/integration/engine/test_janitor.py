"""What nobody needs any more goes from a worker's disk, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from journeyman.domain.retention import Retention
from journeyman.domain.sessions import State
from journeyman.service.clock import utc_now
from journeyman.service.parked import Parked
from journeyman.service.retention import Expiry
from journeyman.worker.recovery import Janitor
from tests.conftest import EACH_DATABASE, Clock, World
from tests.integration.engine.machine import equip
from tests.unit.service.work import bring, create, ledger

KEEP = replace(Retention(**dict.fromkeys(vars(Retention()), 0)), workspaces_days=14)
STATES = (
    *(State.QUEUED, State.IN_PROGRESS, State.WAITING_FOR_USER, State.IDLE),
    *(State.COMPLETED, State.FAILED, State.CANCELLED),
)
ENDED = {State.COMPLETED, State.FAILED, State.CANCELLED}


@pytest.fixture
def clock() -> Clock:
    """The sessions' own time is the real one."""
    made = Clock()
    made.now = utc_now()
    return made


@pytest.fixture
def janitor(world: World, clock: Clock, tmp_path: Path) -> Janitor:
    parts = world.parts
    parked = Parked(parts.database, parts.queue, parts.live, parts.changes)
    expiry = Expiry(parts.database, KEEP, clock=clock)
    equipment = equip(parts, tmp_path)
    return Janitor(ledger(world), parked, parts.queue, equipment, expiry, KEEP, clock=clock)


@pytest.fixture
async def workspaces(world: World, tmp_path: Path) -> dict[str, Path]:
    """One with a file for a session in each state, one of nobody's, one half removed."""
    made = {}
    for state in STATES:
        task = await create(world, state)
        await bring(world, task, state)
        made[str(state)] = tmp_path / "workspaces" / task.session.id
    for name in ("unknown", ".leaving-one"):
        made[name] = tmp_path / "workspaces" / name
    for directory in made.values():
        directory.mkdir(parents=True)
        (directory / "file").write_text("kept")
    return made


def left(workspaces: dict[str, Path]) -> set[str]:
    there = {name for name, directory in workspaces.items() if (directory / "file").exists()}
    assert len(list(workspaces["unknown"].parent.iterdir())) == len(there)
    return there


@EACH_DATABASE
async def test_at_the_start_workspaces_of_ended_sessions_go(
    janitor: Janitor, workspaces: dict[str, Path], clock: Clock
) -> None:
    clock.now = utc_now()
    await janitor.sweep_workspaces()
    assert left(workspaces) == set(STATES) - ENDED


async def test_later_a_worker_is_given_time_to_remove_its_own(
    janitor: Janitor, workspaces: dict[str, Path], clock: Clock
) -> None:
    await janitor.sweep_workspaces_left()
    assert left(workspaces) == set(STATES)
    clock.advance(700)
    await janitor.sweep_workspaces_left()
    assert left(workspaces) == set(STATES) - ENDED


async def test_workspaces_of_sessions_that_have_rested_for_long_go(
    janitor: Janitor, workspaces: dict[str, Path], clock: Clock
) -> None:
    clock.advance(timedelta(days=13).total_seconds())
    await janitor.expire()
    assert left(workspaces) == set(workspaces)
    clock.advance(timedelta(days=2).total_seconds())
    await janitor.expire()
    assert left(workspaces) == set(workspaces) - {State.WAITING_FOR_USER, State.IDLE}
    await janitor.expire()

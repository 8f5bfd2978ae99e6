"""Where runs begin: the first on a checkout of its own, later ones on what it left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from journeyman.domain.sessions import State
from journeyman.workspace.bases import Bases
from tests.conftest import World
from tests.integration.engine.machine import Machine, create, find, patch
from tests.integration.sandbox.requirement import require_root

pytestmark = [pytest.mark.sandbox, pytest.mark.engine, pytest.mark.root]


async def test_a_second_session_lies_over_a_base_and_delivers_its_own_work(
    world: World, machine: Machine, tmp_path: Path
) -> None:
    require_root()
    usual = machine.equipment
    bases = Bases(tmp_path / "small", usual.sandboxes, workspaces=usual.workspaces, least_files=0)
    await machine.equip(replace(usual, bases=bases))
    first = await create(world, "One\n\n```sh\necho one > one.txt\n```")
    await machine.run(first)
    await bases.prepared()

    second = await create(world, "Two\n\n```sh\necho two > two.txt; git mv README.md R.md\n```")
    verdict = await machine.work(second)
    base = (usual.workspaces / second.session.id / "base").readlink()
    assert base.is_relative_to(tmp_path / "small")
    await machine.run(second, verdict=verdict)
    assert (await find(world, second)).session.state is State.COMPLETED
    made = await patch(world, second)
    assert "+two" in made
    assert "R.md" in made
    assert "one.txt" not in made
    assert not (usual.workspaces / second.session.id).exists()
    assert not (base / "work" / "two.txt").exists()

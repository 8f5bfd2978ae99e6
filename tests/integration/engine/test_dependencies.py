"""Packages that a session adds are looked up, and the log says what is known of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from journeyman.domain.events import EventType
from journeyman.domain.repositories import Repository
from journeyman.runner.equipment import Checks
from tests.conftest import World
from tests.integration.engine.machine import Machine, create, log

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

ADVISORY = {
    "id": "GHSA-1",
    "summary": "Everything is open",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "somewhere"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2"}]}],
        }
    ],
}


async def test_a_package_with_a_known_fault_is_told(
    world: World, machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "GHSA-1.json").write_text(json.dumps(ADVISORY))

    async def checks(repository: Repository) -> Checks:
        return Checks(advisories=tmp_path)

    await machine.equip(replace(machine.equipment, checks=checks))
    task = await create(world, "Pin\n\n```sh\necho somewhere==1.1 > requirements.txt\n```")
    await machine.run(task)

    (checked,) = [one for one in await log(world, task) if one.type is EventType.CHECKS]
    (result,) = [one for one in checked.data["results"] if one["name"] == "dependencies"]
    assert result == {
        "name": "dependencies",
        "status": "failed",
        "message": "the change adds packages with known faults:\n- `somewhere` 1.1 (PyPI, "
        "`requirements.txt`): GHSA-1: Everything is open; fixed in 1.2",
    }

"""Which workers are alive, as others see it."""

from __future__ import annotations

import subprocess

import sqlalchemy as sa

from journeyman.engine.liveness import Heartbeats
from journeyman.store.database import Database
from tests.conftest import EACH_DATABASE


@EACH_DATABASE
def test_a_worker_is_alive_while_it_runs_and_is_heard_of(database: Database) -> None:
    heartbeats = Heartbeats(database.engine)
    heartbeats.beat("one", 4)
    assert [(beat.executor_id, beat.slots) for beat in heartbeats.live()] == [("one", 4)]
    heartbeats.leave("one")
    assert heartbeats.live() == []


@EACH_DATABASE
def test_one_that_was_killed_is_dead_before_its_lease_is_over(database: Database) -> None:
    """Also while its parent has not asked what became of it, as in a container without an init."""
    heartbeats = Heartbeats(database.engine)
    process = subprocess.Popen(["sleep", "60"])
    heartbeats.beat("one", 4)
    with database.engine.begin() as tx:
        tx.execute(sa.text("UPDATE worker SET pid = :pid"), {"pid": process.pid})
    assert len(heartbeats.live()) == 1
    process.kill()
    with open(f"/proc/{process.pid}/stat") as stat:
        while ") Z " not in stat.read():
            stat.seek(0)
    assert heartbeats.live() == []
    process.wait()
    assert heartbeats.live() == []


@EACH_DATABASE
def test_one_on_another_machine_is_dead_when_it_is_not_heard_of(database: Database) -> None:
    heartbeats = Heartbeats(database.engine, lease_seconds=10)
    heartbeats.beat("one", 4)
    with database.engine.begin() as tx:
        tx.execute(sa.text("UPDATE worker SET place = 'elsewhere', pid = 2147483647"))
    assert len(heartbeats.live()) == 1
    with database.engine.begin() as tx:
        tx.execute(sa.text("UPDATE worker SET heartbeat_ms = heartbeat_ms - 10001"))
    assert heartbeats.live() == []

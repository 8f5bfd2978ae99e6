"""What the embedded forge writes down."""

from __future__ import annotations

from journeyman.domain.audit import AuditQuery, Surface
from journeyman.domain.pushes import Update
from journeyman.service.records import StoredRecords
from tests.conftest import World


async def test_a_push_is_in_the_audit_log_with_the_refs_it_changed(world: World) -> None:
    alice = await world.principal("alice")
    updates = [Update(f"refs/heads/b{n}", "0" * 40, "a" * 40) for n in range(101)]
    records = StoredRecords(world.parts.database)
    await records.note_push(alice, world.repository.id, "192.0.2.1", updates)
    (entry, *_), _ = await world.parts.services.audit.all(AuditQuery())
    assert (entry.action, entry.surface, entry.actor) == ("git.push", Surface.GIT, "alice")
    assert (entry.token_id, entry.address) == (alice.token_id, "192.0.2.1")
    assert entry.repository == "alice/hello"
    assert entry.data["updates_count"] == 101
    assert len(entry.data["updates"]) == 100
    first = {"ref": "refs/heads/b0", "before": "0" * 40, "after": "a" * 40}
    assert entry.data["updates"][0] == first

"""Prompts that are kept for a repository."""

from __future__ import annotations

import pytest

from journeyman.domain.audit import AuditQuery
from journeyman.domain.errors import AppError, Code
from journeyman.domain.repositories import Permission
from journeyman.domain.templates import MOST, NewTemplate
from tests.conftest import EACH_DATABASE, World


@EACH_DATABASE
async def test_a_template_is_kept_replaced_and_deleted(world: World) -> None:
    templates, access = world.parts.services.templates, await world.access("alice")
    await templates.save(access, NewTemplate("Upgrade", "Upgrade everything"))
    await templates.save(access, NewTemplate("Docs", "Mend the docs"))
    await templates.save(access, NewTemplate("Upgrade", "Upgrade what is old"))
    found = await templates.list(await world.access("bob"))
    assert [(one.name, one.prompt) for one in found] == [
        ("Docs", "Mend the docs"),
        ("Upgrade", "Upgrade what is old"),
    ]
    await templates.delete(access, found[0].id)
    await templates.delete(access, found[0].id)
    assert [one.name for one in await templates.list(access)] == ["Upgrade"]
    entries, _ = await world.parts.services.audit.all(
        AuditQuery(actions=frozenset({"agent_template"}), ascending=True)
    )
    assert [(entry.action.partition(".")[2], entry.data["name"]) for entry in entries] == [
        ("create", "Upgrade"),
        ("create", "Docs"),
        ("update", "Upgrade"),
        ("remove", "Docs"),
    ]


@EACH_DATABASE
async def test_who_may_not_write_keeps_and_deletes_none(world: World) -> None:
    await world.administration.grant("alice/hello", "mallory", Permission.READ)
    templates, access = world.parts.services.templates, await world.access("mallory")
    with pytest.raises(AppError) as refused:
        await templates.save(access, NewTemplate("Mine", "All of it"))
    assert refused.value.code is Code.FORBIDDEN
    with pytest.raises(AppError):
        await templates.delete(access, 1)


@EACH_DATABASE
async def test_there_is_a_most(world: World) -> None:
    templates, access = world.parts.services.templates, await world.access("alice")
    for number in range(MOST):
        await templates.save(access, NewTemplate(f"Number {number}", "Again"))
    with pytest.raises(AppError, match="delete one first"):
        await templates.save(access, NewTemplate("One more", "Again"))
    await templates.save(access, NewTemplate("Number 0", "Replaced"))


@pytest.mark.parametrize(("name", "prompt"), [("", "x"), ("n" * 81, "x"), ("n", " ")])
def test_a_template_has_a_name_and_a_prompt(name: str, prompt: str) -> None:
    with pytest.raises(AppError):
        NewTemplate(name, prompt)

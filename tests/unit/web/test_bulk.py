import httpx

from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from tests.unit.web.conftest import Site, csrf, page_of


async def test_several_are_cancelled_and_archived_at_once(
    site: Site, alice: httpx.AsyncClient
) -> None:
    tasks = [await site.task(f"Task {number}") for number in range(3)]
    form = {"csrf": csrf(await alice.get("/agents")), "back": "/agents?creator=@me"}
    chosen = {f"task-{task.id}": "on" for task in tasks[:2]}
    answer = await alice.post("/agents/bulk", data={**form, **chosen, "verb": "cancel"})
    assert answer.headers["location"] == "/agents?creator=@me&said=2-cancel"
    assert "2 tasks cancelled." in (await alice.get(answer.headers["location"])).text

    everything = {f"task-{task.id}": "on" for task in tasks}
    answer = await alice.post("/agents/bulk", data={**form, **everything, "verb": "archive"})
    page = (await alice.get(answer.headers["location"])).text
    assert "2 tasks archived." in page
    assert "1 task could not be archived (still at work; cancel first, or wait)." in page
    assert page.count('class="row"') == 1


async def test_why_something_could_not_be_is_said_for_each_reason(site: Site) -> None:
    over, hidden = await site.task("Over"), "0b1c9a52-0000-4000-8000-000000000000"
    await site.tell(over, State.IN_PROGRESS, State.COMPLETED)
    bob = await site.logged_in("bob")
    form = {"csrf": csrf(await bob.get("/agents")), "verb": "cancel"}
    chosen = {f"task-{over.id}": "on", f"task-{hidden}": "on"}
    answer = await bob.post("/agents/bulk", data={**form, **chosen})
    page = (await bob.get(answer.headers["location"])).text
    assert "1 task could not be cancelled (ended before)." in page
    assert "1 task could not be cancelled (gone, or not for you to see)." in page
    assert "tasks cancelled." not in page

    await site.world.administration.grant("alice/hello", "bob", Permission.READ)
    answer = await bob.post("/agents/bulk", data={**form, f"task-{over.id}": "on"})
    page = (await bob.get(answer.headers["location"])).text
    assert "1 task could not be cancelled (you may not write to the repository)." in page


async def test_what_an_address_says_was_done_cannot_be_anything(
    site: Site, alice: httpx.AsyncClient
) -> None:
    page = await alice.get("/agents?said=Pay+here&failed=5-steal")
    assert "Pay here" not in page.text
    assert "steal" not in page.text


async def test_a_forged_form_does_nothing(site: Site, alice: httpx.AsyncClient) -> None:
    task = await site.task()
    sent = {"csrf": "wrong", "verb": "cancel", f"task-{task.id}": "on"}
    assert (await alice.post("/agents/bulk", data=sent)).status_code == 403
    assert "queued" in (await alice.get(page_of(task))).text

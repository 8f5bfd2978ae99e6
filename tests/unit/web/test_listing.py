import re

import httpx

from journeyman.domain.sessions import State
from tests.unit.web.conftest import EVIL, Site, csrf, page_of


async def test_a_stranger_is_sent_to_log_in_and_back(site: Site) -> None:
    answer = await site.browser().get("/agents?state=failed")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?return_to=%2Fagents%3Fstate%3Dfailed"


async def test_a_browser_at_the_root_is_led_to_the_tasks(site: Site) -> None:
    answer = await site.browser().get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents")


async def test_an_api_client_at_the_root_keeps_its_index(site: Site) -> None:
    answer = await site.browser().get("/", headers={"Accept": "application/json"})
    assert "current_user_url" in answer.json()


async def test_without_tasks_the_list_tells_how_to_start_one(
    site: Site, alice: httpx.AsyncClient
) -> None:
    page = await alice.get("/agents")
    assert "Start the first task" in page.text
    assert "journeyman task create --repo alice/hello" in page.text


async def test_without_repositories_the_list_tells_how_to_add_one(site: Site) -> None:
    mallory = await site.logged_in("mallory")
    assert "journeyman repo add" in (await mallory.get("/agents")).text


async def test_one_sees_what_others_started_in_a_repository_one_may_read(site: Site) -> None:
    await site.task("Mend the roof", "alice")
    bob, mallory = await site.logged_in("bob"), await site.logged_in("mallory")
    assert "Mend the roof" in (await bob.get("/agents")).text
    assert "Mend the roof" in (await bob.get("/alice/hello/agents")).text
    assert "Mend the roof" not in (await mallory.get("/agents")).text
    assert (await mallory.get("/alice/hello/agents")).status_code == 404


async def test_filters_narrow_the_list(site: Site, alice: httpx.AsyncClient) -> None:
    await site.task("Mend the roof")
    cancelled = await site.task("Paint the door", "bob")
    await site.tell(cancelled, State.CANCELLED)

    async def names(query: str) -> set[str]:
        page = (await alice.get(f"/agents?{query}")).text
        return set(re.findall(r"Mend the roof(?=</bdi>)|Paint the door(?=</bdi>)", page))

    assert await names("") == {"Mend the roof", "Paint the door"}
    assert await names("state=cancelled") == {"Paint the door"}
    assert await names("state=active") == {"Mend the roof"}
    assert await names("q=ROOF") == {"Mend the roof"}
    assert await names("q=100%25") == set()
    assert await names("creator=@me") == {"Mend the roof"}
    assert await names("creator=Bob") == {"Paint the door"}
    assert await names("creator=nobody") == set()
    offered = (await alice.get("/agents?creator=bob")).text
    assert "<option selected>bob</option>" in offered
    assert "<option>alice</option>" not in offered
    mallory = await site.logged_in("mallory")
    assert ">bob</option>" not in (await mallory.get("/agents")).text
    assert await names("repository=alice/hello&state=queued") == {"Mend the roof"}
    assert await names("archived=1") == set()
    assert await names("page=-3&state=nonsense&sort=x") == {"Mend the roof", "Paint the door"}


async def test_nothing_found_is_told_apart_from_nothing_there(
    site: Site, alice: httpx.AsyncClient
) -> None:
    assert "No task is like that" in (await alice.get("/agents?q=zzz")).text


async def test_pages_keep_the_filters_in_their_address(
    site: Site, alice: httpx.AsyncClient
) -> None:
    for number in range(31):
        await site.task(f"Task number {number:02}")
    first = await alice.get("/agents?q=number&sort=oldest")
    assert "/agents?q=number&amp;sort=oldest&amp;page=2" in first.text
    assert "Task number 00" in first.text
    second = await alice.get("/agents?q=number&sort=oldest&page=2")
    assert "Task number 30" in second.text
    assert "Task number 00" not in second.text


async def test_the_part_that_looks_again_is_only_the_list(
    site: Site, alice: httpx.AsyncClient
) -> None:
    await site.task("Mend the roof")
    part = await alice.get("/agents?part=list")
    assert "Mend the roof" in part.text
    assert "<html" not in part.text


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
    assert "1 task could not be archived" in page
    assert page.count('class="row"') == 1


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


async def test_names_are_text(site: Site, alice: httpx.AsyncClient) -> None:
    await site.task(f"{EVIL} \u202eevil", head_ref="feature/<b>")
    page = (await alice.get("/agents?q=%3Cscript%3E")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page

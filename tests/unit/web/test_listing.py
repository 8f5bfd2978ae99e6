import re

import httpx
import pytest

from journeyman.domain.sessions import State
from journeyman.store import browsing
from tests.unit.web.conftest import EVIL, Site


async def test_a_stranger_is_sent_to_log_in_and_back(site: Site) -> None:
    answer = await site.browser().get("/agents?state=failed")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?return_to=%2Fagents%3Fstate%3Dfailed"


async def test_a_browser_at_the_root_is_led_to_the_tasks(site: Site) -> None:
    answer = await site.browser().get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents")


async def test_addresses_that_the_api_gives_out_lead_a_browser_to_their_pages(
    site: Site, alice: httpx.AsyncClient
) -> None:
    """`html_url` of an account, a repository and a pull request."""

    async def led(path: str) -> str:
        answer = await alice.get(path)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    assert await led("/alice") == "/agents?creator=alice"
    assert await led("/alice/hello") == "/alice/hello/agents"
    assert await led("/alice/hello/pull/7") == "/alice/hello/pulls/7"
    assert (await alice.get("/alice/hello/agents")).status_code == 200


@pytest.mark.parametrize("path", ["/alice/hello/tree/main", "/alice/hello/pull/x", "/no/such/page"])
async def test_a_browser_gets_a_page_where_nothing_is_and_a_client_json(
    site: Site, path: str
) -> None:
    page = await site.browser().get(path)
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    answer = await site.browser().get(path, headers={"Accept": "application/vnd.github+json"})
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/zen", "/meta", "/api/v3", "/rate_limit"]
)
async def test_a_browser_reaches_what_the_api_has(site: Site, path: str) -> None:
    answer = await site.browser().get(path)
    assert "There is nothing here" not in answer.text
    assert answer.status_code in (200, 401)


async def test_an_api_client_at_the_root_keeps_its_index(site: Site) -> None:
    answer = await site.browser().get("/", headers={"Accept": "application/json"})
    assert "current_user_url" in answer.json()


async def test_without_tasks_the_list_tells_how_to_start_one(
    site: Site, alice: httpx.AsyncClient
) -> None:
    page = await alice.get("/agents")
    assert "Start the first task" in page.text
    assert "journeyman task create alice/hello " in page.text


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
    offered = (await alice.get("/agents?creator=Bob")).text
    assert 'name="creator" value="Bob"' in offered
    assert "<option>bob</option>" in offered
    mallory = await site.logged_in("mallory")
    assert ">bob</option>" not in (await mallory.get("/agents")).text
    assert await names("repository=alice/hello&state=queued") == {"Mend the roof"}
    assert await names("archived=1") == set()
    assert await names("page=-3&state=nonsense&sort=x") == {"Mend the roof", "Paint the door"}


async def test_only_who_asked_for_the_most_is_offered(site: Site) -> None:
    await site.task("Mend the roof")
    await site.task("Paint the door", "bob")
    await site.task("Paint the wall", "bob")
    principal = await site.world.principal("alice")

    async def offered(most: int) -> list[str]:
        read = site.world.parts.database.read
        return await read(lambda tx: browsing.creators(tx, principal, most))

    assert await offered(2) == ["alice", "bob"]
    assert await offered(1) == ["bob"]


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


async def test_names_are_text(site: Site, alice: httpx.AsyncClient) -> None:
    await site.task(f"{EVIL} \u202eevil", head_ref="feature/<b>")
    page = (await alice.get("/agents?q=%3Cscript%3E")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page

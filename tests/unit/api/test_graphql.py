"""GraphQL: exactly what was selected, what may not be seen, and nothing that ends in a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from journeyman.api import wire
from journeyman.forge import NewPull
from tests.unit.api.conftest import World

NODES = """query FetchPRsAndUsersForAgentTaskSessions($ids:[ID!]!){nodes(ids: $ids){__typename,
... on PullRequest{id,fullDatabaseId,number,title,state,url,body,isDraft,createdAt,updatedAt,
closedAt,mergedAt,repository{id,name,nameWithOwner}},... on User{login,name,databaseId}}}"""
REPOSITORY = """fragment repo on Repository { id name owner { login } viewerPermission
defaultBranchRef { name } hasIssuesEnabled hasWikiEnabled description }
query RepositoryInfo($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { ...repo parent { ...repo } squashMergeAllowed } }"""


async def ask(
    client: httpx.AsyncClient, query: object, path: str = "/graphql", **variables: Any
) -> Any:
    answer = await client.post(path, json={"query": query, "variables": variables})
    assert answer.status_code == 200
    return answer.json()


async def data(client: httpx.AsyncClient, query: str, **variables: Any) -> Any:
    found = await ask(client, query, **variables)
    assert "errors" not in found, found
    return found["data"]


async def message(client: httpx.AsyncClient, query: object, **variables: Any) -> str:
    found = await ask(client, query, **variables)
    return str(found["errors"][0]["message"])


async def open_pull(world: World) -> dict[str, Any]:
    principal = await world.services.identity.authenticate(world.tokens["alice"])
    access = await world.services.identity.access(principal, "octo", "hello")
    new = NewPull("Fix it", "Because.", "fix", "main")
    pull = (await world.services.pulls.open(principal, access, new)).found.pull
    repository_id = access.repository.id
    return {
        "id": wire.node_id("PR", repository_id, pull.id),
        "database_id": pull.id,
        "user": wire.node_id("U", principal.account.id),
    }


@pytest.mark.parametrize("path", ["/graphql", "/api/graphql"])
async def test_exactly_what_was_selected(alice: httpx.AsyncClient, path: str) -> None:
    found = await ask(alice, "query UserCurrent{viewer{login}}", path)
    assert found == {"data": {"viewer": {"login": "alice"}}}


async def test_where_the_agents_api_is(world: World) -> None:
    client = world.client("alice", base="http://api.github.localhost")
    found = await data(client, "query CopilotEndpoints{viewer{copilotEndpoints{api}}}")
    assert found == {"viewer": {"copilotEndpoints": {"api": "http://api.github.localhost"}}}


async def test_pull_requests_and_users_by_id(world: World, alice: httpx.AsyncClient) -> None:
    pull = await open_pull(world)
    found = (await data(alice, NODES, ids=[pull["id"], pull["user"]]))["nodes"]
    assert found[0]["__typename"] == "PullRequest"
    assert found[0]["fullDatabaseId"] == str(pull["database_id"])
    assert (found[0]["number"], found[0]["state"]) == (1, "OPEN")
    assert found[0]["repository"]["nameWithOwner"] == "octo/hello"
    assert found[0]["url"] == "http://forge.test/octo/hello/pull/1"
    assert found[1]["login"] == "alice"


async def test_what_is_not_there_is_null(alice: httpx.AsyncClient) -> None:
    ids = ["", "PR_", "PR_kgAB", "U_!!", "U_kwAB", "R_kgAB", "U_" + "k" * 500, "PR_kwABzSBX", "Ü"]
    ids += [wire.node_id("U", 2**62), wire.node_id("PR", 1, 2**62), wire.node_id("U", 2**64 - 1)]
    assert (await data(alice, NODES, ids=ids))["nodes"] == [None] * len(ids)


async def test_what_may_not_be_seen_is_null_too(world: World, mallory: httpx.AsyncClient) -> None:
    pull = await open_pull(world)
    assert (await data(mallory, NODES, ids=[pull["id"]]))["nodes"] == [None]
    found = await ask(mallory, REPOSITORY, owner="octo", name="hello")
    assert found["data"] == {"repository": None}
    assert found["errors"][0]["type"] == "NOT_FOUND"
    wanted = "Could not resolve to a Repository with the name 'octo/hello'."
    assert found["errors"][0]["message"] == wanted


async def test_a_repository_as_clone_asks_for_it(bob: httpx.AsyncClient) -> None:
    found = (await data(bob, REPOSITORY, owner="OCTO", name="Hello"))["repository"]
    assert (found["name"], found["owner"], found["parent"]) == ("hello", {"login": "octo"}, None)
    assert found["viewerPermission"] == "READ"
    assert found["defaultBranchRef"] == {"name": "main"}


async def test_pull_requests_of_a_repository(world: World, alice: httpx.AsyncClient) -> None:
    pull = await open_pull(world)
    query = """query($states: [PullRequestState!]) { repository(owner: "octo", name: "hello") {
      pullRequest(number: 1) { fullDatabaseId url author { login } }
      pullRequests(headRefName: "fix", states: $states, first: 30,
        orderBy: { field: CREATED_AT, direction: DESC }) { nodes { number } } } }"""
    for states, numbers in ((None, [1]), (["OPEN", "MERGED"], [1]), (["CLOSED"], [])):
        found = (await data(alice, query, states=states))["repository"]
        assert [one["number"] for one in found["pullRequests"]["nodes"]] == numbers
    assert found["pullRequest"]["fullDatabaseId"] == str(pull["database_id"])
    assert found["pullRequest"]["author"] == {"login": "alice"}


async def test_a_fine_grained_token_needs_its_permissions(world: World) -> None:
    pull = await open_pull(world)
    token, _ = await world.administration.create_fine_grained_token(
        "alice", permissions={"agent_tasks": "read"}
    )
    world.tokens["narrow"] = token
    found = await ask(world.client("narrow"), NODES, ids=[pull["id"]])
    assert found["errors"][0]["type"] == "FORBIDDEN"
    assert "personal access token" in found["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (None, "A query attribute must be specified"),
        (7, "A query attribute must be specified"),
        ("", "Unexpected <EOF>"),
        ("{", "Expected Name"),
        ("{viewer{email}}", "Cannot query field 'email' on type 'User'"),
        ("mutation{addStar(input:{}){x}}", "mutation operation is not supported"),
        ("query A{viewer{login}} query B{viewer{login}}", "Must provide operation name"),
        ("query($ids:[ID!]!){nodes(ids:$ids){id}}", "invalid value"),
        ('{repository(owner:"a\\u0000",name:"b"){id}}', "NUL"),
        ('{repository(owner:"octo",name:"hello"){pullRequest(number:9){id}}}', "number of 9"),
        ('{repository(owner:"octo",name:"hello"){pullRequest(number:0){id}}}', "number of 0"),
        ('{repository(owner:"octo",name:"hello"){pullRequests(first:0){nodes{id}}}}', "`first`"),
        ("{" * 900, "Expected Name"),
        ("{viewer" * 600 + "{login}" + "}" * 600, "nested too deeply"),
        ("{viewer{" + "login " * 3000 + "}}", "tokens"),
        (
            "fragment d on Repository{pullRequest(number:1){repository{id}}}"
            + "".join(
                f"fragment {a} on Repository{{a:pullRequest(number:1){{repository{{...{b}}}}}"
                f"b:pullRequest(number:1){{repository{{...{b}}}}}}}"
                for a, b in ("zy", "yx", "xw", "wv", "vu", "ut", "ts", "sr", "rq", "qp", "pd")
            )
            + '{repository(owner:"octo",name:"hello"){...z}}',
            "too large or too deep",
        ),
    ],
)
async def test_what_cannot_be_answered_is_an_error_in_the_answer(
    alice: httpx.AsyncClient, query: object, said: str
) -> None:
    assert said in await message(alice, query)


async def test_more_ids_than_may_be_asked_for(alice: httpx.AsyncClient) -> None:
    assert "more than 100" in await message(alice, NODES, ids=["U_kgAB"] * 101)


async def test_wrong_variables(alice: httpx.AsyncClient) -> None:
    for wrong in ({"variables": [1]}, {"operationName": 5}):
        sent = {"query": "{viewer{login}}", **wrong}
        answer = await alice.post("/graphql", json=sent)
        assert answer.json()["errors"]


async def test_without_a_token(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.post("/graphql", json={"query": "{viewer{login}}"})).status_code == 401


async def test_wrong_json(alice: httpx.AsyncClient) -> None:
    assert (await alice.post("/graphql", content=b"{")).status_code == 400

"""What GitHub alone has, and what becomes of its limits and faults."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from journeyman import git as host_git
from journeyman.domain.discussions import Place, Reaction
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Permission
from journeyman.forge import CredentialRefused, ForgeError, NewPull, PullChange, PushRejected
from journeyman.forge.github.forge import Addresses, GitHubForge
from journeyman.forge.rest import client
from journeyman.git import GitError
from journeyman.git.faults import Fault as GitFault
from journeyman.git.faults import fault_of
from journeyman.workspace import remotes
from tests.contract.forge.worlds import OnGitHub, on_github
from tests.integration.forge.client import commit, git
from tests.peers.faulty import STALLED, Fault
from tests.peers.github.description import Description
from tests.peers.github.state import CheckRun, Comment, Issue, Pull

pytestmark = pytest.mark.npm

NEW = NewPull("Title", "Body", "topic", "main", assignee="alice")


def test_the_addresses_of_a_github_follow_from_its_own() -> None:
    public = Addresses.of("https://github.com")
    assert (public.api, public.graphql) == (
        "https://api.github.com",
        "https://api.github.com/graphql",
    )
    assert public.noreply == "users.noreply.github.com"
    resident = Addresses.of("https://octo.ghe.com")
    assert resident.api == "https://api.octo.ghe.com"
    server = Addresses.of("https://git.example:8443")
    assert server.api == "https://git.example:8443/api/v3"
    assert server.graphql == "https://git.example:8443/api/graphql"
    assert server.noreply == "users.noreply.git.example"


# --- Tokens ---------------------------------------------------------------------------------------


async def test_many_who_ask_at_once_are_one_question(github: OnGitHub) -> None:
    token = github.token("alice")
    found = await asyncio.gather(*(github.forge.identify(token) for _ in range(50)))
    assert {one.account.login for one in found} == {"alice"}
    assert len(github.server.asked("GET /api/v3/user$")) == 1


async def test_a_revoked_token_is_noticed_within_a_minute(
    tmp_path: Path, github_description: Description
) -> None:
    now = [100.0]
    async with on_github(tmp_path, github_description, clock=lambda: now[0]) as world:
        token = world.token("alice")
        await world.forge.identify(token)
        world.server.state.tokens[token].revoked = True
        now[0] += 59
        await world.forge.identify(token)
        now[0] += 2
        with pytest.raises(AppError, match=r"^Bad credentials$"):
            await world.forge.identify(token)
        world.server.state.tokens[token].revoked = False
        now[0] += 11
        assert (await world.forge.identify(token)).account.login == "alice"


async def test_a_suspended_account_is_told_so(github: OnGitHub) -> None:
    github.server.state.user("bob").suspended = True
    with pytest.raises(AppError, match="account was suspended") as caught:
        await github.forge.identify(github.token("bob"))
    assert caught.value.code is Code.FORBIDDEN


async def test_scopes_limit_what_a_classic_token_may_do(github: OnGitHub) -> None:
    token = github.server.state.add_token("alice", scopes=("read:user",))
    principal = await github.forge.identify(token)
    assert await github.forge.find_access(principal, "alice", "App") is None
    github.repository.private = False
    other = github.server.state.add_token("alice", scopes=("gist",))
    access = await github.forge.find_access(await github.forge.identify(other), "alice", "App")
    assert access is not None
    assert access.permission is Permission.READ


# --- Pull requests --------------------------------------------------------------------------------


async def test_the_requester_is_assigned_once(github: OnGitHub) -> None:
    actor = github.actor("alice")
    await github.forge.open_pull(actor, github.app, NEW)
    await github.forge.open_pull(actor, github.app, NEW)
    (pull,) = github.repository.pulls
    assert [one.login for one in pull.assignees] == ["alice"]
    assert len(github.server.asked("POST .*/assignees")) == 1


async def test_where_there_are_no_drafts_it_is_opened_without(github: OnGitHub) -> None:
    github.repository.drafts = False
    actor = github.actor("alice")
    pull = await github.forge.open_pull(actor, github.app, NEW)
    assert not pull.draft
    again = PullChange(body="More", draft=True)
    changed = await github.forge.update_pull(actor, github.app, pull.number, again)
    assert (changed.body, changed.draft) == ("More", False)


async def test_who_did_not_open_it_is_asked_for_a_review_once_it_is_ready(
    github: OnGitHub,
) -> None:
    github.repository.roles[github.account("bob").id] = "write"
    pull = await github.forge.open_pull(github.actor("alice"), github.app, NEW)
    ready = PullChange(draft=False)
    for _ in range(2):
        await github.forge.update_pull(github.actor("bob"), github.app, pull.number, ready)
    assert [one.login for one in github.repository.pulls[0].reviewers] == ["bob"]


async def test_a_fork_s_branch_of_the_same_name_is_another(github: OnGitHub) -> None:
    mallory = github.server.state.user("mallory")
    theirs = Pull(7, 1, mallory, "Theirs", "", "topic", "main", False, fork="mallory")
    github.repository.pulls.append(theirs)
    actor = github.actor("alice")
    assert await github.forge.find_pull(actor, github.app, "topic", "main") is None
    assert (await github.forge.discussion.pull_head(actor, github.app, 1)).from_fork
    assert (await github.forge.open_pull(actor, github.app, NEW)).number == 2


async def test_an_organization_s_single_sign_on_is_told(github: OnGitHub) -> None:
    principal = await github.forge.identify(github.token("alice"))
    said = "Resource protected by organization SAML enforcement."
    github.server.faults.append(Fault("GET .*/repos/alice/App$", 403, message=said))
    with pytest.raises(AppError, match="SAML enforcement") as caught:
        await github.forge.find_access(principal, "alice", "App")
    assert caught.value.code is Code.FORBIDDEN
    assert await github.forge.find_access(principal, "alice", "App")


async def test_nothing_is_written_where_nothing_changes(github: OnGitHub) -> None:
    actor = github.actor("alice")
    pull = await github.forge.open_pull(actor, github.app, NEW)
    same = PullChange("Title", "Body", draft=True)
    assert await github.forge.update_pull(actor, github.app, pull.number, same) == pull
    assert github.server.asked("PATCH|graphql") == []


async def test_what_is_too_long_is_cut(github: OnGitHub) -> None:
    long = NewPull("t" * 300, "b" * 70_000, "topic", "main")
    pull = await github.forge.open_pull(github.actor("alice"), github.app, long)
    assert len(pull.title) == 256
    assert len(pull.body) == 65_536
    assert pull.body.endswith("too long for GitHub._")


async def test_a_pull_request_whose_answer_was_lost_is_opened_once(github: OnGitHub) -> None:
    github.server.faults.append(Fault("POST .*/pulls$", 502, after=True))
    actor = github.actor("alice")
    with pytest.raises(ForgeError, match="502") as caught:
        await github.forge.open_pull(actor, github.app, NEW)
    assert not caught.value.permanent
    pull = await github.forge.open_pull(actor, github.app, NEW)
    assert [one.number for one in github.repository.pulls] == [pull.number]


# --- Limits and faults ----------------------------------------------------------------------------


async def test_changes_with_one_token_go_one_after_the_other(
    github: OnGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.repository.issues.append(Issue(1, github.server.state.user("alice"), "Title", ""))
    alice, bob, answer = github.actor("alice"), github.actor("bob"), github.server.answer
    running, most = 0, 0

    async def slowly(request: Request, path: str, body: bytes) -> Response:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.05)
        running -= 1
        return await answer(request, path, body)

    async def say(*by: Actor) -> int:
        nonlocal most
        most = 0
        said = (github.forge.discussion.comment(one, github.app, 1, "Hello") for one in by)
        await asyncio.gather(*said)
        return most

    monkeypatch.setattr(github.server, "answer", slowly)
    assert await say(alice, alice, alice) == 1
    assert await say(alice, bob) == 2


async def test_a_limit_that_ends_soon_is_waited_for(github: OnGitHub) -> None:
    told = {"retry-after": "1"}
    github.server.faults.append(
        Fault("POST .*/pulls$", 403, told, "You have exceeded a secondary rate limit")
    )
    began = time.monotonic()
    await github.forge.open_pull(github.actor("alice"), github.app, NEW)
    assert time.monotonic() - began >= 1
    assert len(github.repository.pulls) == 1


async def test_a_limit_that_lasts_is_told_and_nothing_more_is_asked(github: OnGitHub) -> None:
    reset = str(int(time.time()) + 1800)
    told = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    github.server.faults.append(Fault("git/ref", 403, told, "API rate limit exceeded"))
    actor = github.actor("alice")
    for _ in range(2):
        with pytest.raises(ForgeError, match=r"asks to wait 1[78]\d\d s") as caught:
            await github.forge.find_tip(actor, github.app, "main")
        assert not caught.value.permanent
    assert len(github.server.asked("git/ref")) == 1
    assert await github.forge.find_tip(github.actor("bob"), github.app, "main")


async def test_a_read_is_tried_again_after_a_moment(github: OnGitHub) -> None:
    github.server.faults += [Fault("git/ref", 502), Fault("git/ref", 0)]
    assert await github.forge.find_tip(github.actor("alice"), github.app, "main")


async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(github: OnGitHub) -> None:
    """What is read is asked for again; what may have been done is not, and is told."""
    actor, stalled = github.actor("alice"), github.server.faults
    stalled += [Fault("git/ref", STALLED), Fault("POST .*/pulls$", STALLED, after=True)]
    async with client() as http:
        http.timeout = httpx.Timeout(0.3)
        forge = GitHubForge(http, github.server.url)
        assert await forge.find_tip(actor, github.app, "main")
        with pytest.raises(ForgeError, match="GitHub has not answered in time") as caught:
            await forge.open_pull(actor, github.app, NEW)
        assert not caught.value.permanent
        assert len(github.server.asked("POST .*/pulls$")) == 1
        assert (await forge.open_pull(actor, github.app, NEW)).number == 1
    assert len(github.repository.pulls) == 1


async def test_a_server_that_is_not_there_is_said_to_be_so() -> None:
    async with client() as http:
        gone = GitHubForge(http, "http://127.0.0.1:1")
        with pytest.raises(ForgeError, match="cannot be reached") as caught:
            await gone.identify("ghp_" + "a" * 36)
    assert not caught.value.permanent


async def test_what_is_no_github_is_said_to_be_none(github: OnGitHub) -> None:
    github.server.faults.append(Fault("GET /api/v3/user$", 200, message="Welcome"))
    with pytest.raises(ForgeError, match=r"Is forge\.url right"):
        await github.forge.identify(github.token("alice"))


async def test_a_token_is_never_sent_on_to_another_place(github: OnGitHub) -> None:
    elsewhere = {"location": "http://127.0.0.1:1/steal"}
    github.server.faults.append(Fault("git/ref", 301, elsewhere))
    with pytest.raises(ForgeError, match="another place"):
        await github.forge.find_tip(github.actor("alice"), github.app, "main")


async def test_a_renamed_repository_goes_on_under_its_new_name(github: OnGitHub) -> None:
    github.server.state.rename(github.repository, github.server.state.user("bob"), "New")
    github.repository.roles[github.account("alice").id] = "write"
    actor = github.actor("alice")
    remote = await github.forge.remote(actor, github.app)
    assert remote.url.endswith("/bob/New.git")
    assert remote.writable
    assert await github.forge.find_tip(actor, github.app, "main")
    assert (await github.forge.open_pull(actor, github.app, NEW)).number == 1


async def test_another_repository_of_the_same_name_is_not_worked_on(github: OnGitHub) -> None:
    github.repository.name = "Away"
    github.server.state.add_repository("alice/App", github.source)
    with pytest.raises(AppError, match="Another repository is called alice/App"):
        await github.forge.remote(github.actor("alice"), github.app)
    with pytest.raises(ForgeError, match="another repository by now"):
        await github.forge.open_pull(github.actor("alice"), github.app, NEW)


async def test_an_archived_repository_is_read_and_not_written(github: OnGitHub) -> None:
    pull = await github.forge.open_pull(github.actor("alice"), github.app, NEW)
    github.repository.archived = True
    actor = github.actor("alice")
    assert not (await github.forge.remote(actor, github.app)).writable
    with pytest.raises(ForgeError, match="archived so is read-only") as caught:
        await github.forge.update_pull(actor, github.app, pull.number, PullChange(body="x"))
    assert caught.value.permanent


async def test_an_empty_repository_has_no_tips(github: OnGitHub) -> None:
    for branch in ("main", "topic"):
        git(github.repository.bare, "update-ref", "-d", f"refs/heads/{branch}")
    git(github.repository.bare, "tag", "-d", "v1")
    assert await github.forge.find_tip(github.actor("alice"), github.app, "main") is None


async def pushed(github: OnGitHub, login: str, branch: str) -> GitError | None:
    remote = await github.forge.remote(github.actor(login), github.app)
    commit(github.source, f"{branch}.txt", "1\n")
    try:
        await host_git.run(
            *("push", "-q", remote.url, f"HEAD:refs/heads/{branch}"),
            git_dir=github.source / ".git",
            protocols=remotes.protocol(remote),
            env=remote.env,
        )
    except GitError as error:
        return error
    return None


async def test_a_push_takes_the_token_from_git_s_environment(github: OnGitHub) -> None:
    assert await pushed(github, "alice", "new") is None
    assert github.repository.tip("new") == git(github.source, "rev-parse", "HEAD")


async def test_a_protected_branch_refuses_in_github_s_words(github: OnGitHub) -> None:
    github.repository.protected = ("main",)
    error = await pushed(github, "alice", "main")
    assert error is not None
    assert fault_of(error) is GitFault.REJECTED
    assert "GH006: Protected branch update failed" in str(remotes.refused(error))


async def test_who_may_only_read_is_refused_by_git_too(github: OnGitHub) -> None:
    error = await pushed(github, "bob", "new")
    assert error is not None
    explained = remotes.refused(error)
    assert isinstance(explained, PushRejected)
    assert explained.permanent
    assert "403" in str(explained)


async def test_a_revoked_token_is_told_wherever_it_is_used(github: OnGitHub) -> None:
    actor = github.actor("alice")
    remote = await github.forge.remote(actor, github.app)
    github.server.state.tokens[actor.secret or ""].revoked = True
    with pytest.raises(CredentialRefused, match="expired or was revoked"):
        await github.forge.find_tip(actor, github.app, "main")
    with pytest.raises(GitError) as caught:
        await host_git.run(
            *("ls-remote", remote.url), protocols=remotes.protocol(remote), env=remote.env
        )
    assert isinstance(remotes.explained(caught.value, "fetched from"), CredentialRefused)


# --- Discussions, checks, texts -------------------------------------------------------------------


async def test_issues_and_comments_are_read_with_their_authors(github: OnGitHub) -> None:
    bob, repository = github.server.state.user("bob"), github.repository
    repository.issues.append(Issue(1, bob, "Broken", "It is.", "COLLABORATOR", ("bug",), [bob]))
    repository.comments += [Comment(10 + n, 1, bob, f"{n}", "MEMBER") for n in range(150)]
    talk, actor = github.forge.discussion, github.actor("alice")
    issue = await talk.issue(actor, github.app, 1)
    assert (issue.title, issue.author.login, issue.association) == ("Broken", "bob", "COLLABORATOR")
    assert (issue.labels, [one.login for one in issue.assignees]) == (("bug",), ["bob"])
    assert (issue.is_open, issue.is_pull) == (True, False)
    comments = await talk.comments(actor, github.app, 1)
    assert [one.body for one in comments] == [str(n) for n in range(150)]
    assert comments[0].association == "MEMBER"
    with pytest.raises(AppError) as caught:
        await talk.issue(actor, github.app, 99)
    assert caught.value.code is Code.NOT_FOUND


async def test_a_pull_request_is_talked_about_by_line(github: OnGitHub) -> None:
    actor, talk = github.actor("alice"), github.forge.discussion
    pull = await github.forge.open_pull(actor, github.app, NEW)
    said = Comment(5, pull.number, github.server.state.user("bob"), "Why?", path="a.py", line=3)
    github.repository.review_comments.append(said)
    (comment,) = await talk.review_comments(actor, github.app, pull.number)
    assert (comment.path, comment.line, comment.body, comment.review_id) == ("a.py", 3, "Why?", 77)
    assert (await talk.issue(actor, github.app, pull.number)).is_pull
    head = await talk.pull_head(actor, github.app, pull.number)
    assert (head.id, head.head_ref, head.base_ref, head.from_fork) == (
        pull.id,
        "topic",
        "main",
        False,
    )


async def test_comments_and_reactions_are_made(github: OnGitHub) -> None:
    actor, talk = github.actor("alice"), github.forge.discussion
    pull = await github.forge.open_pull(actor, github.app, NEW)
    made = await talk.comment(actor, github.app, pull.number, "On it.")
    assert (made.body, made.author.login) == ("On it.", "alice")
    for _ in range(2):
        await talk.react(actor, github.app, Place.COMMENT, made.id, Reaction.EYES)
    await talk.react(actor, github.app, Place.ISSUE, pull.number, Reaction.ROCKET)
    assert github.repository.reactions == [
        ("issues/comments", made.id, "eyes"),
        ("issues", pull.number, "rocket"),
    ]


async def test_what_somebody_else_may_do_is_told(github: OnGitHub) -> None:
    talk, actor = github.forge.discussion, github.actor("alice")
    expected = {"alice": Permission.ADMIN, "bob": Permission.READ, "mallory": Permission.NONE}
    for login, permission in {**expected, "nobody": Permission.NONE}.items():
        assert await talk.permission_of(actor, github.app, login) is permission


async def test_check_runs_are_read(github: OnGitHub) -> None:
    sha = github.repository.tip("main") or ""
    github.repository.check_runs.append(CheckRun(3, sha, "tests", "failure", "2 failed"))
    (run,) = await github.forge.checks.check_runs(github.actor("alice"), github.app, sha)
    assert (run.name, run.status, run.conclusion) == ("tests", "completed", "failure")
    assert run.summary == "2 failed"


async def test_files_of_a_directory_are_read_without_a_clone(github: OnGitHub) -> None:
    found = await github.forge.texts.below(github.actor("alice"), github.app, "main", "src")
    assert found == {"src/app.py": "print('hello')\n"}
    assert await github.forge.texts.below(github.actor("alice"), github.app, "main", "no") == {}


async def test_the_local_github_notices_what_github_would_not_take(github: OnGitHub) -> None:
    async with client() as http:
        url, headers = github.server.url, {"authorization": f"Bearer {github.token('alice')}"}
        pulls = f"{url}/api/v3/repos/alice/App/pulls"
        await http.get(f"{pulls}?colour=red", headers=headers)
        await http.post(f"{url}/api/v3/nothing", headers=headers)
        wrong = {"head": "topic", "base": "main", "title": 3, "shape": "round"}
        await http.post(pulls, headers=headers, json=wrong)
    found = "\n".join(github.server.problems)
    github.server.problems.clear()
    for sign in ("colour=red", "no such operation", "unknown field shape", "3 is not of type"):
        assert sign in found, found

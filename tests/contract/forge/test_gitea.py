"""What is Gitea's own: drafts by their title, pull requests found by branches, its errors, and what
it does when it is away, full or strange.
"""

from datetime import timedelta

import pytest

from journeyman import git as host_git
from journeyman.domain.discussions import Place, Reaction
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import AccountType, Permission, PullState
from journeyman.domain.triggers import Kind
from journeyman.forge import CredentialRefused, ForgeError, NewPull, PullChange
from journeyman.forge.rest import MOST_PAGES, Limited, Refused
from journeyman.workspace import remotes
from tests.contract.forge.worlds import OnGitea
from tests.integration.forge.client import git
from tests.peers.faulty import Fault
from tests.peers.github.state import CheckRun, Comment, Issue, IssueEvent, Pull, Review, now

pytestmark = pytest.mark.npm

NEW = NewPull("Title", "Body", "topic", "main", assignee="alice")


async def test_a_draft_has_a_prefix_that_nobody_here_sees(gitea: OnGitea) -> None:
    actor = gitea.actor("alice")
    made = await gitea.forge.open_pull(actor, gitea.app, NEW)
    (there,) = gitea.repository.pulls
    assert (there.title, made.title, made.draft) == ("WIP: Title", "Title", True)
    assert [one.login for one in there.assignees] == ["alice"]

    async def change(change: PullChange) -> str:
        await gitea.forge.update_pull(actor, gitea.app, made.number, change)
        return there.title

    assert await change(PullChange(body="B")) == "WIP: Title"
    assert await change(PullChange(title="Other")) == "WIP: Other"
    assert await change(PullChange(title="Draft: Third", draft=False)) == "Third"
    assert await change(PullChange(draft=True)) == "WIP: Third"
    there.title = "[wip] draft: by hand"
    found = await gitea.forge.find_pull(actor, gitea.app, "topic", "main")
    assert found is not None
    assert (found.title, found.draft) == ("by hand", True)
    assert await change(PullChange(draft=False)) == "by hand"


async def test_what_is_so_already_is_not_written_again(gitea: OnGitea) -> None:
    actor = gitea.actor("alice")
    made = await gitea.forge.open_pull(actor, gitea.app, NEW)
    same = PullChange(title="Title", body="Body", draft=True)
    await gitea.forge.update_pull(actor, gitea.app, made.number, same)
    assert not gitea.server.asked("PATCH")


async def test_one_who_did_not_open_it_is_asked_for_review(gitea: OnGitea) -> None:
    gitea.repository.roles[gitea.account("bob").id] = "write"
    made = await gitea.forge.open_pull(gitea.actor("alice"), gitea.app, NEW)
    ready = PullChange(draft=False)
    await gitea.forge.update_pull(gitea.actor("bob"), gitea.app, made.number, ready)
    assert [one.login for one in gitea.repository.pulls[0].reviewers] == ["bob"]


async def test_who_cannot_be_assigned_is_left_out(gitea: OnGitea) -> None:
    new = NewPull("Title", "Body", "topic", "main", assignee="mallory")
    made = await gitea.forge.open_pull(gitea.actor("alice"), gitea.app, new)
    assert made.state is PullState.OPEN
    assert gitea.repository.pulls[0].assignees == []


async def test_the_open_one_is_found_behind_those_that_were_closed(gitea: OnGitea) -> None:
    """On the second page of the open ones: the server gives three at a time."""
    actor = gitea.actor("alice")
    first = await gitea.forge.open_pull(actor, gitea.app, NEW)
    gitea.repository.pulls[0].state = "closed"
    assert await gitea.forge.was_closed(actor, gitea.app, first.number)
    assert await gitea.forge.find_pull(actor, gitea.app, "topic", "main") is None
    second = await gitea.forge.open_pull(actor, gitea.app, NEW)
    assert second.number != first.number
    user = gitea.server.state.user("alice")
    for number in range(10, 14):
        other = Pull(number, number, user, "T", "", f"other{number}", "main", False)
        gitea.repository.pulls.append(other)
    assert await gitea.forge.open_pull(actor, gitea.app, NEW) == second


async def test_a_merged_one_was_not_closed(gitea: OnGitea) -> None:
    actor = gitea.actor("alice")
    made = await gitea.forge.open_pull(actor, gitea.app, NEW)
    gitea.repository.pulls[0].state, gitea.repository.pulls[0].merged = "closed", True
    assert not await gitea.forge.was_closed(actor, gitea.app, made.number)
    changed = await gitea.forge.update_pull(actor, gitea.app, made.number, PullChange(body="x"))
    assert changed.state is PullState.MERGED
    assert changed.end is not None
    assert changed.end.merge_sha == gitea.repository.tip("main")


async def test_one_that_somebody_opened_meanwhile_is_taken(gitea: OnGitea) -> None:
    """Also when the answer that it was opened is lost: what is asked for again is found."""
    actor = gitea.actor("alice")
    gitea.server.faults = [Fault("POST .*/pulls$", 502, after=True)]
    with pytest.raises(Refused) as caught:
        await gitea.forge.open_pull(actor, gitea.app, NEW)
    assert not caught.value.permanent
    gitea.server.faults = [Fault("GET .*/pulls/main/topic", 404)]
    found = await gitea.forge.open_pull(actor, gitea.app, NEW)
    assert len(gitea.repository.pulls) == 1
    assert found.number == gitea.repository.pulls[0].number


async def test_an_archived_repository_says_so(gitea: OnGitea) -> None:
    gitea.repository.archived = True
    principal = await gitea.forge.identify(gitea.token("alice"))
    access = await gitea.forge.find_access(principal, "alice", "App")
    assert access is not None
    assert (access.repository.archived, access.is_writable) == (True, False)
    assert not (await gitea.forge.remote(gitea.actor("alice"), gitea.app)).writable
    with pytest.raises(Refused, match=r"refused \(423\): Repo is archived"):
        await gitea.forge.open_pull(gitea.actor("alice"), gitea.app, NEW)


async def test_a_renamed_repository_is_found_and_worked_on(gitea: OnGitea) -> None:
    state = gitea.server.state
    state.rename(gitea.repository, state.user("bob"), "New")
    gitea.repository.roles[gitea.account("alice").id] = "write"
    principal = await gitea.forge.identify(gitea.token("alice"))
    found = await gitea.forge.find_access(principal, "alice", "App")
    assert found is not None
    assert found.repository.full_name == "bob/New"
    actor = gitea.actor("alice")
    assert (await gitea.forge.remote(actor, gitea.app)).url.endswith("/bob/New.git")
    made = await gitea.forge.open_pull(actor, gitea.app, NEW)
    await gitea.forge.update_pull(actor, gitea.app, made.number, PullChange(draft=False))
    assert gitea.repository.pulls[0].title == "Title"


async def test_another_repository_under_the_name_is_not_worked_on(gitea: OnGitea) -> None:
    gitea.repository.name = "Old"
    gitea.server.state.add_repository("alice/App", gitea.source)
    with pytest.raises(AppError, match="Another repository is called alice/App") as caught:
        await gitea.forge.remote(gitea.actor("alice"), gitea.app)
    assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(ForgeError, match="another repository by now"):
        await gitea.forge.open_pull(gitea.actor("alice"), gitea.app, NEW)


async def test_a_protected_branch_refuses_a_push_in_its_own_words(gitea: OnGitea) -> None:
    gitea.repository.protected = ("new",)
    remote = await gitea.forge.remote(gitea.actor("alice"), gitea.app)
    tip = git(gitea.source, "rev-parse", "main")
    with pytest.raises(host_git.GitError) as caught:
        await host_git.run(
            *("push", "--porcelain", remote.url, f"{tip}:refs/heads/new"),
            git_dir=gitea.source / ".git",
            protocols=remotes.protocol(remote),
            env=remote.env,
        )
    refused = remotes.explained(caught.value, "pushed to")
    assert refused.permanent
    assert "Not allowed to push to protected branch refs/heads/new" in str(refused)
    assert all(secret not in caught.value.output for secret in gitea.server.state.tokens)


async def test_a_token_without_the_scope_is_told_which_it_needs(gitea: OnGitea) -> None:
    said = "token does not have at least one of required scope(s): [read:user]"
    gitea.server.faults = [Fault("GET /api/v1/user", 403, message=said)]
    with pytest.raises(AppError, match=r"required scope\(s\): \[read:user\]") as caught:
        await gitea.forge.identify(gitea.token("alice"))
    assert caught.value.code is Code.FORBIDDEN


async def test_who_asks_is_looked_up_once_a_minute(gitea: OnGitea) -> None:
    token = gitea.token("alice")
    for _ in range(3):
        principal = await gitea.forge.identify(token)
        await gitea.forge.find_access(principal, "alice", "App")
    assert len(gitea.server.asked("GET /api/v1/user")) == 1
    assert len(gitea.server.asked("GET /api/v1/repos/alice/App$")) == 1
    assert all(one.authorization == f"token {token}" for one in gitea.server.seen)
    assert principal.account.type is AccountType.USER


async def test_a_token_that_is_revoked_meanwhile_says_so(gitea: OnGitea) -> None:
    actor = gitea.actor("alice")
    assert actor.secret is not None
    gitea.server.state.tokens[actor.secret].revoked = True
    with pytest.raises(CredentialRefused, match="has expired or was revoked"):
        await gitea.forge.find_tip(actor, gitea.app, "main")
    with pytest.raises(CredentialRefused, match="no token of alice"):
        await gitea.forge.find_tip(Actor(actor.account), gitea.app, "main")


async def test_trouble_that_passes_is_waited_for(gitea: OnGitea) -> None:
    tip = git(gitea.source, "rev-parse", "main")
    for fault in (
        Fault("branches", 503),
        Fault("branches", 0),
        Fault("branches", 429, headers={"retry-after": "0"}),
    ):
        gitea.server.faults = [fault]
        assert await gitea.forge.find_tip(gitea.actor("alice"), gitea.app, "main") == tip
        assert fault.times == 0


async def test_a_long_limit_and_a_strange_answer_are_told(gitea: OnGitea) -> None:
    gitea.server.faults = [Fault("branches", 429, headers={"retry-after": "600"})]
    with pytest.raises(Limited, match="asks to wait 600 s"):
        await gitea.forge.find_tip(gitea.actor("alice"), gitea.app, "main")
    gitea.server.faults = [Fault("branches", 200)]
    with pytest.raises(ForgeError, match=r"Is forge\.url right\?"):
        await gitea.forge.find_tip(gitea.actor("alice"), gitea.app, "main")
    gitea.server.faults = [Fault("branches", 302, headers={"location": "https://else.test/"})]
    with pytest.raises(ForgeError, match="sends on to another place"):
        await gitea.forge.find_tip(gitea.actor("alice"), gitea.app, "main")


async def test_an_issue_and_what_is_said_on_it(gitea: OnGitea) -> None:
    state, actor, talk = gitea.server.state, gitea.actor("alice"), gitea.forge.discussion
    bob = state.user("bob")
    issue = Issue(1, bob, "Broken", "It is", labels=("bug",), assignees=[state.user("alice")])
    gitea.repository.issues.append(issue)
    found = await talk.issue(actor, gitea.app, 1)
    assert (found.title, found.body, found.labels) == ("Broken", "It is", ("bug",))
    assert (found.author.login, found.assignees[0].login) == ("bob", "alice")
    assert (found.is_open, found.is_pull) == (True, False)
    said = await talk.comment(actor, gitea.app, 1, "Looking")
    assert [one.body for one in await talk.comments(actor, gitea.app, 1)] == ["Looking"]
    for _ in range(2):
        await talk.react(actor, gitea.app, Place.ISSUE, 1, Reaction.EYES)
        await talk.react(actor, gitea.app, Place.COMMENT, said.id, Reaction.PLUS_ONE)
    assert gitea.repository.reactions == [("issue", 1, "eyes"), ("comment", said.id, "+1")]
    for missing in (
        talk.issue(actor, gitea.app, 9),
        talk.comments(actor, gitea.app, 9),
        talk.review_comments(actor, gitea.app, 9),
        talk.react(actor, gitea.app, Place.COMMENT, 9, Reaction.EYES),
    ):
        with pytest.raises(AppError) as caught:
            await missing
        assert caught.value.code is Code.NOT_FOUND


async def test_comments_on_lines_of_all_reviews(gitea: OnGitea) -> None:
    actor, talk = gitea.actor("alice"), gitea.forge.discussion
    made = await gitea.forge.open_pull(actor, gitea.app, NEW)
    bob = gitea.server.state.user("bob")
    for id in range(105, 100, -1):  # more than the server gives on a page
        line = id if id % 2 else None
        comment = Comment(id, made.number, bob, f"#{id}", path="README.md", line=line)
        gitea.repository.review_comments.append(comment)
    found = await talk.review_comments(actor, gitea.app, made.number)
    assert [one.id for one in found] == [101, 102, 103, 104, 105]
    assert (found[0].path, found[0].line, found[1].line) == ("README.md", 101, None)
    assert (await talk.issue(actor, gitea.app, made.number)).is_pull
    await talk.react(actor, gitea.app, Place.REVIEW_COMMENT, 101, Reaction.ROCKET)
    assert gitea.repository.reactions == [("review_comment", 101, "rocket")]


async def test_what_others_may_do(gitea: OnGitea) -> None:
    gitea.server.state.add_user("eve")
    gitea.repository.roles[gitea.account("mallory").id] = "write"
    granted = {
        login: await gitea.forge.discussion.permission_of(gitea.actor("alice"), gitea.app, login)
        for login in ("alice", "bob", "mallory", "eve", "nobody")
    }
    assert granted == {
        "alice": Permission.ADMIN,
        "bob": Permission.READ,
        "mallory": Permission.WRITE,
        "eve": Permission.NONE,
        "nobody": Permission.NONE,
    }


async def test_commit_statuses_are_check_runs(gitea: OnGitea) -> None:
    tip = git(gitea.source, "rev-parse", "main")
    results = ("success", "failure", "neutral", "skipped", None)
    gitea.repository.check_runs = [
        CheckRun(id, tip, f"ci {result}", result, "what it says")
        for id, result in enumerate(results, 1)
    ]
    runs = await gitea.forge.checks.check_runs(gitea.actor("alice"), gitea.app, tip)
    assert [(one.name, one.conclusion) for one in runs] == [(f"ci {r}", r) for r in results]
    assert {one.status for one in runs[:-1]} == {"completed"}
    assert (runs[-1].status, runs[0].title) == ("in_progress", "what it says")


async def test_a_draft_that_may_merge_is_not_taken_for_one_with_conflicts(gitea: OnGitea) -> None:
    actor, talk = gitea.actor("alice"), gitea.forge.discussion
    made = await gitea.forge.open_pull(actor, gitea.app, NEW)
    (there,) = gitea.repository.pulls
    assert (await talk.pull_head(actor, gitea.app, made.number)).is_mergeable is None
    there.title = "Ready"
    assert (await talk.pull_head(actor, gitea.app, made.number)).is_mergeable is True
    there.mergeable = False
    assert (await talk.pull_head(actor, gitea.app, made.number)).is_mergeable is False


async def test_what_has_happened_since_is_found_by_asking(gitea: OnGitea) -> None:
    state, known, actor = gitea.server.state, gitea.repository, gitea.actor("alice")
    bob, old = state.user("bob"), now() - timedelta(hours=1)
    issue = Issue(1, bob, "Broken", "@helper go")
    before = Issue(2, bob, "Old", "@helper go", created_at=old)
    pull = Pull(3, 3, bob, "A change", "", "topic", "main", False, created_at=old)
    known.issues += [issue, before]
    known.pulls.append(pull)
    told, cursor = await gitea.forge.news.news(actor, gitea.app, None)
    assert told == []
    for id, of in ((11, issue), (12, before), (13, pull), (14, issue), (15, issue)):
        known.comments.append(Comment(id, of.number, bob, f"said {id}"))
    known.comments.append(Comment(10, 2, bob, "long ago", created_at=old))
    known.events += [
        IssueEvent(id, of, bob, event, given)
        for id, of, event, given in (
            (21, before, "assigned", "helper"),
            (22, before, "unassigned", "helper"),
            (23, before, "labeled", "agent"),
            (24, before, "unlabeled", "agent"),
        )
    ]
    known.reviews.append(Review(31, 3, bob, "Not yet.", "CHANGES_REQUESTED"))
    known.review_comments.append(Comment(32, 3, bob, "Why?", path="a", line=1, review_id=31))
    told, cursor = await gitea.forge.news.news(actor, gitea.app, cursor)
    assert {(one.kind, one.number, one.id or one.names or one.review_id) for one in told} == {
        (Kind.ISSUE, 1, None),
        *((Kind.COMMENT, n, id) for n, id in ((1, 11), (2, 12), (3, 13), (1, 14), (1, 15))),
        (Kind.ASSIGNED, 2, ("helper",)),
        (Kind.LABELED, 2, ("agent",)),
        (Kind.REVIEW, 3, 31),
        (Kind.REVIEW_COMMENT, 3, 32),
    }
    assert len(told) == 10
    review = next(one for one in told if one.kind is Kind.REVIEW)
    assert (review.wants_changes, review.body, review.by and review.by.id) == (
        True,
        "Not yet.",
        bob.id,
    )
    again, _ = await gitea.forge.news.news(actor, gitea.app, cursor)
    assert {one.key for one in again} <= {one.key for one in told}


async def test_comments_on_lines_hide_nothing_that_comes_after_them(gitea: OnGitea) -> None:
    known, actor, news = gitea.repository, gitea.actor("alice"), gitea.forge.news
    bob, (_, cursor) = gitea.server.state.user("bob"), await news.news(actor, gitea.app, None)
    known.pulls.append(Pull(3, 3, bob, "A change", "", "topic", "main", False))
    for id in range(40, 50):  # more than a page
        line = Comment(id, 3, bob, "Why?", path="a", line=1, review_id=31)
        known.review_comments.append(line)
    known.reviews.append(Review(31, 3, bob, "Not yet.", "CHANGES_REQUESTED"))
    known.comments.append(Comment(13, 3, bob, "said"))
    told, _ = await news.news(actor, gitea.app, cursor)
    assert {Kind.REVIEW, Kind.COMMENT} < {one.kind for one in told}


async def test_a_review_is_told_that_was_begun_before_and_none_that_is_old(gitea: OnGitea) -> None:
    known, actor, news = gitea.repository, gitea.actor("alice"), gitea.forge.news
    bob, (_, cursor) = gitea.server.state.user("bob"), await news.news(actor, gitea.app, None)
    known.pulls.append(Pull(3, 3, bob, "A change", "", "topic", "main", False))
    at = now()
    for id, state, begun, submitted in (
        (31, "CHANGES_REQUESTED", at - timedelta(hours=3), at),
        (32, "CHANGES_REQUESTED", at - timedelta(hours=2), None),
        (33, "PENDING", at, at),
    ):
        known.reviews.append(Review(id, 3, bob, "Not yet.", state, begun, submitted))
    told, _ = await news.news(actor, gitea.app, cursor)
    assert [one.review_id for one in told if one.kind is Kind.REVIEW] == [31]


async def test_more_issues_than_one_question_reads_are_asked_for_in_the_next(
    gitea: OnGitea,
) -> None:
    known, actor, news = gitea.repository, gitea.actor("alice"), gitea.forge.news
    bob, (_, cursor) = gitea.server.state.user("bob"), await news.news(actor, gitea.app, None)
    count = 3 * MOST_PAGES + 8
    known.issues += [Issue(number, bob, "Broken", "") for number in range(1, count + 1)]
    told, cursor = await news.news(actor, gitea.app, cursor)
    first = {one.number or 0 for one in told}
    assert len(first) == 3 * MOST_PAGES
    known.issues.remove(next(one for one in known.issues if one.number == max(first)))
    known.comments.append(Comment(900, min(first), bob, "said meanwhile"))
    known.comments[-1].created_at = now() + timedelta(seconds=5)
    told, cursor = await news.news(actor, gitea.app, cursor)
    rest = {one.number for one in told if one.kind is Kind.ISSUE}
    assert first | rest == set(range(1, count + 1))
    told, cursor = await news.news(actor, gitea.app, cursor)
    assert 900 in {one.id for one in told}, "what has changed while the others were read"


async def test_a_review_that_is_gone_hides_nothing_else(gitea: OnGitea) -> None:
    known, actor, news = gitea.repository, gitea.actor("alice"), gitea.forge.news
    bob, (_, cursor) = gitea.server.state.user("bob"), await news.news(actor, gitea.app, None)
    known.pulls.append(Pull(3, 3, bob, "A change", "", "topic", "main", False))
    known.reviews.append(Review(31, 3, bob, "Not yet.", "CHANGES_REQUESTED"))
    known.review_comments.append(Comment(32, 3, bob, "Why?", path="a", line=1, review_id=31))
    known.comments.append(Comment(13, 3, bob, "said"))
    gitea.server.faults = [Fault("GET .*/reviews/31/comments$", 404)]
    told, _ = await news.news(actor, gitea.app, cursor)
    assert [one.kind for one in told if one.id or one.review_id] == [Kind.COMMENT]
    gitea.server.faults = [Fault("GET .*/issues$", 404)]
    with pytest.raises(AppError, match=r"alice/App has no issues to ask about\."):
        await news.news(actor, gitea.app, cursor)


async def test_the_local_gitea_notices_what_gitea_would_not_take(gitea: OnGitea) -> None:
    held = gitea.server.description
    place = "/repos/alice/App/pulls"
    assert held.faults_of_request("GET", "/repos/alice/App/pulled", "", b"")
    assert held.faults_of_request("GET", place, "draft=1", b"")
    assert held.faults_of_request("POST", place, "", b'{"title": "T", "draft": true}')
    assert held.faults_of_request("POST", place, "", b'{"title": 1}')
    assert not held.faults_of_request("POST", place, "", b'{"title": "T", "head": "topic"}')
    assert held.faults_of_answer("GET", place, 200, b'[{"number": "1"}]')
    assert held.faults_of_answer("GET", place, 200, b'[{"node_id": "1"}]')
    assert not held.faults_of_answer("GET", place, 200, b'[{"number": 1}]')


async def test_the_files_of_a_directory(gitea: OnGitea) -> None:
    texts, actor = gitea.forge.texts, gitea.actor("alice")
    found = await texts.below(actor, gitea.app, "refs/heads/main", "src")
    assert found == {"src/app.py": "print('hello')\n"}
    assert await texts.below(actor, gitea.app, "refs/heads/main", "nothing") == {}
    assert await texts.below(actor, gitea.app, "refs/heads/nothing", "src") == {}

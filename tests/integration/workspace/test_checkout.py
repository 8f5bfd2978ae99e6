"""Git inside a real sandbox: check out, keep, bring back, commit."""

from dataclasses import replace

import pytest

from journeyman.sandbox import Sandbox
from journeyman.workspace import FileChange, WorkspaceError, checkout
from journeyman.workspace.checkout import changes, commit_all, restore, snapshot
from tests.integration.workspace.conftest import (
    CLONE_URL,
    HEAD,
    TRAILERS,
    Project,
    Start,
    prepared,
    sh,
)

pytestmark = pytest.mark.sandbox

EVERYTHING = (
    "find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; "
    "find . -type l -printf '%p %l\\n' | sort"
)


async def test_a_checkout_is_the_base_on_its_own_branch(box: Sandbox, project: Project) -> None:
    assert await sh(box, "git rev-parse HEAD") == project.base
    assert await sh(box, "git symbolic-ref --short HEAD") == HEAD
    assert await sh(box, "git status --porcelain") == ""
    assert await sh(box, "git remote get-url origin") == CLONE_URL
    assert await sh(box, "git rev-parse origin/topic") == project.tip("topic")
    assert await sh(box, "git config user.email") == "agent@journeyman.invalid"
    assert await sh(box, "cat src/app.py") == "print('hello')"


async def test_a_second_checkout_leaves_the_work_alone(box: Sandbox, project: Project) -> None:
    await sh(box, "echo new > new; echo more >> README.md; git switch -qc other")
    before = await sh(box, f"git status --porcelain --branch; {EVERYTHING}")
    await prepared(box, project)
    assert await sh(box, f"git status --porcelain --branch; {EVERYTHING}") == before


@pytest.mark.parametrize(
    "harm",
    ["rm -rf .git", "rm .git/HEAD", "rm -rf .git; ln -s /etc .git", "rm -rf .git; echo x > .git"],
)
async def test_a_checkout_mends_a_lost_git_directory_and_keeps_the_files(
    box: Sandbox, project: Project, harm: str
) -> None:
    await sh(box, f"echo new > new; echo more >> README.md; {harm}")
    with pytest.raises(WorkspaceError):
        await snapshot(box, base_sha=project.base)
    await prepared(box, project)
    assert await sh(box, "git rev-parse HEAD") == project.base
    assert await sh(box, "git status --porcelain") == "M README.md\n?? new"
    kept = await snapshot(box, base_sha=project.base)
    assert kept
    assert kept.changed_files == 2


async def test_an_interrupted_checkout_is_finished(box: Sandbox, project: Project) -> None:
    await sh(box, "rm .git/journeyman-ready README.md; touch .git/index.lock .git/HEAD.lock")
    await prepared(box, project)
    assert await sh(box, "git status --porcelain") == ""
    await sh(box, "rm -rf .git src README.md; mkdir -p .git.partial/.git")
    await prepared(box, project)
    assert await sh(box, "git status --porcelain") == ""


async def test_an_unknown_base_is_said(box: Sandbox, start: Start) -> None:
    other = await start("other")
    with pytest.raises(WorkspaceError, match="checkout"):
        await checkout.checkout(other, base_sha="0" * 39 + "1", head_ref="x", clone_url=CLONE_URL)


async def test_every_commit_of_the_agent_gets_the_trailers_once(box: Sandbox) -> None:
    await sh(box, "echo 1 > one; git add .; git commit -qm 'Add one'")
    await sh(box, "git commit -q --amend -m 'Add the one'; git commit -q --amend --no-edit")
    message = await sh(box, "git log -1 --format=%B")
    assert message == "Add the one\n\n" + "\n".join(TRAILERS)
    author = await sh(box, "git log -1 --format='%an <%ae>|%cn'")
    assert author == "Journeyman <agent@journeyman.invalid>|Journeyman"


async def test_a_commit_without_a_message_stays_refused(box: Sandbox) -> None:
    ended = await box.exec("echo 1 > one; git add .; git commit -q", timeout_seconds=20)
    assert ended.exit_code != 0
    assert b"empty commit message" in ended.output


async def test_a_repository_with_hooks_of_its_own_keeps_them(
    box: Sandbox, project: Project
) -> None:
    await sh(
        box, "mkdir hooks; printf '#!/bin/sh\\ntouch ran' > hooks/pre-commit; chmod +x hooks/*"
    )
    await sh(box, "git config core.hooksPath hooks; git add hooks; git commit -qm Hooks")
    await prepared(box, project)
    assert await sh(box, "git config core.hooksPath; ls ran") == "hooks\nran"


async def test_nothing_to_keep_is_none(box: Sandbox, project: Project) -> None:
    assert await snapshot(box, base_sha=project.base) is None


async def test_a_snapshot_holds_commits_changes_and_new_files_and_changes_nothing(
    box: Sandbox, project: Project
) -> None:
    await sh(box, "echo '*.log' > .gitignore; git add .; git commit -qm Ignore; touch x.log")
    await sh(box, "echo new > new; rm README.md; chmod +x src/app.py; ln -s new link; git add new")
    before = await sh(box, f"git status --porcelain; {EVERYTHING}; git reflog | wc -l")
    kept = await snapshot(box, base_sha=project.base)
    assert kept
    assert kept.bundle
    assert kept.changed_files == 5
    assert kept.head_sha == await sh(box, "git rev-parse HEAD") != kept.sha
    assert await sh(box, f"git status --porcelain; {EVERYTHING}; git reflog | wc -l") == before
    assert await snapshot(box, base_sha=project.base, last=kept) is None
    await sh(box, "touch y.log; git reset -q")
    assert await snapshot(box, base_sha=project.base, last=replace(kept, bundle=None)) is None


async def test_a_snapshot_follows_each_change(box: Sandbox, project: Project) -> None:
    await sh(box, "echo 1 > new")
    first = await snapshot(box, base_sha=project.base)
    assert first
    await sh(box, "git add new; git commit -qm New")
    second = await snapshot(box, base_sha=project.base, last=first)
    assert second
    assert second.tree == first.tree
    assert second.sha == second.head_sha != first.sha
    await sh(box, f"git reset -q --hard {project.base}")
    third = await snapshot(box, base_sha=project.base, last=second)
    assert third
    assert (third.sha, third.bundle, third.changed_files) == (project.base, None, 0)


async def test_a_snapshot_is_quick(box: Sandbox, project: Project) -> None:
    await sh(box, "for i in $(seq 2000); do mkdir -p d$((i % 50)); echo $i > d$((i % 50))/$i; done")
    kept = await snapshot(box, base_sha=project.base)
    assert kept
    assert kept.changed_files == 2000


async def test_a_bundle_over_the_limit_is_said(box: Sandbox, project: Project) -> None:
    await sh(box, "head -c 3000000 /dev/urandom > big")
    with pytest.raises(WorkspaceError, match=r"more than 1 MiB in git\. Keep large files out"):
        await snapshot(box, base_sha=project.base, limit_bytes=1 << 20)


async def test_what_git_cannot_add_does_not_lose_the_rest(box: Sandbox, project: Project) -> None:
    await sh(box, "git init -q nested; echo 1 > nested/file; mkfifo pipe; echo 2 > good")
    await sh(box, "echo x > closed; chmod 000 closed")
    kept = await snapshot(box, base_sha=project.base)
    assert kept
    assert "good" in await sh(box, f"git ls-tree -r --name-only {kept.sha}")


@pytest.mark.parametrize("name", ["session", "another"])
async def test_a_workspace_comes_back_here_and_elsewhere(
    box: Sandbox, project: Project, start: Start, name: str
) -> None:
    await sh(box, "echo '*.log' > .gitignore; git add .; git commit -qm Ignore; echo 1 > a.log")
    await sh(box, "mkdir d; echo new > 'd/n w'; rm README.md; echo 2 >> src/app.py; ln -s d link")
    kept = await snapshot(box, base_sha=project.base)
    assert kept
    files = await sh(box, f"git ls-files -o -c --exclude-standard | sort; {EVERYTHING}")
    status = await sh(box, "git status --porcelain")
    if name == "session":
        await sh(
            box,
            "git switch -qc elsewhere; git add .; git commit -qm More; rm -r d; mkdir README.md",
        )
        await sh(
            box, "echo x > README.md/x; git init -q extra; echo x > extra/x; echo junk > src/app.py"
        )
        await sh(box, "touch .git/index.lock; (git merge -q --no-ff topic || true) 2>&1")
    else:
        box = await prepared(await start(name), project)
        await sh(box, "echo 1 > a.log")
    await restore(box, kept, head_ref=HEAD)
    assert await sh(box, f"git ls-files -o -c --exclude-standard | sort; {EVERYTHING}") == files
    assert await sh(box, "git status --porcelain") == status
    assert (
        await sh(box, "git rev-parse HEAD; git symbolic-ref --short HEAD")
        == f"{kept.head_sha}\n{HEAD}"
    )
    assert await snapshot(box, base_sha=project.base, last=kept) is None


async def test_a_snapshot_without_commits_comes_back_too(box: Sandbox, project: Project) -> None:
    await sh(box, "echo 1 > new; git add .; git commit -qm New")
    committed = await snapshot(box, base_sha=project.base)
    await sh(box, f"git reset -q --hard {project.base}")
    kept = await snapshot(box, base_sha=project.base, last=committed)
    assert kept
    await sh(box, "echo 2 > other; echo >> README.md")
    await restore(box, kept, head_ref=HEAD)
    assert await sh(box, "git status --porcelain; git rev-parse HEAD") == project.base


async def test_all_that_is_uncommitted_is_committed(box: Sandbox) -> None:
    assert await commit_all(box, "Nothing") is None
    await sh(box, "echo 1 > new; rm README.md; touch .git/index.lock")
    await sh(
        box, "printf '#!/bin/sh\\nexit 1' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit"
    )
    sha = await commit_all(box, "Änderung\n\nWhy.", trailers=TRAILERS)
    assert sha == await sh(box, "git rev-parse HEAD")
    assert await sh(box, "git status --porcelain") == ""
    message = await sh(box, "git log -1 --format=%B")
    assert message == "Änderung\n\nWhy.\n\n" + "\n".join(TRAILERS)


async def test_changes_are_counted_and_listed(box: Sandbox, project: Project) -> None:
    nothing = await changes(box, project.base)
    assert (nothing.files, nothing.commits) == (0, ())
    await sh(box, "printf 'a\\nb\\n' > new; git add .; git commit -qm 'First one'")
    await sh(box, "rm README.md; git add .; git commit -qm 'Second'")
    told = await changes(box, project.base)
    assert (told.files, told.insertions, told.deletions) == (2, 2, 1)
    assert [commit.subject for commit in told.commits] == ["Second", "First one"]
    assert told.commits[0].sha == await sh(box, "git rev-parse HEAD")


async def test_a_look_that_git_cannot_finish_is_not_taken_for_nothing_new(
    box: Sandbox, project: Project
) -> None:
    await sh(box, "echo 1 > one")
    kept = await snapshot(box, base_sha=project.base)
    assert kept is not None
    assert await snapshot(box, base_sha=project.base, last=kept) is None
    await sh(box, "echo 2 > two; echo broken > .git/journeyman-index")
    assert await snapshot(box, base_sha=project.base, last=kept) is not None


async def test_a_branch_whose_ref_is_packed_is_looked_at_all_the_same(
    box: Sandbox, project: Project
) -> None:
    await sh(box, "echo 1 > one; git add .; git commit -qm One")
    kept = await snapshot(box, base_sha=project.base)
    await sh(box, "git pack-refs --all")
    assert await snapshot(box, base_sha=project.base, last=kept) is None
    await sh(box, "echo 2 > two")
    assert await snapshot(box, base_sha=project.base, last=kept) is not None


async def test_changed_files_are_told_before_and_after(box: Sandbox, project: Project) -> None:
    evil = "git config diff.external /bin/false; echo '* diff=x filter=x' > .gitattributes"
    await sh(
        box,
        f"{evil}; mkdir -p 'a b/requirements'; echo one > go.sum; printf '%090d' 1 > 'a b/go.sum'; "
        "head -c 200 /dev/zero > z.sum; ln -s /etc/passwd uv.lock; echo no > ago.sum; "
        "git add -A; git commit -qm one",
    )
    first = await sh(box, "git rev-parse HEAD")
    names = ("go.sum", "z.sum", "uv.lock")

    told = await checkout.changed_files(box, project.base, first, names, limit_bytes=100)

    assert told == [
        FileChange("a b/go.sum", b"", b"%090d" % 1),
        FileChange("go.sum", b"", b"one\n"),
        FileChange("uv.lock", b"", b""),
        FileChange("z.sum", b"", None),
    ]
    await sh(box, "git rm -q z.sum 'a b/go.sum'; echo two > go.sum; git commit -qam two")
    second = await sh(box, "git rev-parse HEAD")
    assert await checkout.changed_files(box, first, second, ["go.sum"]) == [
        FileChange("a b/go.sum", b"%090d" % 1, b""),
        FileChange("go.sum", b"one\n", b"two\n"),
    ]
    assert await checkout.changed_files(box, "f" * 40, second, names) is None

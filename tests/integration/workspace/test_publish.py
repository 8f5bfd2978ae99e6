"""From a bundle to a branch on the forge: host git on data that may be hostile."""

import os
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest

from journeyman.forge import ForgeError, PushRejected, Remote
from journeyman.workspace import BundleRefused, scratch
from journeyman.workspace.bundles import REF
from journeyman.workspace.publish import Publisher, Work
from tests.integration.forge.client import commit, git
from tests.integration.workspace.conftest import HEAD, Project


@dataclass
class Desk:
    """A publisher, and a workspace on the host in which the test plays the agent."""

    publisher: Publisher
    project: Project
    mirror: Path
    tree: Path
    root: Path

    def bundle(self, *arguments: str, ref: str = REF) -> bytes:
        if ref != "HEAD":
            git(self.tree, "update-ref", ref, "HEAD")
        file = self.tree.parent / "out.bundle"
        git(self.tree, "bundle", "create", "-q", str(file), ref, *arguments)
        return file.read_bytes()

    def work(self, bundle: bytes | None = None, base: str | None = None) -> Work:
        base = base or self.project.base
        bundle = self.bundle(f"^{base}") if bundle is None else bundle
        return Work(bundle, self.mirror, base, git(self.tree, "rev-parse", "HEAD"))

    async def deliver(self, work: Work, expected_old: str | None = None) -> str:
        return await self.publisher.deliver(
            work, head_ref=HEAD, remote=self.project.remote, expected_old=expected_old
        )


@pytest.fixture
async def desk(project: Project, tmp_path: Path) -> Desk:
    mirror = await project.mirror()
    git(tmp_path, "clone", "-q", "--shared", str(mirror), "tree")
    commit(tmp_path / "tree", "work.txt", "work\n", "Do the work")
    return Desk(Publisher(tmp_path / "publish"), project, mirror, tmp_path / "tree", tmp_path)


async def test_the_work_arrives_as_a_branch_and_nothing_is_left(desk: Desk) -> None:
    work = desk.work()
    assert await desk.deliver(work) == work.sha == desk.project.tip()
    assert list((desk.root / "publish").iterdir()) == []
    assert git(desk.mirror, "for-each-ref", "refs/heads/journeyman") == ""


async def test_a_bundle_is_held_in_memory_once(desk: Desk) -> None:
    (desk.tree / "large").write_bytes(os.urandom(8 << 20))
    git(desk.tree, "add", "-A")
    git(desk.tree, "commit", "-qm", "Add what does not compress")
    work = desk.work()
    tracemalloc.start()
    try:
        await desk.deliver(work)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(work.bundle) / 2


async def test_what_a_dead_service_left_is_swept_and_nothing_else(desk: Desk) -> None:
    """Locks end with their process, and are seen in this one as in others."""
    root = desk.root / "publish"
    async with scratch.scratch(root) as used:
        left = root / f"{scratch.READY}left"
        (left / "work.git").mkdir(parents=True)
        await desk.publisher.sweep()
        assert list(root.iterdir()) == [used]
    assert not any(root.iterdir())


async def test_delivering_again_is_success_and_more_work_follows(desk: Desk) -> None:
    first = desk.work()
    await desk.deliver(first)
    await desk.deliver(first)
    commit(desk.tree, "more.txt", "more\n")
    second = desk.work()
    await desk.deliver(second, expected_old=first.sha)
    await desk.deliver(second, expected_old=first.sha)
    assert desk.project.tip() == second.sha


async def test_history_that_the_agent_rewrote_replaces_our_branch(desk: Desk) -> None:
    first = desk.work()
    await desk.deliver(first)
    git(desk.tree, "commit", "-q", "--amend", "-m", "Do it better")
    second = desk.work()
    await desk.deliver(second, expected_old=first.sha)
    assert desk.project.tip() == second.sha


async def test_what_somebody_else_pushed_is_not_overwritten(desk: Desk) -> None:
    git(desk.project.bare, "update-ref", f"refs/heads/{HEAD}", "topic")
    theirs = desk.project.tip()
    for expected in (None, desk.project.base):
        with pytest.raises(PushRejected, match="stale info"):
            await desk.deliver(desk.work(), expected_old=expected)
    assert desk.project.tip() == theirs
    assert list((desk.root / "publish").iterdir()) == []


async def test_a_commit_below_the_snapshot_can_be_delivered(desk: Desk) -> None:
    head = git(desk.tree, "rev-parse", "HEAD")
    commit(desk.tree, "uncommitted.txt", "x\n", "Checkpoint")
    work = Work(desk.bundle(f"^{desk.project.base}"), desk.mirror, desk.project.base, head)
    await desk.deliver(work)
    assert desk.project.tip() == head


async def test_a_merge_of_the_repositorys_untidy_history_is_taken(desk: Desk) -> None:
    untidy = "tree {}\nauthor <> 99999999999999999999 +9999999\ncommitter A <a> 1 +0000\n\nOld\n"
    tree = git(desk.tree, "rev-parse", "HEAD^{tree}")
    old = git(
        desk.tree, "hash-object", "-t", "commit", "-w", "--stdin", "--literally",
        stdin=untidy.format(tree),
    )  # fmt: skip
    git(desk.tree, "merge", "-q", "--allow-unrelated-histories", "-s", "ours", "-m", "Merge", old)
    assert await desk.publisher.patch(desk.work())


async def test_a_patch_is_the_difference_and_applies(desk: Desk) -> None:
    (desk.tree / "binary").write_bytes(bytes(range(256)) * 40)
    git(desk.tree, "add", "binary")
    git(desk.tree, "commit", "-q", "-m", "Binary")
    patch = await desk.publisher.patch(desk.work())
    git(desk.root, "clone", "-q", str(desk.project.bare), "fresh")
    (desk.root / "patch").write_bytes(patch)
    git(desk.root / "fresh", "apply", "--index", str(desk.root / "patch"))
    assert git(desk.root / "fresh", "write-tree") == git(desk.tree, "rev-parse", "HEAD^{tree}")
    with pytest.raises(BundleRefused, match="more than 100 bytes"):
        await desk.publisher.patch(desk.work(), limit_bytes=100)


async def test_attributes_and_configuration_of_the_work_run_nothing(desk: Desk) -> None:
    marker = desk.root / "marker"
    commit(desk.tree, ".gitattributes", "* diff=evil filter=evil merge=evil\n")
    commit(desk.tree, ".gitconfig", f"[core]\n\tfsmonitor = touch {marker}\n")
    for key in ("diff.evil.command", "diff.evil.textconv", "filter.evil.clean", "core.sshCommand"):
        git(desk.tree, "config", key, f"touch {marker}")
    work = desk.work()
    marker.unlink(missing_ok=True)
    await desk.deliver(work)
    assert b"+work" in await desk.publisher.patch(work)
    assert not marker.exists()


async def refused(desk: Desk, work: Work, message: str) -> None:
    """Nothing of *work* comes near the forge, and nothing is left of it."""
    with pytest.raises(BundleRefused, match=message):
        await desk.deliver(work)
    assert git(desk.project.bare, "for-each-ref", "refs/heads/journeyman") == ""
    assert list((desk.root / "publish").iterdir()) == []


@pytest.mark.parametrize(
    "bundle",
    [b"", b"x", b"# v3 git bundle\n@object-format=sha1\n\n", b"# v2 git bundle\n", b"\n" * 9],
)
async def test_what_is_no_bundle_is_refused(desk: Desk, bundle: bytes) -> None:
    await refused(desk, desk.work(bundle), "not a git bundle")


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v9", "HEAD", "refs/replace/x"])
async def test_only_the_one_ref_is_taken(desk: Desk, ref: str) -> None:
    await refused(desk, desk.work(desk.bundle(ref=ref)), "no other ref")


async def test_a_second_ref_is_refused(desk: Desk) -> None:
    await refused(desk, desk.work(desk.bundle("HEAD", f"^{desk.project.base}")), "no other ref")


@pytest.mark.parametrize("line", [b"@filter=blob:none", b"0123 x", b"-abc", b""])
async def test_a_header_line_that_is_not_one_is_refused(desk: Desk, line: bytes) -> None:
    signature, rest = desk.bundle(f"^{desk.project.base}").split(b"\n", 1)
    await refused(desk, desk.work(b"\n".join((signature, line, rest))), "bundle")


async def test_a_cut_or_changed_bundle_is_refused(desk: Desk) -> None:
    whole = desk.bundle(f"^{desk.project.base}")
    await refused(desk, desk.work(whole[:-7]), "Git refuses")
    await refused(desk, desk.work(whole[:-30] + b"?" + whole[-29:]), "Git refuses")


def entry(mode: str, name: str, sha: str) -> bytes:
    return f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha)


@pytest.mark.parametrize(
    ("mode", "name", "content"),
    [
        ("100644", ".git", "x"),
        ("100644", ".GIT", "x"),
        ("100644", "..", "x"),
        ("100644", "a/b", "x"),
        ("120000", ".gitmodules", "x"),
        ("100644", ".gitmodules", '[submodule "x"]\n\turl = -u./evil\n\tpath = x\n'),
        ("100644", ".gitmodules", '[submodule "../x"]\n\turl = a\n\tpath = x\n'),
    ],
)
async def test_objects_that_could_run_code_in_a_clone_are_refused(
    desk: Desk, mode: str, name: str, content: str
) -> None:
    blob = git(desk.tree, "hash-object", "-w", "--stdin", stdin=content)
    (desk.root / "tree-object").write_bytes(entry(mode, name, blob))
    options = ("-t", "tree", "-w", "--literally", str(desk.root / "tree-object"))
    tree = git(desk.tree, "hash-object", *options)
    evil = git(desk.tree, "commit-tree", "-p", "HEAD", "-m", "Evil", tree)
    git(desk.tree, "update-ref", "HEAD", evil)
    await refused(desk, desk.work(), "Git refuses")


async def test_a_bundle_that_lacks_an_object_is_refused(desk: Desk) -> None:
    missing = f"100644 blob {'12' * 20}\tfile\n"
    tree = git(desk.tree, "mktree", "--missing", stdin=missing)
    lacking = git(desk.tree, "commit-tree", "-p", "HEAD", "-m", "Lacks", tree)
    pack = desk.root / "lacking.pack"
    header = f"# v2 git bundle\n-{desk.project.base} x\n{lacking} {REF}\n\n".encode()
    objects = f"{lacking}\n{tree}\n"
    name = git(desk.tree, "pack-objects", "-q", str(pack), stdin=objects)
    packed = (desk.root / f"lacking.pack-{name}.pack").read_bytes()
    git(desk.tree, "update-ref", "HEAD", lacking)
    await refused(desk, desk.work(header + packed), "Git refuses")


async def test_work_that_leaves_its_base_is_refused_and_still_has_a_patch(desk: Desk) -> None:
    git(desk.tree, "checkout", "-q", "--orphan", "fresh")
    git(desk.tree, "commit", "-q", "-m", "From nothing")
    await refused(desk, desk.work(), "not built on")
    assert b"work.txt" in await desk.publisher.patch(desk.work())


async def test_a_commit_that_is_not_in_the_bundle_is_refused(desk: Desk) -> None:
    bundle = desk.bundle(f"^{desk.project.base}")
    commit(desk.tree, "later.txt", "later\n")
    await refused(desk, desk.work(bundle), "Git refuses")
    for sha in ("HEAD", "--all", "", "main"):
        with pytest.raises(BundleRefused, match="not a commit id"):
            Work(bundle, desk.mirror, desk.project.base, sha)


async def test_a_base_that_the_mirror_lacks_is_refused(desk: Desk) -> None:
    first = git(desk.tree, "rev-parse", "HEAD")
    commit(desk.tree, "later.txt", "later\n")
    await refused(desk, desk.work(desk.bundle(f"^{first}")), "Git refuses")


async def test_a_user_who_may_not_push_is_told_before_anything_is_sent(desk: Desk) -> None:
    remote = Remote(desk.project.remote.url, writable=False)
    with pytest.raises(PushRejected, match="may not push"):
        await desk.publisher.deliver(desk.work(), head_ref=HEAD, remote=remote, expected_old=None)


async def test_a_refusal_of_the_forge_is_told_in_its_words(desk: Desk) -> None:
    git(desk.project.bare, "config", "receive.hideRefs", "refs/heads/journeyman")
    with pytest.raises(PushRejected, match="deny updating a hidden ref") as caught:
        await desk.deliver(desk.work())
    assert caught.value.permanent


async def test_a_pack_that_is_too_large_for_the_forge_is_told(desk: Desk) -> None:
    git(desk.project.bare, "config", "receive.maxInputSize", "100")
    with pytest.raises(PushRejected, match="maximum allowed size"):
        await desk.deliver(desk.work())


@pytest.mark.parametrize(
    ("url", "permanent"),
    [("/nowhere.git", True), ("http://127.0.0.1:1/x.git", False), ("ext::sh -c true", True)],
)
async def test_a_forge_that_cannot_be_had_is_no_rejection(
    desk: Desk, url: str, permanent: bool
) -> None:
    with pytest.raises(ForgeError) as caught:
        await desk.publisher.deliver(
            desk.work(), head_ref=HEAD, remote=Remote(url), expected_old=None
        )
    assert not isinstance(caught.value, PushRejected)
    assert caught.value.permanent is permanent
    assert list((desk.root / "publish").iterdir()) == []


async def test_a_credential_is_in_no_error(desk: Desk) -> None:
    env = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": "Authorization: Basic c2VjcmV0",
    }
    remote = Remote("http://alice:ghp_secret@127.0.0.1:1/x.git", env)
    with pytest.raises(ForgeError) as caught:
        await desk.publisher.deliver(desk.work(), head_ref=HEAD, remote=remote, expected_old=None)
    assert "secret" not in str(caught.value)
    assert "c2VjcmV0" not in f"{caught.value}{caught.value.__cause__}{remote}"


async def test_all_that_is_new_is_inspected_before_it_is_pushed(desk: Desk) -> None:
    tree = desk.tree
    commit(desk.project.source, "theirs.txt", "theirs\n", "By others")
    git(desk.project.source, "push", "-q", str(desk.project.bare), "HEAD:main")
    await desk.project.mirror()
    git(tree, "checkout", "-q", "-b", "side")
    commit(tree, "side.txt", "added and taken back\n", "Add on the side")
    commit(tree, "side.txt", "nothing\n", "Take it back")
    git(tree, "checkout", "-q", "-")
    git(tree, "merge", "-q", "--no-ff", "--no-commit", "side")
    (tree / "work.txt").write_text("by the merge alone\n")
    git(tree, "commit", "-qam", "Merge")
    (tree / "large.bin").write_text("large\n" * (3 << 20))
    git(tree, "add", "large.bin")
    commit(tree, "small.txt", "beside a large file\n", "diff --git told in a message")
    git(tree, "fetch", "-q", "origin")
    git(tree, "merge", "-q", "--no-edit", "origin/main")
    shown = list[str]()

    async def inspect(changes: str) -> None:
        shown.append(changes)
        raise PushRejected("seen", permanent=True)

    with pytest.raises(PushRejected, match="seen"):
        await desk.publisher.deliver(
            desk.work(), head_ref=HEAD, remote=desk.project.remote, expected_old=None,
            inspect=inspect,
        )  # fmt: skip
    added = [line.lstrip("+") for line in shown[0].splitlines() if line.startswith("+")]
    for line in ("added and taken back", "by the merge alone", "beside a large file"):
        assert line in added
    assert " diff --git told in a message" in shown[0].splitlines()
    assert "large" not in added
    assert "theirs" not in added
    assert HEAD not in git(desk.project.bare, "branch")


async def test_a_long_history_is_inspected_to_its_end_in_pieces_of_whole_lines(desk: Desk) -> None:
    line, many = "x" * 99, 18_000
    for number in range(10):
        (desk.tree / f"{number}.txt").write_text(f"{line}\n" * many)
    git(desk.tree, "add", ".")
    commit(desk.tree, "last.txt", "the last\n", "Add much")
    shown = list[str]()

    async def inspect(piece: str) -> None:
        shown.append(piece)

    await desk.publisher.deliver(
        desk.work(), head_ref=HEAD, remote=desk.project.remote, expected_old=None, inspect=inspect
    )
    assert len(shown) > 10
    lines = [one for piece in shown for one in piece.split("\n")]
    assert lines.count(f"+{line}") == 10 * many
    assert {len(one) for one in lines if one.startswith("+x")} == {100}
    assert "+the last" in lines
    assert HEAD in git(desk.project.bare, "branch")

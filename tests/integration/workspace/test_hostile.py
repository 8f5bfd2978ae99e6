"""A hostile workspace, carried from the sandbox to the forge: nothing of it may run on the host."""

import base64
from pathlib import Path

import pytest

from journeyman.sandbox import Sandbox
from journeyman.workspace.checkout import changes, commit_all, restore, snapshot
from journeyman.workspace.publish import Publisher, Work
from tests.integration.forge.client import git
from tests.integration.workspace.conftest import HEAD, Project, prepared, sh

pytestmark = pytest.mark.sandbox

HOOKS = (
    "pre-commit commit-msg post-commit post-checkout reference-transaction pre-push update "
    "post-index-change"
)
VECTORS = {
    "hooks": f"for h in {HOOKS}; do cp /tmp/evil .git/hooks/$h; done",
    "hooksPath": f"mkdir h; for h in {HOOKS}; do cp /tmp/evil h/$h; done;"
    " git config core.hooksPath h",
    "fsmonitor": "git config core.fsmonitor /tmp/evil",
    "filter": "git config filter.x.clean /tmp/evil; git config filter.x.smudge /tmp/evil;"
    " git config filter.x.process /tmp/evil; echo '* filter=x' > .gitattributes",
    "textconv": "git config diff.x.textconv /tmp/evil; echo '* diff=x' > .gitattributes",
    "external diff": "git config diff.external /tmp/evil; git config diff.x.command /tmp/evil;"
    " echo '* diff=x' > .gitattributes",
    "merge driver": "git config merge.x.driver /tmp/evil; echo '* merge=x' > .gitattributes",
    "include": "printf '[core]\\n\\tfsmonitor = /tmp/evil\\n' > inc;"
    " git config include.path ../inc",
    "transport": "git config core.sshCommand /tmp/evil; git config core.gitProxy /tmp/evil;"
    " git config url./tmp/evil.insteadOf https://",
    "remote": "git config remote.origin.url 'ext::/tmp/evil'; git config protocol.ext.allow always;"
    " git config remote.origin.uploadpack /tmp/evil;"
    " git config remote.origin.receivepack /tmp/evil",
    "signing": "git config gpg.program /tmp/evil; git config commit.gpgSign true;"
    " git config log.showSignature true; git config gpg.ssh.program /tmp/evil",
    "editor": "git config core.editor /tmp/evil; git config core.pager /tmp/evil;"
    " git config sequence.editor /tmp/evil",
    "trailer": "git config trailer.x.command /tmp/evil; git config trailer.x.ifexists add",
    "credential": "git config credential.helper '!/tmp/evil'; git config core.askPass /tmp/evil",
    "pack": "git config uploadpack.packObjectsHook /tmp/evil; git config gc.auto 1",
    "alternates": "echo SECRET/objects >> .git/objects/info/alternates",
    "submodule": "mkdir -p sub; git -C sub init -q; git -C sub config core.fsmonitor /tmp/evil;"
    " git -C sub commit -q --allow-empty -m x; git add sub",
    "submodule's address": "git init -q s; git -C s commit -q --allow-empty -m x; git add s;"
    " printf '[submodule \"s\"]\\n\\tpath = s\\n\\turl = ext::/tmp/evil\\n' > .gitmodules;"
    " git config submodule.s.url ext::/tmp/evil; git config submodule.s.update '!/tmp/evil';"
    " git config submodule.recurse true; git add .gitmodules",
    "attributes": "echo '* filter=x diff=x' > .git/info/attributes;"
    " git config filter.x.clean /tmp/evil",
    "symlinks": "ln -s /etc/shadow shadow; ln -s / root; ln -s ../../../.. up",
    "names": "touch -- $'new\\nline' $'\\e[31mred' $'\\xff\\xfe' ' ' '-rf' '$(touch x)'",
    "replace": "git replace HEAD HEAD~1",
    "worktree": "git config extensions.worktreeConfig true;"
    " git config --worktree core.fsmonitor /tmp/evil",
}


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "publish")


@pytest.mark.parametrize("vector", VECTORS)
async def test_no_vector_runs_on_the_host(
    box: Sandbox, project: Project, publisher: Publisher, tmp_path: Path, vector: str
) -> None:
    marker = tmp_path / "marker"
    await sh(box, f"printf '#!/bin/sh\\ntouch {marker}\\ncat\\n' > /tmp/evil; chmod +x /tmp/evil")
    await sh(box, VECTORS[vector].replace("SECRET", str(project.bare)))
    await sh(box, "echo work > work.txt")
    kept = await snapshot(box, base_sha=project.base)
    assert kept
    assert kept.bundle
    await commit_all(box, "Do the work")
    final = await snapshot(box, base_sha=project.base, last=kept)
    assert final
    assert final.bundle
    assert (await changes(box, project.base)).commits
    work = Work(final.bundle, await project.mirror(), project.base, final.head_sha)
    await publisher.deliver(work, head_ref=HEAD, remote=project.remote, expected_old=None)
    assert b"work.txt" in await publisher.patch(work)
    assert git(project.bare, "show", f"{HEAD}:work.txt") == "work"
    await restore(box, kept, head_ref=HEAD)
    await prepared(box, project)
    assert not marker.exists()


async def test_the_mirror_cannot_be_written_from_inside(box: Sandbox, project: Project) -> None:
    for command in (
        "touch /mirror.git/x",
        "git --git-dir=/mirror.git update-ref refs/heads/x HEAD",
        "git push -q /mirror.git HEAD:refs/heads/x",
        "chmod -R u+w /mirror.git",
    ):
        assert (await box.exec(command, timeout_seconds=20)).exit_code != 0
    assert (
        "x" not in git(await project.mirror(), "for-each-ref", "--format=%(refname:short)").split()
    )


async def test_no_credential_is_inside(box: Sandbox, project: Project) -> None:
    found = await sh(box, "env; cat .git/config /etc/gitconfig; cat /mirror.git/config")
    assert str(project.bare) not in found
    assert base64.b64encode(b"x-access-token")[:-2].decode() not in found

"""What git's words mean to the one who asked for a fetch or a push."""

import pytest

from journeyman.forge import ForgeError, PushRejected, Remote
from journeyman.git import GitError, quoted, redacted
from journeyman.git.faults import Fault, fault_of
from journeyman.workspace import remotes

SAID = {
    "! x:refs/heads/a\t[rejected] (stale info)": Fault.REJECTED,
    "! x:refs/heads/a\t[remote rejected] (pre-receive hook declined)": Fault.REJECTED,
    "remote: error: GH006: Protected branch update failed\n! x\t[remote rejected] (protected "
    "branch hook declined)": Fault.REJECTED,
    "! x:refs/heads/a\t[remote rejected] (failed to update ref)": Fault.BUSY,
    "remote: fatal: pack exceeds maximum allowed size": Fault.TOO_LARGE,
    "remote: error: File big is 120 MB; this exceeds GitHub's file size limit": Fault.TOO_LARGE,
    "error: RPC failed; HTTP 413 curl 22": Fault.TOO_LARGE,
    "fatal: Authentication failed for 'https://x/'": Fault.DENIED,
    "fatal: could not read Username for 'https://x': terminal prompts disabled": Fault.DENIED,
    "fatal: unable to access 'https://x/': The requested URL returned error: 403": Fault.DENIED,
    "git@x: Permission denied (publickey).": Fault.DENIED,
    "fatal: transport 'ext' not allowed": Fault.DENIED,
    "remote: Repository not found.\nfatal: repository 'https://x/' not found": Fault.NOT_FOUND,
    "fatal: '/x' does not appear to be a git repository": Fault.NOT_FOUND,
    "fatal: unable to access 'https://x/': Could not resolve host: x": Fault.UNREACHABLE,
    "fatal: unable to access 'https://x/': The requested URL returned error: 502": (
        Fault.UNREACHABLE
    ),
    "error: RPC failed; curl 56 Recv failure\nfatal: early EOF": Fault.UNREACHABLE,
    "error: object 12: missingSpaceBeforeEmail: bad\nfatal: fsck error in packed object": (
        Fault.BAD_OBJECTS
    ),
    "fatal: bad config line 1 in file config": Fault.UNKNOWN,
}


@pytest.mark.parametrize(("said", "fault"), SAID.items())
def test_gits_words_are_understood(said: str, fault: Fault) -> None:
    error = GitError(said.splitlines()[-1], exit_code=1, output=said)
    assert fault_of(error) is fault
    told = remotes.explained(error, "pushed to")
    assert isinstance(told, PushRejected) is (fault in (Fault.REJECTED, Fault.TOO_LARGE))
    temporary = fault in (Fault.BUSY, Fault.UNREACHABLE, Fault.UNKNOWN)
    assert told.permanent is not temporary


def test_the_forges_own_words_come_through() -> None:
    said = "remote: Changes need a pull request.\nremote:\n! x:y\t[remote rejected] (z)"
    told = remotes.explained(GitError("error: failed", output=said), "pushed to")
    expected = "[remote rejected] (z); Changes need a pull request."
    assert str(told) == f"The forge refused the push: {expected}"


RULES = """\
remote: error: GH013: Repository rule violations found for refs/heads/a.
remote: Review all repository rules at https://github.com/o/r/rules?ref=refs%2Fheads%2Fa
remote:
remote: - Changes must be made through a pull request.
remote:
remote: - Commits must have verified signatures.
remote:   Found 1 violation:
remote:   abc
remote:
!\tx:refs/heads/a\t[remote rejected] (push declined due to repository rule violations)"""
OBJECTS = """\
remote: error: GH008: Your push referenced at least 1 unknown Git LFS object:
remote:     4d7a
remote: Try to push them with 'git lfs push --all'.
!\tx:refs/heads/a\t[remote rejected] (pre-receive hook declined)"""


@pytest.mark.parametrize(
    ("said", "reasons", "way_out"),
    [
        (RULES, ("GH013", "verified signatures", "rules?ref"), "Name a head_ref that the rules"),
        (OBJECTS, ("GH008", "4d7a"), "upload the objects with `git lfs push --all`"),
    ],
)
def test_githubs_refusals_name_the_reason_and_the_way_out(
    said: str, reasons: tuple[str, ...], way_out: str
) -> None:
    told = remotes.explained(GitError("error: failed", output=said), "pushed to")
    assert isinstance(told, PushRejected)
    for sign in (*reasons, way_out):
        assert sign in str(told)


@pytest.mark.parametrize(
    ("url", "protocol"),
    [("https://x/y", "https"), ("HTTP://x", "http"), ("/a/b.git", "file"), ("file:///a", "file")],
)
def test_a_remote_speaks_the_protocol_of_its_address(url: str, protocol: str) -> None:
    assert remotes.protocol(Remote(url)) == protocol


def test_an_address_of_another_scheme_is_refused() -> None:
    with pytest.raises(ForgeError, match="'ext'"):
        remotes.protocol(Remote("ext://x"))


def test_credentials_are_taken_out_of_what_git_says() -> None:
    env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": "Authorization: Basic abc"}
    said = "fatal: 'https://me:pw@host/x' Authorization: Basic abc ghp_abc github_pat_a_b"
    assert redacted(said, env) == "fatal: 'https://***host/x' *** *** ***"
    for part in ("me:p", "ss w@proxy:99999", "me:p'w"):
        told = f"fatal: unable to access 'https://x/': Unsupported proxy syntax in '{part}'"
        assert redacted(told, {}).endswith("https://x/': Unsupported proxy syntax in '***'")


def test_a_quoted_value_stays_in_its_entry() -> None:
    assert quoted('a"b\\c\n[core]') == '"a\\"b\\\\c [core]"'

"""Reading a repository's files for agents from a commit, inside a real sandbox, with real git."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeyman.agent.customisation.repository import PATHS
from journeyman.runner import sources
from journeyman.runner.briefing import customisation
from journeyman.sandbox import WORKSPACE, Sandbox

pytestmark = pytest.mark.sandbox


async def commit(box: Sandbox, script: str = "") -> str:
    identity = "-c user.name=a -c user.email=a@example.com"
    ended = await box.exec(
        f"set -e; git init -q; {script}\ngit add -A; git {identity} commit -qm x --allow-empty"
    )
    assert ended.exit_code == 0, ended.output
    return (await box.export("git rev-parse HEAD", limit_bytes=100)).decode().strip()


async def read(box: Sandbox, sha: str) -> tuple[dict[str, str], list[str]]:
    texts, problems = await sources.read(box, sha, PATHS)
    return texts, [str(problem) for problem in problems]


async def test_what_is_asked_for_is_read_wherever_it_is(box: Sandbox) -> None:
    for path in ("AGENTS.md", "src/ü b/AGENTS.md", "docs/CLAUDE.md", "CLAUDE.md", "MYAGENTS.md"):
        await box.write(f"{WORKSPACE}/{path}", path.encode())

    texts, problems = await read(box, await commit(box))

    assert texts == {path: path for path in ("AGENTS.md", "src/ü b/AGENTS.md", "CLAUDE.md")}
    assert not problems


async def test_it_is_the_commits_not_the_working_trees(box: Sandbox) -> None:
    await box.write(f"{WORKSPACE}/AGENTS.md", b"Before.")
    sha = await commit(box)
    await box.write(f"{WORKSPACE}/AGENTS.md", b"After.")

    assert (await read(box, sha))[0] == {"AGENTS.md": "Before."}


async def test_a_link_is_followed_inside_the_commit_and_no_further(box: Sandbox) -> None:
    sha = await commit(
        box,
        "mkdir a b c d; echo Rules. >r.md; ln -s r.md CLAUDE.md; ln -s AGENTS.md AGENTS.md; "
        "ln -s /etc/passwd a/AGENTS.md; ln -s nowhere b/AGENTS.md; ln -s ../c c/AGENTS.md; "
        "echo Last. >d/AGENTS.md",
    )

    texts, problems = await read(box, sha)

    assert texts == {"CLAUDE.md": "Rules.\n", "d/AGENTS.md": "Last.\n"}
    assert [problem.partition(":")[0] for problem in problems] == [
        "AGENTS.md",
        "a/AGENTS.md",
        "b/AGENTS.md",
        "c/AGENTS.md",
    ]


async def test_a_file_of_5_megabytes_is_told_and_left(box: Sandbox) -> None:
    sha = await commit(box, "head -c 5000000 /dev/zero | tr '\\0' x >AGENTS.md; echo ok >GEMINI.md")

    texts, problems = await read(box, sha)

    assert texts == {"GEMINI.md": "ok\n"}
    assert problems == ["AGENTS.md: 5000000 bytes are too many; it is not used"]


async def test_bytes_that_are_no_text_are_told_with_their_line(box: Sandbox) -> None:
    texts, problems = await read(box, await commit(box, "printf 'a\\nb\\377c' >AGENTS.md"))

    assert texts == {"AGENTS.md": "a\nb\ufffdc"}
    assert problems == ["AGENTS.md:2: not UTF-8; read as well as can be"]


async def test_the_operators_file_is_read_each_time_and_its_loss_is_told(
    box: Sandbox, tmp_path: Path
) -> None:
    sha, file = await commit(box, "echo Rules. >AGENTS.md"), tmp_path / "ours.md"
    file.write_bytes(b"Be kind.\xff" + b"x" * sources.FILE_BYTES)

    found = await customisation(sha, box, file)
    assert found.operators is not None
    assert found.operators.text.startswith("Be kind.\ufffd")
    assert len(found.operators.text) < 17_000
    assert found.used == ["the operator's instructions", "AGENTS.md"]
    file.unlink()
    gone = await customisation(sha, box, file)
    assert gone.operators is None
    assert gone.used == ["AGENTS.md"]
    assert [str(one) for one in gone.problems] == [
        "the operator's instructions: not used: No such file or directory"
    ]


async def test_hundreds_of_files_are_bounded(box: Sandbox) -> None:
    sha = await commit(box, "for n in $(seq 600); do mkdir d$n; echo $n >d$n/AGENTS.md; done")

    texts, problems = await read(box, sha)

    assert len(texts) == sources.MOST_FILES
    assert len(problems) == 1


async def test_a_repository_without_any_and_a_commit_that_is_not_there(box: Sandbox) -> None:
    sha = await commit(box)

    assert await read(box, sha) == ({}, [])
    assert (await read(box, "f" * 40))[1] == [
        ".: the files for agents could not be listed; none is used"
    ]

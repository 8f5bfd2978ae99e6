import subprocess
from pathlib import Path

from journeyman.web import diff
from tests.conftest import git


def changed(tmp_path: Path, before: dict[str, str], after: dict[str, str | None]) -> bytes:
    """What git itself writes for a change."""
    git("init", "-q", "-b", "main", cwd=tmp_path)
    for name, text in before.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    git("add", "-A", cwd=tmp_path)
    git("commit", "-qm", "Before", "--allow-empty", cwd=tmp_path)
    for name, new in after.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if new is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_bytes(new.encode("latin-1"))
    git("add", "-A", cwd=tmp_path)
    return subprocess.run(
        ["git", "diff", "--binary", "--cached", "-M"], cwd=tmp_path, capture_output=True, check=True
    ).stdout


def test_lines_have_their_numbers_and_pairs(tmp_path: Path) -> None:
    (one,) = diff.parse(changed(tmp_path, {"a.txt": "1\n2\n3\n"}, {"a.txt": "1\ntwo\n2b\n3\n"}))
    assert (one.path, one.status, one.added, one.removed) == ("a.txt", "modified", 2, 1)
    (hunk,) = one.hunks
    assert [(line.kind, line.old, line.new, line.text) for line in hunk.lines] == [
        (" ", 1, 1, "1"),
        ("-", 2, None, "2"),
        ("+", None, 2, "two"),
        ("+", None, 3, "2b"),
        (" ", 3, 4, "3"),
    ]
    texts = [(a and a.text, b and b.text) for a, b in hunk.pairs]
    assert texts == [("1", "1"), ("2", "two"), (None, "2b"), ("3", "3")]


def test_every_kind_of_change_is_known(tmp_path: Path) -> None:
    long = "".join(f"line {n}\n" for n in range(50))
    files = diff.parse(
        changed(
            tmp_path,
            {"gone": "x\n", "old/name": long, "bin": "\0\1\2" * 100, "end": "no newline"},
            {
                "gone": None,
                "old/name": None,
                "new/name": long.replace("line 9\n", "line nine\n"),
                "bin": "\0\3" * 100,
                "added": "",
                "end": "no newline\n",
            },
        )
    )
    found = {one.path: one for one in files}
    assert found["gone"].status == "deleted"
    assert (found["new/name"].status, found["new/name"].old_path) == ("renamed", "old/name")
    assert found["bin"].binary
    assert not found["bin"].hunks
    assert found["added"].status == "added"
    assert [line.kind for line in found["end"].hunks[0].lines] == ["-", "\\", "+"]


def test_names_and_lines_may_be_anything(tmp_path: Path) -> None:
    names = ['a "quoted" <b>', "tab\there", "a b/c d", "\xfc"]
    after: dict[str, str | None] = dict.fromkeys(names, "-- a\n++ b\n@@ -1 +1 @@\ndiff --git\n")
    files = diff.parse(changed(tmp_path, {}, after))
    assert {one.path for one in files} == {*names}
    assert all((one.added, one.removed) == (4, 0) for one in files)


def test_a_removed_line_of_dashes_is_a_line(tmp_path: Path) -> None:
    (one,) = diff.parse(changed(tmp_path, {"a": "-- x\nkeep\n"}, {"a": "keep\n++ y\n"}))
    assert [line.text for line in one.hunks[0].lines] == ["-- x", "keep", "++ y"]


def test_what_is_no_patch_has_no_files() -> None:
    assert diff.parse(b"") == []
    assert diff.parse(b"hello\n\xff\xfe") == []
    assert len(diff.parse(b"diff --git")) == 0
    assert len(diff.parse(b"diff --git \n@@ -1 +1 @@\n")) == 1

"""The arguments that a sandbox's view is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeyman.sandbox import arguments, hints, inside
from journeyman.sandbox.arguments import View
from journeyman.sandbox.descriptors import Descriptors
from journeyman.sandbox.folders import Account


def view(**files: bytes) -> View:
    return View(
        work=Path("/s/work"),
        home=Path("/s/home"),
        tmp=Path("/s/tmp"),
        cache=None,
        mirror=None,
        folders=(),
        files={f"/etc/{name}": content for name, content in files.items()},
        init={},
        system=Path("/"),
        nested_users_off=True,
    )


def test_the_root_is_closed_after_everything_is_in_it() -> None:
    with Descriptors() as given:
        options = arguments.options(view(), given, block=1, info=2)
    closing = max(i for i, option in enumerate(options) if option == "--remount-ro")
    assert options[closing + 1] == "/"
    last = max(i for i, option in enumerate(options) if option in ("--bind", "--file", "--dir"))
    assert last < closing


def test_the_root_has_room_for_what_is_generated() -> None:
    with Descriptors() as given:
        options = arguments.options(view(large=b"x" * (8 << 20)), given, block=1, info=2)
    assert int(options[options.index("--size") + 1]) > 8 << 20


def test_a_file_of_the_session_replaces_the_default() -> None:
    with Descriptors() as given:
        options = arguments.options(view(gitconfig=b"[user]"), given, block=1, info=2)
    assert options.count("/etc/gitconfig") == 1


def test_an_old_bubblewrap_is_not_asked_for_what_it_lacks() -> None:
    old = View(**{**view().__dict__, "nested_users_off": False})
    with Descriptors() as given:
        assert "--disable-userns" not in arguments.options(old, given, block=1, info=2)


@pytest.mark.parametrize("path", ["/etc", "/usr/x", "/etc/../x", "etc/x", "/"])
def test_generated_files_have_their_places(path: str) -> None:
    wrong = View(**{**view().__dict__, "files": {path: b""}})
    with Descriptors() as given, pytest.raises(ValueError, match="/etc or /run"):
        arguments.options(wrong, given, block=1, info=2)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("bwrap: setting up uid map: Permission denied", "user namespaces"),
        ("bwrap: execvp /usr/bin/python3: No such file or directory", "install python3"),
        ("something else", ""),
    ],
)
def test_hints_are_found_by_bubblewraps_words(words: str, part: str) -> None:
    hint = hints.hint_for(words)
    assert part in hint
    assert bool(hint) == bool(part)


def test_without_user_namespaces_process_1_steps_down_itself() -> None:
    alone = View(**{**view().__dict__, "account": Account(65532, 65532)})
    with Descriptors() as given:
        options = arguments.options(alone, given, block=1, info=2)
    assert not {"--unshare-all", "--unshare-user", "--uid"} & set(options)
    assert {"--unshare-net", "--unshare-pid", "--unshare-ipc"} <= set(options)
    command = arguments.command(alone, ["x"])
    assert {"65532", "--clear-groups", "--bounding-set=-all", "--no-new-privs"} <= set(command)
    assert arguments.command(view(), ["x"]) == [inside.PYTHON, "x"]

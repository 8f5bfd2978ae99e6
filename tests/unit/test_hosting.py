"""A socket that cannot be had is said, with what can be done about it."""

import socket

import pytest

from journeyman import hosting
from journeyman.domain.errors import AppError

HINT = "Choose another port with --port."


@pytest.mark.parametrize("host", ["no..where", "192.0.2.1"])
def test_a_host_that_is_not_here_is_said(host: str) -> None:
    with pytest.raises(AppError) as refused:
        hosting.bind(host, 0, HINT)
    assert refused.value.message == (
        f"Cannot listen on {host}:0: no address of this machine. "
        "Choose another host, such as 127.0.0.1."
    )


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AppError) as refused:
            hosting.bind("127.0.0.1", port, HINT)
    assert refused.value.message == (
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. {HINT}"
    )

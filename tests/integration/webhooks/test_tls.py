"""Receivers behind TLS: their certificates are checked, against a company's own authority too."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from journeyman.domain.hooks import Request, Response
from journeyman.sandbox.firewall import dial
from journeyman.webhooks.sender import HttpSender
from tests.peers.authority import Authority
from tests.peers.receiver import receiving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def post(
    certificates: ssl.SSLContext, *, ca_file: str = "", verify: bool = True, host: str = "127.0.0.1"
) -> tuple[Response, int]:
    """The answer, and how much the receiver was told."""
    async with receiving(certificates) as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        headers = {"Content-Length": "2", "Host": host, "X-GitHub-Event": "ping"}
        sender = HttpSender(dial.Resolver(), lambda _address: None, ca_file=ca_file)
        answer = await sender.send(Request(url, headers, b"{}", verify=verify))
        return answer, len(receiver.received)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_receiver_of_a_trusted_authority_is_told(authority: Authority, host: str) -> None:
    certificates = authority.server(host)
    answer, told = await post(certificates, ca_file=str(authority.file), host=host)
    assert (answer.code, answer.status, told) == (200, "OK", 1)


async def test_a_receiver_of_an_unknown_authority_is_told_nothing(authority: Authority) -> None:
    answer, told = await post(authority.server("127.0.0.1"))
    assert (answer.code, told) == (None, 0)
    assert "certificate verify failed" in answer.status


@pytest.mark.parametrize("names", [("hooks.example",), ("127.0.0.2", "hooks.example")])
async def test_a_certificate_for_another_name_is_refused(
    authority: Authority, names: tuple[str, ...]
) -> None:
    answer, told = await post(authority.server(*names), ca_file=str(authority.file))
    assert (answer.code, told) == (None, 0)
    assert "127.0.0.1" in answer.status


async def test_an_expired_certificate_is_refused(authority: Authority) -> None:
    certificates = authority.server("127.0.0.1", expired=True)
    answer, told = await post(certificates, ca_file=str(authority.file))
    assert (answer.code, told) == (None, 0)
    assert "expired" in answer.status


async def test_insecure_ssl_takes_any_certificate(authority: Authority) -> None:
    answer, told = await post(authority.server("hooks.example", expired=True), verify=False)
    assert (answer.code, told) == (200, 1)

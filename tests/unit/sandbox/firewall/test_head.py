"""The heads of HTTP messages, read without leniency."""

from __future__ import annotations

import random

import pytest

from journeyman.sandbox.firewall import head
from journeyman.sandbox.firewall.head import Malformed


def raw(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_a_request_is_read() -> None:
    request = head.request(raw("GET http://a.example/x HTTP/1.1", "Host: a.example", "X: \t y "))
    assert (request.method, request.target) == ("GET", "http://a.example/x")
    assert head.values(request.fields, "x") == ["y"]
    assert request.length == 0


def test_the_length_of_a_body_is_known() -> None:
    assert head.request(raw("POST / HTTP/1.1", "Content-Length: 12")).length == 12
    assert head.request(raw("POST / HTTP/1.1", "transfer-Encoding: Chunked")).length is None


@pytest.mark.parametrize(
    "text",
    [
        raw("GET /"),
        raw("GET / HTTP/2.0"),
        raw("GET  / HTTP/1.1"),
        raw("get / HTTP/1.1"),
        raw("GET /\t HTTP/1.1"),
        raw("GET /ä HTTP/1.1"),
        raw("GET / HTTP/1.1", "Host: a", "host: b"),
        raw("GET / HTTP/1.1", "Host : a"),
        raw("GET / HTTP/1.1", " folded: x"),
        raw("GET / HTTP/1.1", "X: a\nHost: b"),
        raw("GET / HTTP/1.1", "X: a\rHost: b"),
        raw("GET / HTTP/1.1", "X: a\0"),
        raw("GET / HTTP/1.1", "no colon"),
        raw("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"),
        raw("POST / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"),
        raw("POST / HTTP/1.1", "Content-Length: +1"),
        raw("POST / HTTP/1.1", "Content-Length: 1_0"),
        raw("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
    ],
)
def test_what_is_ambiguous_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        head.request(text)


def test_what_is_for_one_neighbour_goes_no_further() -> None:
    request = head.request(
        raw(
            "GET / HTTP/1.1",
            *("Host: a", "Connection: close, X-Own", "X-Own: 1", "X-Other: 2"),
            *("Proxy-Authorization: Basic x", "Upgrade: h2c", "TE: trailers"),
        )
    )
    assert head.kept(request.fields) == [("X-Other", "2")]


def test_a_response_ends_its_connection() -> None:
    found = head.response(raw("HTTP/1.1 204 No Content", "Connection: keep-alive", "A: b"))
    assert (found.status, found.length("GET")) == (204, 0)
    assert found.head == raw("HTTP/1.1 204 No Content", "A: b", "Connection: close")
    sized = head.response(raw("HTTP/1.1 200 OK", "Content-Length: 7"))
    assert (sized.length("GET"), sized.length("HEAD")) == (7, 0)
    assert head.response(raw("HTTP/1.1 200 OK")).length("GET") is None
    with pytest.raises(Malformed):
        head.response(raw("SSH-2.0-x"))


def test_any_noise_is_read_or_refused() -> None:
    noise = random.Random(1)
    good = raw("POST http://a.example/ HTTP/1.1", "Host: a.example", "Content-Length: 3")
    for _ in range(5000):
        data = bytearray(good)
        for _ in range(noise.randrange(1, 5)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        try:
            request = head.request(bytes(data))
        except Malformed:
            continue
        assert "\n" not in request.target

"""The proxy under clients that mean no good."""

from __future__ import annotations

import asyncio
import time

import pytest

from journeyman.sandbox import Network
from journeyman.sandbox.firewall import attempts, proxy
from tests.unit.sandbox.firewall.conftest import Bench


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def kinds(bench: Bench) -> list[tuple[str, int, str, int]]:
    return [(one.host, one.port, one.method, one.count) for one in bench.gate.attempts.all()]


class TestPlain:
    async def test_a_request_is_passed_on_to_the_host_that_was_checked(self, bench: Bench) -> None:
        target = f"http://OK.test.:{bench.host.port}/path?q=1"
        answer = await bench.say(
            f"GET {target} HTTP/1.1\r\nHost: other.test\r\nProxy-Connection: x\r\n\r\n".encode()
        )
        assert answer.endswith(b"Connection: close\r\n\r\nok")
        assert b"keep-alive" not in answer
        expected = f"GET /path?q=1 HTTP/1.1\r\nHost: ok.test:{bench.host.port}\r\n"
        assert bench.host.heads == [expected.encode() + b"Connection: close\r\n\r\n"]

    async def test_a_host_that_is_not_listed_is_refused_at_once(self, bench: Bench) -> None:
        began = time.monotonic()
        answer = await bench.say(b"GET http://no.test/ HTTP/1.1\r\n\r\n")
        assert time.monotonic() - began < 1
        assert status(answer) == 403
        assert b"no.test:80 is not on the allowlist" in answer
        assert kinds(bench) == [("no.test", 80, "GET", 1)]
        assert bench.names.asked == []

    async def test_a_second_request_on_the_connection_goes_nowhere(self, bench: Bench) -> None:
        url = f"http://ok.test:{bench.host.port}"
        two = f"GET {url}/1 HTTP/1.1\r\n\r\nGET {url}/2 HTTP/1.1\r\nHost: no.test\r\n\r\n"
        assert (await bench.say(two.encode())).count(b"HTTP/1.1 200") == 1
        assert len(bench.host.heads) == 1
        assert b"/2" not in bench.host.heads[0] + bench.host.rest

    async def test_a_body_is_passed_on_and_nothing_behind_it(self, bench: Bench) -> None:
        url = f"http://ok.test:{bench.host.port}/"
        bench.host.answer = b"HTTP/1.1 200 OK\r\n\r\n"  # without a length: until its end
        request = f"POST {url} HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nlast"
        answer = await bench.say(request.encode() + b"GET / HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        assert bench.host.rest == b"last"
        assert b"xpect" not in bench.host.heads[0]

    async def test_chunks_are_read_as_chunks(self, bench: Bench) -> None:
        url = f"http://ok.test:{bench.host.port}/"
        head = f"POST {url} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        bench.host.answer = b"HTTP/1.1 200 OK\r\n\r\n"  # without a length: until its end
        await bench.say(
            head + b"3;x=y\r\nabc\r\n4\r\nlast\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
        )
        assert bench.host.rest.startswith(b"3\r\nabc\r\n4\r\nlast")
        assert b"smuggled" not in bench.host.rest

    @pytest.mark.parametrize("chunk", [b"-1\r\n", b"0x3\r\nabc\r\n", b"3\r\nabcd\r\n", b"zz\r\n"])
    async def test_a_wrong_chunk_ends_the_request(self, bench: Bench, chunk: bytes) -> None:
        url = f"http://ok.test:{bench.host.port}/"
        head = f"POST {url} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        bench.host.answer = b""
        await bench.say(head + chunk + b"0\r\n\r\n")
        assert b"0\r\n\r\n" not in bench.host.rest

    async def test_answers_that_are_for_the_proxy_stay_with_it(self, bench: Bench) -> None:
        bench.host.answer = b"HTTP/1.1 103 Early Hints\r\n\r\n" + bench.host.answer
        answer = await bench.say(f"GET http://ok.test:{bench.host.port}/ HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")

    async def test_an_answer_that_is_not_http_is_told(self, bench: Bench) -> None:
        bench.host.answer = b"SSH-2.0-x\r\n\r\n"
        answer = await bench.say(f"GET http://ok.test:{bench.host.port}/ HTTP/1.1\r\n\r\n".encode())
        assert status(answer) == 502

    @pytest.mark.parametrize(
        "text",
        [
            b"GET / HTTP/1.1\r\nHost: ok.test\r\n\r\n",
            b"GET https://ok.test/ HTTP/1.1\r\n\r\n",
            b"GET ftp://ok.test/ HTTP/1.1\r\n\r\n",
            b"GET http://ok.test@no.test/ HTTP/1.1\r\n\r\n",
            b"GET http://user:word@ok.test/ HTTP/1.1\r\n\r\n",
            b"GET http://ok.test:99999999/ HTTP/1.1\r\n\r\n",
            b"GET http://ok.test%00.no.test/ HTTP/1.1\r\n\r\n",
            b"GET http://ok.test\\@no.test/ HTTP/1.1\r\n\r\n",
            b"GET http:///x HTTP/1.1\r\n\r\n",
            b"GET http://ok.test/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET http://ok.test/\r\nX: HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        ],
    )
    async def test_what_is_no_plain_request_is_refused(self, bench: Bench, text: bytes) -> None:
        bench.allow("ok.test:*")
        assert status(await bench.say(text)) == 400
        assert bench.host.heads == []
        assert bench.names.asked == []

    async def test_a_giant_head_is_refused(self, bench: Bench) -> None:
        line = b"X: " + b"x" * 200_000
        assert status(await bench.say(b"GET http://ok.test/ HTTP/1.1\r\n" + line)) in (0, 431)
        small = b"GET http://ok.test/ HTTP/1.1\r\nX: " + b"x" * 60_000 + b"\r\n\r\n"
        assert status(await bench.say(small)) == 431

    async def test_a_host_that_does_not_answer_is_told(self, bench: Bench) -> None:
        bench.allow("ok.test:1")
        answer = await bench.say(b"GET http://ok.test:1/ HTTP/1.1\r\n\r\n")
        assert status(answer) == 502
        assert b"ok.test:1 did not answer" in answer
        assert kinds(bench) == []

    async def test_a_refused_upload_still_reads_why(self, bench: Bench) -> None:
        head = b"POST http://no.test/ HTTP/1.1\r\nContent-Length: 300000\r\n\r\n"
        assert status(await bench.say(head + b"x" * 300_000)) == 403


class TestTunnel:
    async def test_bytes_go_both_ways(self, bench: Bench) -> None:
        reader, writer = await bench.connect()
        writer.write(f"CONNECT ok.test:{bench.host.port} HTTP/1.1\r\n\r\nhello\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(len(bench.host.answer)) == bench.host.answer
        assert bench.host.heads == [b"hello\r\n\r\n"]
        writer.write(b"last")
        assert await reader.read() == b""
        writer.close()

    @pytest.mark.parametrize(
        "target",
        [
            *("ok.test", "ok.test:", "ok.test:x", "ok.test:443:443", "user@ok.test:443"),
            *("ok.test:443@no.test:443", "ok.test/:443", "[::1:443", "http://ok.test:443", ":443"),
            *("ok.test:0", "ok.test:65536", "ok.test:99999"),
        ],
    )
    async def test_a_wrong_target_is_refused(self, bench: Bench, target: str) -> None:
        bench.allow("ok.test:*")
        assert status(await bench.say(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())) == 400

    @pytest.mark.parametrize(
        "target",
        [
            *("ok.test:22", "sub.ok.test:443", "ok.test.no.test:443", "127.0.0.1:443", "[::1]:443"),
            *("2130706433:443", "0x7f000001:443", "0177.0.0.1:443", "127.1:443", "ok.test:65535"),
            *("169.254.169.254:80", "[::ffff:127.0.0.1]:443"),
        ],
    )
    async def test_what_is_not_listed_is_refused(self, bench: Bench, target: str) -> None:
        bench.allow("ok.test")
        assert status(await bench.say(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())) == 403
        assert bench.names.asked == []
        assert len(kinds(bench)) == 1

    async def test_rules_change_at_once_for_what_is_open(self, bench: Bench) -> None:
        reader, writer = await bench.connect()
        writer.write(f"CONNECT ok.test:{bench.host.port} HTTP/1.1\r\n\r\nhi\r\n\r\n".encode())
        await reader.readuntil(b"ok")
        bench.allow(f"ok.test:{bench.host.port}", "more.test")
        writer.write(b"still")
        await asyncio.sleep(0.05)
        assert bench.host.rest == b"still"
        bench.allow("more.test")
        assert await reader.read() == b""
        writer.close()
        answer = await bench.say(f"CONNECT ok.test:{bench.host.port} HTTP/1.1\r\n\r\n".encode())
        assert status(answer) == 403

    async def test_wrong_rules_leave_the_old_ones(self, bench: Bench) -> None:
        with pytest.raises(ValueError, match="not a rule"):
            bench.gate.change(Network(("a b",)))
        answer = await bench.say(f"GET http://ok.test:{bench.host.port}/ HTTP/1.1\r\n\r\n".encode())
        assert status(answer) == 200


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:127.0.0.1"],
    )
    async def test_a_listed_name_may_not_lead_inside(self, bench: Bench, address: str) -> None:
        bench.allow("ok.test", networks=())
        bench.names.answers["ok.test"] = [[address]]
        answer = await bench.say(b"CONNECT ok.test:443 HTTP/1.1\r\n\r\n")
        assert status(answer) == 403
        assert b"ok.test:443 is refused" in answer
        assert kinds(bench) == [("ok.test", 443, "CONNECT", 1)]

    async def test_what_was_checked_is_what_is_connected_to(self, bench: Bench) -> None:
        """A zone that answers differently the second time is not asked a second time."""
        bench.names.answers["ok.test"] = [["127.0.0.1"], ["10.0.0.1"]]
        request = f"GET http://ok.test:{bench.host.port}/ HTTP/1.1\r\n\r\n".encode()
        assert status(await bench.say(request)) == 200
        assert bench.names.asked == ["ok.test"]
        assert status(await bench.say(request)) == 403

    async def test_good_addresses_beside_bad_ones_are_used(self, bench: Bench) -> None:
        bench.names.answers["ok.test"] = [["10.0.0.1", "127.0.0.2", "127.0.0.1"]]
        request = f"GET http://ok.test:{bench.host.port}/ HTTP/1.1\r\n\r\n".encode()
        assert status(await bench.say(request)) == 200

    async def test_listed_addresses_still_need_an_allowed_network(self, bench: Bench) -> None:
        bench.names.answers["127.0.0.1"] = [["127.0.0.1"]]
        request = f"GET http://127.0.0.1:{bench.host.port}/ HTTP/1.1\r\n\r\n".encode()
        bench.allow("*:*", networks=())
        assert status(await bench.say(request)) == 403
        bench.allow("*:*")
        assert status(await bench.say(request)) == 200


class TestAttempts:
    async def test_alike_attempts_are_counted(self, bench: Bench) -> None:
        for _ in range(5):
            await bench.say(b"CONNECT no.test:443 HTTP/1.1\r\n\r\n")
        await bench.say(b"CONNECT other.test:443 HTTP/1.1\r\n\r\n")
        assert kinds(bench) == [("no.test", 443, "CONNECT", 5), ("other.test", 443, "CONNECT", 1)]
        assert bench.gate.attempts.of(7) == bench.gate.attempts.all()
        assert bench.gate.attempts.of(8) == ()
        assert {peer.server_port for peer in bench.traced} == {bench.port}

    async def test_a_storm_of_attempts_is_not_traced_each(self, bench: Bench) -> None:
        for number in range(100):
            await bench.say(f"CONNECT no{number % 2}.test:443 HTTP/1.1\r\n\r\n".encode())
        assert sum(count for *_, count in kinds(bench)) == 100
        assert len(bench.traced) < 90
        assert {one.command for one in bench.gate.attempts.all()} == {"curl"}

    async def test_only_so_many_kinds_are_told_apart(self, bench: Bench) -> None:
        for number in range(attempts.MOST + 20):
            await bench.say(f"CONNECT n{number}.test:443 HTTP/1.1\r\n\r\n".encode())
        assert len(kinds(bench)) == attempts.MOST
        assert status(await bench.say(b"CONNECT last.test:443 HTTP/1.1\r\n\r\n")) == 403


class TestPatience:
    async def test_slow_clients_do_not_hold_up_others(self, bench: Bench) -> None:
        slow = [await bench.connect() for _ in range(20)]
        for _, writer in slow:
            writer.write(b"GET http://ok.test/ HT")
        request = f"GET http://ok.test:{bench.host.port}/ HTTP/1.1\r\n\r\n".encode()
        assert status(await bench.say(request)) == 200
        for _, writer in slow:
            writer.close()

    async def test_only_so_many_connections_are_taken(self, bench: Bench) -> None:
        many = [await bench.connect() for _ in range(proxy.MOST_CONNECTIONS + 5)]
        await asyncio.sleep(0.1)
        ended = [reader for reader, _ in many if reader.at_eof() or reader.exception()]
        assert len(ended) == 5
        for _, writer in many:
            writer.close()

    async def test_closing_ends_what_is_open(self, bench: Bench) -> None:
        reader, writer = await bench.connect()
        writer.write(f"CONNECT ok.test:{bench.host.port} HTTP/1.1\r\n\r\nhi\r\n\r\n".encode())
        await reader.readuntil(b"ok")
        await bench.proxy.close()
        assert await reader.read() == b""
        writer.close()

    async def test_megabytes_pass_whole(self, bench: Bench) -> None:
        body = bytes(range(256)) * (1 << 14)
        bench.host.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        answer = await bench.say(f"GET http://ok.test:{bench.host.port}/ HTTP/1.1\r\n\r\n".encode())
        assert answer.partition(b"\r\n\r\n")[2] == body

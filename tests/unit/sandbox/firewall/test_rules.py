"""Which hosts an allowlist means."""

from __future__ import annotations

import pytest

from journeyman.sandbox.firewall import rules
from journeyman.sandbox.firewall.rules import Rules


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        ("Example.Org", "example.org", 443),
        ("example.org", "example.org", 80),
        ("example.org.", "example.org", 443),
        ("*.example.org", "a.b.example.org", 443),
        ("example.org:8443", "example.org", 8443),
        ("*.example.org:22", "git.example.org", 22),
        ("example.org:*", "example.org", 9),
        ("*", "anything.example", 443),
        ("*:*", "10.0.0.1", 25),
        ("192.0.2.1", "192.0.2.1", 443),
        ("[2001:DB8::1]:80", "2001:db8::1", 80),
        ("2001:db8::1", "2001:db8::1", 443),
        ("bücher.example", "xn--bcher-kva.example", 443),
    ],
)
def test_what_is_allowed(line: str, host: str, port: int) -> None:
    assert Rules([line]).allows(host, port)


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        ("example.org", "www.example.org", 443),
        ("*.example.org", "example.org", 443),
        ("*.example.org", "badexample.org", 443),
        ("example.org", "example.org.evil.example", 443),
        ("example.org", "example.org", 22),
        ("example.org:8443", "example.org", 443),
        ("192.0.2.1", "192.0.2.10", 443),
    ],
)
def test_what_is_not(line: str, host: str, port: int) -> None:
    assert not Rules([line]).allows(host, port)


@pytest.mark.parametrize(
    "line", ["", "a b", "http://example.org", "example.org:0", "example.org:x", "a..b", "*.", "-a"]
)
def test_a_wrong_rule_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="write host"):
        Rules([line])


@pytest.mark.parametrize("host", ["", ".", "a\nb", "a@b", "a/b", "x" * 64, "a." * 130 + "a", "ä\0"])
def test_what_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="no such name"):
        rules.normal(host)


def test_ports_are_listed_where_each_needs_a_listener() -> None:
    found = Rules(["example.org", "example.org:8443", "*.example.org:*"])
    assert found.ports_of("example.org") == {443, 80, 8443}
    assert found.ports_of("a.example.org") == {443, 80, 22}
    assert found.ports_of("other.example") == frozenset()

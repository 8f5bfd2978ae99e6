"""What a repository's allowlist means, in the words of GitHub's settings."""

from __future__ import annotations

import pytest

from journeyman.sandbox import provisions
from journeyman.sandbox.firewall.allowlist import translated
from journeyman.sandbox.packages import Packages
from journeyman.sandbox.provisions import Options, Wishes


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("example.com", ("example.com", "*.example.com")),
        ("example.com:8443", ("example.com:8443", "*.example.com:8443")),
        ("example.com/below", ("example.com", "*.example.com")),
        ("*.example.com", ("*.example.com",)),
        ("192.0.2.1", ("192.0.2.1",)),
        ("https://example.org/a/b", ("example.org:443",)),
        ("http://example.org", ("example.org:80",)),
        ("https://example.org:8443/x", ("example.org:8443",)),
        ("*", ("*",)),
    ],
)
def test_an_entry_and_its_rules(entry: str, meant: tuple[str, ...]) -> None:
    assert translated([entry]) == (meant, ())


@pytest.mark.parametrize("entry", ["exa*mple.com", "a..b", "ftp://example.com", "example.com:0"])
def test_what_means_nothing_is_told_and_harms_nothing_else(entry: str) -> None:
    assert translated([entry, "192.0.2.1"]) == (("192.0.2.1",), (entry,))


async def one_index() -> Packages:
    return Packages(("index.example",), {}, {}, ())


OPERATOR = Options(allow=("ours.example",), setup_allow=("s.example",), mcp_allow=("m.example",))


class TestProvisions:
    async def allowed(self, options: Options, wishes: Wishes) -> tuple[str, ...]:
        network = (await provisions.Provisions(options, one_index).provision(wishes)).network
        assert network is not None
        return network.allow

    async def test_each_role_has_its_own_rules(self) -> None:
        wishes = Wishes(entries=("192.0.2.1", "-"))
        given = await provisions.Provisions(OPERATOR, one_index).provision(wishes)
        assert given.network is not None
        assert given.setup is not None
        assert given.mcp is not None
        assert given.network.allow == ("index.example", "ours.example", "192.0.2.1")
        assert given.setup.allow == (*given.network.allow, "s.example")
        assert given.mcp.allow == (*given.network.allow, "m.example")
        assert given.ignored == ("-",)

    async def test_a_repository_may_go_without_the_recommended(self) -> None:
        assert await self.allowed(OPERATOR, Wishes(recommended=False)) == ("ours.example",)

    async def test_a_repository_may_turn_it_off(self) -> None:
        assert await self.allowed(OPERATOR, Wishes(enabled=False)) == ("*:*",)

    async def test_an_operator_may_refuse_all_wishes(self) -> None:
        options = Options(repositories=False)
        wishes = Wishes(enabled=False, recommended=False, entries=("x.example",))
        assert await self.allowed(options, wishes) == ("index.example",)

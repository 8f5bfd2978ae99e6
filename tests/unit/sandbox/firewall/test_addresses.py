"""Which addresses no name may lead to."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from journeyman.sandbox.firewall import addresses


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.64.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "168.63.129.16", "224.0.0.1", "255.255.255.255"),
        *("192.0.2.1", "198.18.0.1", "203.0.113.1", "192.88.99.1", "240.0.0.1"),
        *("::", "::1", "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:1.1.1.1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
        *("64:ff9b:1::1", "2001:0:1::1", "::7f00:1", "2001:db8::1", "100::1"),
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert addresses.refusal(address, ()) is not None


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111"])
def test_what_is_public_is_not(address: str) -> None:
    assert addresses.refusal(address, ()) is None


def test_a_named_range_is_open() -> None:
    allowed = addresses.ranges(["10.1.0.0/16", "fd00::/8"])
    assert addresses.refusal("10.1.2.3", allowed) is None
    assert addresses.refusal("fd00::1", allowed) is None
    assert addresses.refusal("10.2.0.1", allowed) is not None
    assert addresses.refusal("::ffff:10.1.2.3", allowed) is not None


def test_a_wrong_range_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.1\.2\.3/16"):
        addresses.ranges(["10.1.2.3/16"])


def test_this_host_knows_its_own_addresses() -> None:
    assert addresses.is_own(ip_address("127.0.0.1"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.200", 9))
        except OSError:
            pytest.skip("this host has no address but loopback's")
        mine = asking.getsockname()[0]
    assert addresses.is_own(ip_address(mine))
    assert not addresses.is_own(ip_address("192.0.2.200"))

"""Reading the header of a bundle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.workspace import BundleRefused
from journeyman.workspace.bundles import REF, parse

A, B = "a" * 40, "b" * 40
GOOD = f"# v2 git bundle\n-{B} Subject of it\n-{A}\n{A} {REF}\n\nPACK".encode()


def test_a_header_tells_what_it_needs_and_brings() -> None:
    header = parse(GOOD)
    assert (header.prerequisites, header.sha) == ((B, A), A)
    assert GOOD[header.size :] == b"PACK"


def test_a_subject_may_hold_any_bytes() -> None:
    assert parse(GOOD.replace(b"Subject", b"\xff\x00\x1b[31m")).sha == A


@settings(database=None)
@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BundleRefused):
        parse(data)
    with pytest.raises(BundleRefused):
        parse(b"# v2 git bundle\n" + data)


def test_an_endless_header_is_refused() -> None:
    with pytest.raises(BundleRefused):
        parse(b"# v2 git bundle\n" + b"-" + A.encode() + b"x" * (2 << 20))

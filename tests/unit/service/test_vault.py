"""The key that stored secrets are encrypted with."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.service.vault import Vault


def test_a_worker_elsewhere_needs_a_copy_of_the_servers_key(tmp_path: Path) -> None:
    stored = Vault(tmp_path / "secrets.key").encrypt(b"secret")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(AppError) as refused:
        Vault(elsewhere / "secrets.key", make=False).decrypt(stored)
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.message == (
        "secrets.key is missing on this machine; copy it from the server's data directory to "
        f"{elsewhere}."
    )
    (elsewhere / "secrets.key").write_bytes((tmp_path / "secrets.key").read_bytes())
    assert Vault(elsewhere / "secrets.key", make=False).decrypt(stored) == b"secret"

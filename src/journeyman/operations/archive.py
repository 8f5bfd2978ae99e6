"""The file of a backup: a gzipped tar whose last member is a manifest with a checksum of each.

    database/<table>.jsonl          a row per line, values in the order of the manifest's columns
    repositories/<id>.git/…         git's own files: HEAD, config, packed-refs, objects
    keys/<name>                     what is needed to read what is encrypted in the database
    manifest.json

A file without a manifest was not finished.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from journeyman.domain.errors import AppError, Code

FORMAT = 1
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 256 << 20
CHUNK = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)
_MEMBER = re.compile(
    r"(database/[a-z_.]+\.jsonl|keys/[a-z-]+\.key|repositories/\d+\.git/(?!\.)[A-Za-z0-9._/-]+)"
)


class Table(msgspec.Struct):
    columns: list[str]
    binary: list[str]
    """Of the columns, those whose values are base64."""
    rows: int
    digest: str
    last_number: int | None


class Manifest(msgspec.Struct, kw_only=True):
    format: int
    version: str
    """Of Journeyman."""
    created_at: str
    revision: str
    """Of the schema."""
    tables: dict[str, Table]
    files: dict[str, str]
    """SHA-256 by member."""


class Writer:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.files: dict[str, str] = {}

    def add(self, name: str, content: IO[bytes]) -> None:
        """All of *content*, from its current place on."""
        start = content.tell()
        size = content.seek(0, os.SEEK_END) - start
        content.seek(start)
        hashing = _Hashing(content)
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        self._tar.addfile(member, hashing)
        self.files[name] = hashing.digest.hexdigest()

    def add_bytes(self, name: str, content: bytes) -> None:
        self.add(name, io.BytesIO(content))

    def finish(self, manifest: Manifest) -> None:
        self.add_bytes(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


class _Hashing:
    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        read = self._source.read(size)
        self.digest.update(read)
        return read


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A new file that appears when it is whole. CONFLICT when there is one."""
    if path.exists():
        raise AppError(Code.CONFLICT, f"{str(path)!r} is there already; name another file.")
    making = path.with_name(f".{path.name}.part")
    try:
        opened = os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        message = (
            f"{str(making)!r} is there: a backup is being made, or one was cut off; remove it."
        )
        raise AppError(Code.CONFLICT, message) from None
    except OSError as error:
        message = f"cannot write {str(path)!r} ({error.strerror}); name a file elsewhere."
        raise AppError(Code.UNAVAILABLE, message) from error
    try:
        with (
            os.fdopen(opened, "wb") as file,
            tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar,
        ):
            yield Writer(tar)
        with making.open("rb") as written:
            os.fsync(written.fileno())
        making.rename(path)
    except OSError as error:
        message = f"cannot write {str(path)!r} ({error.strerror}); name a file elsewhere."
        raise AppError(Code.UNAVAILABLE, message) from error
    finally:
        making.unlink(missing_ok=True)


def extract(path: Path, target: Path, read_bytes: Any) -> Manifest:
    """All members of *path* below *target*, each checked. INVALID names what is wrong with the
    file. *read_bytes* is told how far in the file it is."""
    found: dict[str, str] = {}
    manifest: Manifest | None = None
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|gz") as tar:
            for member in tar:
                if manifest is not None:
                    raise _damaged(path, f"it goes on after {MANIFEST}")
                content = _content(path, tar, member)
                if member.name == MANIFEST:
                    manifest = _manifest(path, content.read(LARGEST_MANIFEST))
                else:
                    found[member.name] = _extract(content, target / member.name)
                read_bytes(file.tell())
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        if getattr(error, "errno", None) in FULL:
            message = f"{str(target.parent)!r} cannot hold what is in the backup: {error}."
            raise AppError(Code.UNAVAILABLE, message) from error
        raise _damaged(path, getattr(error, "strerror", None) or str(error)) from error
    if manifest is None:
        raise _damaged(path, "it has no manifest, so it was never finished")
    _compare(path, manifest, found)
    return manifest


def _content(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    known = member.name == MANIFEST or _MEMBER.fullmatch(member.name)
    content = tar.extractfile(member) if member.isreg() else None
    if not known or "/.." in member.name or content is None:
        raise _damaged(path, f"{member.name!r} has no place in a backup")
    return content


def _extract(content: IO[bytes], target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _manifest(path: Path, content: bytes) -> Manifest:
    head = msgspec.json.decode(content)
    if isinstance(head, dict) and head.get("format") != FORMAT:
        message = f"{str(path)!r} has format {head.get('format')!r}; this version reads {FORMAT}."
        raise AppError(Code.INVALID, message)
    return msgspec.json.decode(content, type=Manifest)


def _compare(path: Path, manifest: Manifest, found: dict[str, str]) -> None:
    for name in sorted(manifest.files.keys() | found.keys()):
        if manifest.files.get(name) != found.get(name):
            raise _damaged(path, f"{name!r} is not what the manifest says")


def _damaged(path: Path, why: str) -> AppError:
    return AppError(Code.INVALID, f"{str(path)!r} is no whole backup: {why}.")

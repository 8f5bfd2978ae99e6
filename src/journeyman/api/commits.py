"""Branches, refs, commits and changed files as GitHub writes them, complete.

Knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from journeyman.api import wire
from journeyman.api.exchange import Addresses
from journeyman.domain.history import ChangedFile, Commit, Signature
from journeyman.domain.repositories import Repository

UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None}
NOT_PROTECTED = {
    "enabled": False,
    "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
}


def commit(found: Commit, repository: Repository, addresses: Addresses) -> dict[str, Any]:
    """`author` and `committer` are null: who a mail address belongs to is not known here."""
    url = addresses.repository(repository)
    page = addresses.page(repository)
    return {
        "sha": found.sha,
        "node_id": f"C_{repository.id}_{found.sha}",
        "url": f"{url}/commits/{found.sha}",
        "html_url": f"{page}/commit/{found.sha}",
        "comments_url": f"{url}/commits/{found.sha}/comments",
        "author": None,
        "committer": None,
        "commit": {
            "url": f"{url}/git/commits/{found.sha}",
            "message": found.message,
            "author": signature(found.author),
            "committer": signature(found.committer),
            "comment_count": 0,
            "tree": {"sha": found.tree, "url": f"{url}/git/trees/{found.tree}"},
            "verification": {**UNSIGNED, "verified_at": None},
        },
        "parents": [
            {
                "sha": parent,
                "url": f"{url}/commits/{parent}",
                "html_url": f"{page}/commit/{parent}",
            }
            for parent in found.parents
        ],
    }


def commit_with_files(
    found: Commit, files: Sequence[ChangedFile], repository: Repository, addresses: Addresses
) -> dict[str, Any]:
    additions = sum(file.additions for file in files)
    deletions = sum(file.deletions for file in files)
    return {
        **commit(found, repository, addresses),
        "stats": {
            "additions": additions,
            "deletions": deletions,
            "total": additions + deletions,
        },
        "files": [changed_file(file, found.sha, repository, addresses) for file in files],
    }


def signature(found: Signature) -> dict[str, str]:
    return {"name": found.name, "email": found.email, "date": wire.time(found.at)}


def changed_file(
    found: ChangedFile, sha: str, repository: Repository, addresses: Addresses
) -> dict[str, Any]:
    url, page, path = addresses.repository(repository), addresses.page(repository), found.filename
    entry: dict[str, Any] = {
        "sha": found.sha,
        "filename": path,
        "status": found.status,
        "additions": found.additions,
        "deletions": found.deletions,
        "changes": found.additions + found.deletions,
        "blob_url": f"{page}/blob/{sha}/{quote(path)}",
        "raw_url": f"{page}/raw/{sha}/{quote(path)}",
        "contents_url": f"{url}/contents/{quote(path)}?ref={sha}",
    }
    if found.patch is not None:
        entry["patch"] = found.patch
    if found.previous_filename is not None:
        entry["previous_filename"] = found.previous_filename
    return entry


def short_branch(
    name: str, sha: str, repository: Repository, addresses: Addresses
) -> dict[str, Any]:
    url = addresses.repository(repository)
    return {
        "name": name,
        "commit": {"sha": sha, "url": f"{url}/commits/{sha}"},
        "protected": False,
        "protection": NOT_PROTECTED,
        "protection_url": f"{url}/branches/{quote(name)}/protection",
    }


def branch(name: str, tip: Commit, repository: Repository, addresses: Addresses) -> dict[str, Any]:
    url = f"{addresses.repository(repository)}/branches/{quote(name)}"
    return {
        **short_branch(name, tip.sha, repository, addresses),
        "commit": commit(tip, repository, addresses),
        "_links": {"self": url, "html": f"{addresses.page(repository)}/tree/{quote(name)}"},
    }


def ref(name: str, sha: str, repository: Repository, addresses: Addresses) -> dict[str, Any]:
    url = addresses.repository(repository)
    return {
        "ref": f"refs/heads/{name}",
        "node_id": f"REF_{repository.id}_{name}",
        "url": f"{url}/git/refs/heads/{quote(name)}",
        "object": {"sha": sha, "type": "commit", "url": f"{url}/git/commits/{sha}"},
    }

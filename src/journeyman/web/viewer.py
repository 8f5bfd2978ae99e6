"""Somebody who is logged in, as the service knows those who ask."""

from __future__ import annotations

from journeyman.domain.principals import Principal, TokenKind
from journeyman.domain.repositories import Account


def principal_of(account: Account) -> Principal:
    """All that the account may do: a session has no scopes to narrow it."""
    return Principal(account=account, kind=TokenKind.OAUTH)

"""Keys that all processes of this server share; each is made when it is first asked for."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from journeyman.store import logins
from journeyman.store.database import Database

KEY_BYTES = 32


async def key_of(database: Database, name: str) -> bytes:
    """*name* says what it signs."""

    def find(tx: Connection) -> bytes:
        known = logins.find_server_key(tx, name)
        if known is None:
            known = secrets.token_bytes(KEY_BYTES)
            logins.add_server_key(tx, name, known)
        return known

    try:
        return await database.write(find)
    except IntegrityError:  # another process made it in this moment
        return await database.write(find)

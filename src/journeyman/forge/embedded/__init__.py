"""The embedded forge: bare repositories on disk, everything else in the service's own store.

Knows nothing of SQL: its persistence is passed in as `Records`.
"""

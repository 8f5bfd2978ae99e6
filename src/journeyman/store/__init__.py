"""The system of record: tables and the statements on them, the same on SQLite and PostgreSQL.

Functions take a transaction and never commit; `service` begins and commits. Knows nothing of the
engine or the API.
"""

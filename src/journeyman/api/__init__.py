"""GitHub's wire format: the only package that knows its JSON, headers and status codes.

Knows nothing of storage, forges or the agent; it calls `service` and translates.
"""

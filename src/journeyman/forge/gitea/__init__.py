"""Gitea and Forgejo, by the REST API that both have.

Knows nothing of tasks or of the store.
"""

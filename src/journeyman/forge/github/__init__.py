"""GitHub and GitHub Enterprise Server, by their REST API and the few things that only GraphQL does.

Knows nothing of tasks or of the store.
"""

"""What a repository says to its agents, in GitHub's files. Texts by path in, plain values out.

Knows nothing of git, sandboxes or models.
"""

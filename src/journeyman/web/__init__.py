"""Pages for people, rendered on the server. They work without JavaScript.

Beside `api`: calls `service` only, and knows nothing of GitHub's JSON.
"""

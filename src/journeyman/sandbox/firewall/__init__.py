"""The only way out of a sandbox: a proxy and a resolver of the service, on sockets that were made
inside the session's network namespace, which has no other way.

Knows nothing of how the sandbox isolates.
"""

"""What people set: of their own, of a repository, and of the server when they administer it."""

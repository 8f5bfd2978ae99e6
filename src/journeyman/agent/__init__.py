"""The agent: its loop, its tools, what it is told. Knows no provider, no store, no host."""

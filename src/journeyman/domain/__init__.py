"""The nouns of the service and their rules. Standard library only, no I/O."""

"""Shell scripts that run inside the sandbox, where an agent may have changed all they look at."""

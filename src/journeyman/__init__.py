"""Journeyman, an open, self-hosted cloud coding agent. Holds the version and nothing else."""

__version__ = "0.1.0"

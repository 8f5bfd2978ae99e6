"""Measures a real server on this machine: `python -m benchmarks`. Loopback only, bounded."""

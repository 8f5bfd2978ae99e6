"""Isolation by a container engine on this host: Docker, or Podman's compatible API."""

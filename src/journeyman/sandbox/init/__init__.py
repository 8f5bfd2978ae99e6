"""Process 1 inside a sandbox; what runs there is `serve`."""

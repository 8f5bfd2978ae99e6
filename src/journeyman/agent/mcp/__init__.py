"""MCP servers, spoken to with the official SDK. What they say is bounded and not believed.

Its modules are slow to import, and most sessions have no server: whoever needs them imports them
then.
"""

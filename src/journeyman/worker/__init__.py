"""Keeps runs alive: takes them from the engine, steps them, and gives them back when it must
stop."""

"""The story of one run: prepare, work, deliver. Knows nothing of the queue, of other runs or of
SQL."""

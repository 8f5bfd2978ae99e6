"""The queue of runs and their durable execution. The only package that knows DBOS.

It keeps who owns a run and which of its steps have finished; conversation, state and files are
elsewhere. A run is
`prepare`, then `turn` until there is none left, then `deliver`; each step takes ids and returns a
small verdict.
"""

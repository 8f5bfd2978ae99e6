"""What an operator sees of a running process: logs, metrics, traces. Knows nothing of ours, so
that every layer may tell it something.

`logs` writes lines, `metrics` lists what is counted, `traces` sends spans where that is configured,
`measured` times a stretch of work for both, and `carried` takes the context over the queue.
A session's events are domain data, not telemetry.
"""

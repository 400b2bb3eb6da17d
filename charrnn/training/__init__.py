"""Training loops, their events, and data parallelism over processes and machines."""

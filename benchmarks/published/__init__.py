"""Published results run again: each module is a script that takes the path of the text.

    python -m benchmarks.published.war_and_peace warpeace_input.txt

Every row of a table is a run of `charrnn train`, kept under `--out`; the table names its command.
Interrupted, a script goes on where it was, and rows that are done are only read.
"""

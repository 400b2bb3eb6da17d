"""Published results, reproduced. Each module is a script that takes the path of the text.

    python -m benchmarks.published.war_and_peace warpeace_input.txt

Each row of a table is a run of `charrnn train`, saved under `--out`. The script prints its command.
An interrupted script continues where it stopped and does not repeat finished rows.
"""

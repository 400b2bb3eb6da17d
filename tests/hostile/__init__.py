"""Attacks: generated files and command lines that no input should survive as a defect.

`python -m tests.hostile --minutes 30` runs longer than the test suite does.
"""

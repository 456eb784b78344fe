"""The parts of `tools/bench.py`: models, tasks, clocks, intervals, tables."""

"""The checks, the benchmark and the report of `check_cuda.py`."""

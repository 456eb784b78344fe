"""The parts of `tools/operator_cases.py`: onnx's own cases, one check of each, what to print."""

"""The command line: one file a command; parse, call, print."""

from onnxfi.cli._exit import ExitCode
from onnxfi.cli._main import cli, main

__all__ = ["ExitCode", "cli", "main"]

"""The command line: one file a command, which parses, calls and prints.

In: the words of a command line. Out: data on stdout, everything else on stderr, and an exit code.
Modules are imported when one of their names is first used.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.cli._doctor import TINY_MODEL
    from onnxfi.cli._exit import ExitCode, guarded
    from onnxfi.cli._main import COMMANDS, cli, main
    from onnxfi.cli._output import Talk
    from onnxfi.cli._progress import Speed, describe, showing_progress
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_doctor": ["TINY_MODEL"],
            "_exit": ["ExitCode", "guarded"],
            "_main": ["COMMANDS", "cli", "main"],
            "_output": ["Talk"],
            "_progress": ["Speed", "describe", "showing_progress"],
        },
    )

__all__ = [
    "COMMANDS",
    "TINY_MODEL",
    "ExitCode",
    "Speed",
    "Talk",
    "cli",
    "describe",
    "guarded",
    "main",
    "showing_progress",
]

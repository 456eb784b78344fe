"""The ``onnxfi`` group: commands loaded on first use, errors turned into exit codes."""

from __future__ import annotations

import difflib
import importlib
import io
import signal
import sys
import types
import warnings
from typing import Any

import click

from onnxfi import __version__
from onnxfi.cli._exit import Terminated, guarded
from onnxfi.cli._options import common_options
from onnxfi.cli._output import telling_of_records

#: In the order of the help page, which is the order of a first session.
COMMANDS = (
    "inspect",
    "sites",
    "sensitivity",
    "sample",
    "inject",
    "run",
    "status",
    "report",
    "export",
    "replay",
    "doctor",
)


class LazyGroup(click.Group):
    """A group whose commands live in ``onnxfi.cli._<name>`` under the name ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"onnxfi.cli._{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        _name_variables(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with guarded(ctx), telling_of_records(ctx):
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup,
    context_settings={"auto_envvar_prefix": "ONNXFI", "help_option_names": ["-h", "--help"]},
)
@common_options
@click.version_option(__version__, prog_name="onnxfi", message="%(prog)s %(version)s")
def cli() -> None:
    """Fault injection for shipped ONNX models on onnxruntime.

    Which bit flips change a model's answers, how often, and with what confidence. A first session:

    \b
      onnxfi inspect model.onnx
      onnxfi run runs/first --model model.onnx --inputs samples.npz -n 1000
      onnxfi report runs/first -o first.html

    Data goes to stdout, everything else to stderr. Every option can also be set by an environment
    variable, ONNXFI_<COMMAND>_<OPTION>.

    Exit codes: 0 done, 1 error, 2 wrong usage, 3 stopped early on request, 4 --fail-if is true,
    130/143 interrupted or terminated.
    """  # noqa: D301  (click reads the escape)


def _name_variables(command: click.Command, name: str) -> None:
    """Let every option be set by the variable that its long flag suggests.

    Click's own names are those of the parameters, ``ONNXFI_RUN_N`` for ``--scenarios``; a variable
    that is quietly ignored would run another experiment than the one asked for.
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.envvar is None:
            flags = (flag[2:] for flag in option.opts if flag.startswith("--"))
            option.envvar = [
                f"ONNXFI_{name}_{flag}".upper().replace("-", "_") for flag in flags
            ] or None


def _on_sigterm(_signal: int, _frame: types.FrameType | None) -> None:
    raise Terminated


def _format_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> str:
    return f"warning: {message}\n"


def main() -> None:
    """Entry point of the ``onnxfi`` program."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    warnings.formatwarning = _format_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A model's names may hold what the terminal's encoding lacks: show '?', don't fail.
            stream.reconfigure(errors="replace")
    cli(prog_name="onnxfi")

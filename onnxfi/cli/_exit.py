"""Exit codes, and the one place where exceptions become a message and a code."""

from __future__ import annotations

import contextlib
import enum
import os
import sys
import traceback
from collections.abc import Iterator

import click

from onnxfi.errors import OnnxFIError


class ExitCode(enum.IntEnum):
    """What the process's exit status means."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    STOPPED = 3
    GATE = 4
    DIFFERENT = 5
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM arrived; a BaseException so that no handler of ordinary errors swallows it."""


@contextlib.contextmanager
def guarded(ctx: click.Context) -> Iterator[None]:
    """Turn whatever the body raises into one line on stderr and the right exit code.

    With ``--debug`` the traceback is printed before the line.
    """
    try:
        yield
        sys.stdout.flush()
    except (click.exceptions.Exit, click.Abort, click.ClickException):
        raise
    except OnnxFIError as error:
        _fail(ctx, error, str(error))
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        ctx.exit(ExitCode.INTERRUPTED)
    except Terminated:
        click.echo("terminated", err=True)
        ctx.exit(ExitCode.TERMINATED)
    except BrokenPipeError:
        _silence_stdout()
        ctx.exit(ExitCode.BROKEN_PIPE)
    except OSError as error:
        where = f"'{error.filename}': " if error.filename else ""
        _fail(ctx, error, f"{where}{error.strerror or error}")
    except MemoryError as error:
        _fail(ctx, error, "out of memory; a smaller --batch-size or fewer --workers may help")
    except Exception as error:
        text = f"internal error, {type(error).__name__}: {error}"
        _fail(ctx, error, text if _debug(ctx) else f"{text} (--debug shows where)")


def _fail(ctx: click.Context, error: BaseException, message: str) -> None:
    if _debug(ctx):
        traceback.print_exception(error)
    line = " ".join(message.split("\n"))
    click.echo(f"error: {line}", err=True)
    ctx.exit(ExitCode.ERROR)


def _debug(ctx: click.Context) -> bool:
    return bool(getattr(ctx.find_root().obj, "debug", False))


def _silence_stdout() -> None:
    """Point stdout at nothing: the interpreter flushes it once more on its way out."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

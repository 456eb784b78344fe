"""``onnxfi replay``: one injection of a campaign again, looked at closely."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onnxfi.cli._exit import ExitCode
from onnxfi.cli._options import common_options, force_option, json_option

if TYPE_CHECKING:
    from onnxfi.campaign import Replay


@click.command(name="replay", short_help="Carry out one injection again and look closely.")
@click.argument("folder", type=click.Path())
@click.argument("scenario", type=click.IntRange(min=0))
@click.option(
    "--trace",
    is_flag=True,
    help="Follow the faults through the graph: where values differ first, and by how much.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="Write all outputs, without and with the faults, to this .npz file.",
)
@force_option
@json_option
@common_options
def command(
    folder: str, scenario: int, trace: bool, output: str | None, force: bool, as_json: bool
) -> None:
    """Carry out injection SCENARIO of the campaign in FOLDER again; nothing is stored.

    Its counts must be those of the stored row: if they differ, the exit code is 5. Samples
    that are not masked are listed (with -v all of them).
    """
    from onnxfi.campaign import ReplayOptions, open_campaign, replay
    from onnxfi.cli._output import check_free, note, print_document, print_page, talk
    from onnxfi.report import replay_document, replay_page

    if output is not None:
        check_free(output, force)
    with _showing(trace) as show:
        options = ReplayOptions(outputs=output is not None, trace=trace, on_trace=show)
        found = replay(open_campaign(Path(folder)), scenario, options)
    if output is not None:
        _write(found, output)
        note(f"outputs written to {output}")
    if as_json:
        print_document("replay", replay_document(found, folder))
    elif talk().level > 0:
        print_page(replay_page(found, folder, limit=None))
    else:
        print_page(replay_page(found, folder))
    if found.same is False:
        click.echo("the stored row did not come out again", err=True)
        click.get_current_context().exit(ExitCode.DIFFERENT)


def _write(replay: Replay, path: str) -> None:
    """Outputs by ``golden/NAME`` and ``faulty/NAME``, and the outcome of every sample."""
    import numpy as np

    from onnxfi.files import atomic_file
    from onnxfi.outcome import Outcome, storable

    labels = np.array([outcome.label for outcome in Outcome])
    arrays = {"outcome": labels[replay.outcomes]}
    arrays |= {f"golden/{name}": storable(values) for name, values in replay.golden.items()}
    arrays |= {f"faulty/{name}": storable(values) for name, values in replay.faulty.items()}
    with atomic_file(Path(path)) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


@contextlib.contextmanager
def _showing(trace: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal while a trace is made."""
    import sys

    from onnxfi.cli._output import talk

    if not trace or talk().level < 0 or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("trace", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

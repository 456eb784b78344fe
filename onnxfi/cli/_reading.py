"""Options that say what a sample is, where it can't be inferred."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def reading_options(function: AnyFunction) -> AnyFunction:
    """Add ``--batch-axis``, ``--whole-input`` and ``--samples-are-runs`` to a command."""
    for option in (
        click.option(
            "--samples-are-runs",
            is_flag=True,
            help="Arrays of --inputs have one axis more than the model's inputs: each entry of the "
            "first is what one run gets. Each test_data_set_N is one sample.",
        ),
        click.option(
            "--whole-input",
            "whole_inputs",
            multiple=True,
            metavar="NAME",
            help="This input gets the same array in every run; may be repeated.",
        ),
        click.option(
            "--batch-axis",
            "batch_axes",
            multiple=True,
            metavar="NAME=AXIS",
            help="The samples are on this axis of this input or output; may be repeated. x=0:1: "
            "on axis 0 of the array and axis 1 of the model's input.  [default: as runs on two "
            "and three samples show]",
        ),
    ):
        function = option(function)
    return function

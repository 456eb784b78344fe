"""Writing a scenario into an ordinary faulty model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from onnxfi.api._keywords import ReadingKeywords
from onnxfi.api._sites import Inputs, load_model, reading_choice, site_table
from onnxfi.faults import Scenario, find_site
from onnxfi.graph import as_in_file, embedded, save, serialize
from onnxfi.inject import bake as bake_model


def bake(
    model: Any,
    scenario: Scenario,
    output: str | PathLike[str] | None = None,
    *,
    inputs: Inputs | None = None,
    state: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | PathLike[str]] = (),
    **said: Unpack[ReadingKeywords],
) -> bytes:
    """Write a scenario into a model, as an ordinary ONNX file for any runtime.

    Args:
        model: Path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``; not changed.
        scenario: The faults, all of them present in every sample.
        output: File to write; None writes none.
        inputs: Workload; needed for faults in activations and inputs, whose run-time shapes the
            file does not tell.
        state: Outputs of a streaming model and the inputs that they are fed back to.
        custom_ops: Shared libraries with operators that the model uses; code that runs.
        **said: What a sample is: ``batch_axes``, ``whole_inputs``, ``samples_are_runs``.

    Returns:
        The faulty model, serialized: of a file that was written, its content.

    Raises:
        FaultError: A site, element or bit does not exist, or can't be baked.
        ModelError: The model is unusable.
    """
    loaded = load_model(model, custom_ops)
    table = site_table(loaded, inputs, state, custom_ops, reading_choice(said))
    sites = {site.name: site for site in table.sites}
    for name in scenario.sites:  # steps and gates are not in the table
        found = find_site(name, sites)
        if found is not None:
            sites[name] = found
    baked = bake_model(loaded, scenario, sites, in_sequences=bool(state))
    faulty = as_in_file(baked, model).model
    if output is None:
        return serialize(embedded(faulty)).data
    save(faulty, Path(output), beside=True)
    return Path(output).read_bytes()

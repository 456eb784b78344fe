"""Loading what a command is about: the model, its workload, and the sites in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from onnxfi.cli._output import detail

if TYPE_CHECKING:
    from onnxfi.engine import EngineSettings, Profile
    from onnxfi.faults import SiteTable
    from onnxfi.graph import Model
    from onnxfi.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model and, where inputs were given, its workload and profile.

    Attributes:
        model: The model, or the deployed graph in its place.
        table: All its sites, and what is left out.
        workload: The samples; None without inputs.
        profile: Run-time layouts; None without inputs.
        graph_sha256: Fingerprint of the deployed graph; None for the model as it is stored.
    """

    model: Model
    table: SiteTable
    workload: Workload | None
    profile: Profile | None
    graph_sha256: str | None

    @property
    def graph(self) -> Literal["stored", "deployed"]:
        """Whose tensors the sites are."""
        return "stored" if self.graph_sha256 is None else "deployed"


def load_subject(path: str, inputs: str | None, options: Mapping[str, Any]) -> LoadedModel:
    """Load a model and enumerate its sites, with run-time layouts where inputs are given.

    Args:
        path: The model file.
        inputs: Source of a workload, or None.
        options: Values of the options ``graph``, ``optimization``, ``custom_ops``, ``state``, and
            of those that say what a sample is.
    """
    from onnxfi.engine import complete_types
    from onnxfi.faults import enumerate_sites
    from onnxfi.graph import initializer_words, load
    from onnxfi.workload import sample_choice, stream_of

    original = model = complete_types(load(path), _settings(options))
    detail(f"{path}: sha256 {model.sha256}, {len(model.index.nodes)} nodes")
    workload, profile, graph_sha256 = None, None, None
    if options["graph"] == "deployed":
        from onnxfi.engine import deployed
        from onnxfi.graph import fingerprint

        model = deployed(model, _settings(options))
        graph_sha256 = fingerprint(model)
        detail(f"{model.source}: sha256 {graph_sha256}, {len(model.index.nodes)} nodes")
    stream = stream_of(options["state"], model.inputs, model.outputs)
    if inputs is not None:
        from onnxfi.engine import check_replay, open_workload
        from onnxfi.engine import profile as profile_model

        settings = replace(_settings(options), stream=stream)
        said = sample_choice(
            options["batch_axes"], options["whole_inputs"], runs=options["samples_are_runs"]
        )
        workload = open_workload(original, inputs, stream=stream, choice=said, settings=settings)
        profile = profile_model(model, workload, settings)
        if graph_sha256 is not None:
            check_replay(original, model, workload, profile, settings)
        detail(f"{workload.samples} samples, batch {profile.batch_size}: {profile.reason}")
    layouts = None if profile is None else profile.layouts
    unseen = None if profile is None else profile.left_out
    states = () if stream is None else stream.state_inputs
    table = enumerate_sites(model.index, model.inputs, model.outputs, layouts, unseen, states)
    table = table.reading(partial(initializer_words, model))
    return LoadedModel(
        model=model, table=table, workload=workload, profile=profile, graph_sha256=graph_sha256
    )


def _settings(options: Mapping[str, Any]) -> EngineSettings:
    from onnxfi.engine import EngineSettings

    return EngineSettings(
        graph=options["graph"] or "stored",
        optimization=options["optimization"] or "all",
        custom_ops=options["custom_ops"],
    )

"""What is studied: a model, or the graph that is deployed of it, and its workload.

The engine is imported where something must be run: results are read without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from onnxfi.campaign._document import Plan
from onnxfi.campaign._freed import freed_again, try_freeing
from onnxfi.errors import CampaignMismatchError
from onnxfi.faults import SampleLayout, SiteTable, enumerate_sites
from onnxfi.graph import Model, fingerprint, initializer_words, load, untyped
from onnxfi.settings import CampaignSettings
from onnxfi.workload import (
    SampleChoice,
    Signature,
    StateStream,
    Workload,
    output_axes,
    read_workload,
    reading_of,
    sample_choice,
    stream_of,
)

if TYPE_CHECKING:
    from onnxfi.engine import EngineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is studied: the model, and the workload that it runs on.

    Attributes:
        model: The graph whose tensors are faulted.
        workload: The samples.
        origin: The model of the file, where the graph is the one that is deployed; else None.
        graph_sha256: Fingerprint of the deployed graph; None likewise.
        freed_batch: The batch that the file fixes and the model does not; None if there is none.
        kept_batch: Why a batch that the file fixes stays; empty otherwise.
    """

    model: Model
    workload: Workload
    origin: Model | None = None
    graph_sha256: str | None = None
    freed_batch: int | None = None
    kept_batch: str = ""

    @property
    def graph(self) -> Literal["stored", "deployed"]:
        """Whose tensors are faulted."""
        return "stored" if self.origin is None else "deployed"

    def site_table(
        self,
        layouts: Mapping[str, SampleLayout] | None,
        unseen: Mapping[str, str] | None = None,
    ) -> SiteTable:
        """All sites of the model.

        Args:
            layouts: Layouts of run-time values; None leaves computed sites without shapes, else
                those it does not know are left out.
            unseen: Why a value has no layout, by name.
        """
        model = self.model
        stream = self.workload.stream
        states = () if stream is None else stream.state_inputs
        table = enumerate_sites(model.index, model.inputs, model.outputs, layouts, unseen, states)
        return table.reading(partial(initializer_words, model))


def load_subject(
    settings: CampaignSettings, folder: Path | None = None, plan: Plan | None = None
) -> Subject:
    """Read the model and the workload that the settings name.

    Args:
        settings: The settings; relative paths in them are inside ``folder``.
        folder: The campaign folder.
        plan: Has what a sample is; without it, this is found out.
    """
    base = Path() if folder is None else folder
    plain = settings.inputs.startswith("random:")
    inputs = settings.inputs if plain else base / settings.inputs
    if plan is None:
        return open_subject(base / settings.model, inputs, settings)
    model = load(base / settings.model)
    if plan.freed_batch is not None:
        freed = freed_again(model, plan.freed_batch)
        if freed is None:
            raise CampaignMismatchError(
                f"the batch of {settings.model} can't be freed, as it was when {folder} was made;"
                " restore the file, or make a new campaign"
            )
        model = freed
    signature = Signature(
        inputs=model.inputs,
        outputs=model.outputs,
        stream=stream_of(settings.state, model.inputs, model.outputs),
    )
    said = output_axes(choice_of(settings), model.outputs)
    workload = read_workload(inputs, signature, reading_of(plan.reading, said))
    return Subject(model=model, workload=workload, freed_batch=plan.freed_batch)


def open_subject(model: Any, inputs: Any, settings: CampaignSettings) -> Subject:
    """Read a model and a workload from whatever holds them.

    Args:
        model: Path, ``bytes``, ``onnx.ModelProto`` or graphsurgeon ``Graph``.
        inputs: Path, ``random:N:SEED``, or arrays by name.
        settings: What they are studied with: state, samples, how the model is run.
    """
    from onnxfi.engine import open_workload

    opened = load(model)
    stream = stream_of(settings.state, opened.inputs, opened.outputs)
    choice, how = choice_of(settings), engine_settings(settings, stream)
    freed = try_freeing(opened, inputs, choice, how)
    if freed.subject is not None:
        opened, workload = freed.subject
        return Subject(model=opened, workload=workload, freed_batch=freed.rows)
    workload = open_workload(opened, inputs, stream=stream, choice=choice, settings=how)
    return Subject(model=opened, workload=workload, kept_batch=freed.reason)


def choice_of(settings: CampaignSettings) -> SampleChoice:
    """What the user says about samples.

    Raises:
        ConfigError: A text is not of the form that it should have.
    """
    return sample_choice(settings.batch_axes, settings.whole_inputs, runs=settings.samples_are_runs)


def choose_graph(subject: Subject, settings: CampaignSettings) -> Subject:
    """The subject as it comes from its files, or with the deployed graph in place of the model.

    Either way with the types of all that is computed.

    Raises:
        ConfigError: The deployed graph can't be studied.
    """
    if settings.graph == "stored" and not untyped(subject.model):
        return subject
    from onnxfi.engine import complete_types, deployed

    chosen = engine_settings(settings, subject.workload.stream)
    model = complete_types(subject.model, chosen)
    if settings.graph == "stored":
        return replace(subject, model=model)
    graph = deployed(model, chosen)
    return replace(subject, model=graph, origin=model, graph_sha256=fingerprint(graph))


def engine_settings(
    settings: CampaignSettings, stream: StateStream | None, plan: Plan | None = None
) -> EngineSettings:
    """What the engine needs, as wished for, or as the plan has fixed it."""
    from onnxfi.engine import EngineSettings

    return EngineSettings(
        engine=settings.engine if plan is None else plan.engine,
        provider=settings.provider,
        optimization=settings.optimization,
        graph=settings.graph,
        batch_size=settings.batch_size if plan is None else plan.batch_size,
        timeout_s=settings.timeout_s if plan is None else plan.timeout_s,
        stream=stream,
        custom_ops=settings.custom_ops,
    )

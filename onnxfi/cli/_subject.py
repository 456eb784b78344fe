"""Loading what a command is about: the model, its workload, and the sites in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxfi.cli._talk import detail

if TYPE_CHECKING:
    from onnxfi.engine import Profile
    from onnxfi.faults import SiteTable
    from onnxfi.graph import Model
    from onnxfi.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model and, where inputs were given, its workload and profile.

    Attributes:
        model: The model.
        table: All its sites, and what is left out.
        workload: The samples; None without inputs.
        profile: Run-time layouts; None without inputs.
    """

    model: Model
    table: SiteTable
    workload: Workload | None
    profile: Profile | None


def load_subject(path: str, inputs: str | None) -> Subject:
    """Load a model and enumerate its sites, with run-time layouts where inputs are given."""
    from onnxfi.faults import enumerate_sites
    from onnxfi.graph import load

    model = load(path)
    detail(f"{path}: sha256 {model.sha256}, {len(model.index.nodes)} nodes")
    workload, profile = None, None
    if inputs is not None:
        from onnxfi.engine import EngineSettings
        from onnxfi.engine import profile as profile_model
        from onnxfi.workload import read_workload

        workload = read_workload(inputs, model.inputs)
        profile = profile_model(model, workload, EngineSettings())
        detail(f"{workload.samples} samples, batch {profile.batch_size}: {profile.reason}")
    layouts = None if profile is None else profile.layouts
    unseen = None if profile is None else profile.left_out
    table = enumerate_sites(model.index, model.inputs, model.outputs, layouts, unseen)
    return Subject(model=model, table=table, workload=workload, profile=profile)

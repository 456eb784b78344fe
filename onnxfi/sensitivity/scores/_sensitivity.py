"""What measuring a sensitivity gives: scores, how they were measured, what they are valid for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

import msgspec

from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultModel, FaultSite, FaultSpace
from onnxfi.sensitivity.scores._file import Provenance, read_file, write_file
from onnxfi.sensitivity.scores._pack import SiteScores
from onnxfi.sensitivity.scores._scores import SensitivityScores
from onnxfi.sensitivity.scores._sites import ComputedScores, StoredScores
from onnxfi.sensitivity.scores._summary import SHOWN_CHANNELS, Expected, expect
from onnxfi.settings import SensitivityOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Runs beyond the fault-free ones.

    Attributes:
        samples: Samples run, each through the whole model.
        runs: Runs they were in.
    """

    samples: int = 0
    runs: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Both."""
        return Cost(samples=self.samples + other.samples, runs=self.runs + other.runs)

    def injections(self, workload_samples: int) -> int:
        """As how many injections over a workload it counts, rounded up.

        Args:
            workload_samples: Samples that an injection is carried out over.
        """
        return math.ceil(self.samples / workload_samples)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sensitivity:
    """Scores of the faults of some sites of a model, measured on calibration samples.

    Attributes:
        scores: How likely each fault is to fail; what samplers take.
        options: How it was measured.
        model_sha256: The model.
        inputs_sha256: The calibration samples.
        criterion: What a changed decision was.
        cost: What was run beyond fault-free runs.
        methods: By site, what its scores come from: ``rule``, ``probes`` or ``trials``.
        notes: What a reader should know, in sentences.
        graph_sha256: Fingerprint of the deployed graph whose tensors the sites are; None for
            those of the file.
    """

    scores: SensitivityScores
    options: SensitivityOptions
    model_sha256: str
    inputs_sha256: str
    criterion: str
    cost: Cost
    methods: Mapping[str, str]
    notes: tuple[str, ...] = ()
    graph_sha256: str | None = None

    def expected(
        self,
        sites: Sequence[FaultSite],
        fault_model: FaultModel | Sequence[FaultModel] = BitFlip(),  # noqa: B008  # frozen
        channels: int = SHOWN_CHANNELS,
    ) -> Expected:
        """What the scores expect: failure rates by site and by bit, the channels with most.

        Args:
            sites: Where faults are; all of them measured.
            fault_model: What they are.
            channels: How many channels to tell of.

        Raises:
            ConfigError: A site has no scores, or a fault model is random.
        """
        models = fault_model if isinstance(fault_model, Sequence) else (fault_model,)
        return expect(FaultSpace(sites, models), self.scores, channels)

    def save(self, path: str | PathLike[str]) -> None:
        """Write it into a file, a ``.npz``, which ``--scores`` and :meth:`load` take."""
        provenance = Provenance(
            model_sha256=self.model_sha256,
            graph_sha256=self.graph_sha256,
            inputs_sha256=self.inputs_sha256,
            criterion=self.criterion,
            options=msgspec.structs.asdict(self.options),
            cost=asdict(self.cost),
            methods=dict(self.methods),
            notes=self.notes,
        )
        write_file(Path(path), provenance, self.scores)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Sensitivity:
        """Read it from a file.

        Raises:
            ConfigError: The file is missing, damaged, of another kind or of a newer version.
        """
        provenance, scores = read_file(Path(path))
        try:
            options, cost = SensitivityOptions(**provenance.options), Cost(**provenance.cost)  # type: ignore[arg-type]
        except (TypeError, ConfigError) as error:
            raise ConfigError(
                f"{path} was measured with options that make no sense: {error}"
            ) from error
        return cls(
            scores=scores,
            options=options,
            model_sha256=provenance.model_sha256,
            inputs_sha256=provenance.inputs_sha256,
            criterion=provenance.criterion,
            cost=cost,
            methods=provenance.methods,
            notes=provenance.notes,
            graph_sha256=provenance.graph_sha256,
        )


def check_subject(
    found: Sensitivity, model_sha256: str, graph_sha256: str | None, sites: Sequence[FaultSite]
) -> None:
    """Refuse scores of another model, or that lack a site.

    Args:
        found: The scores, and what they are of.
        model_sha256: The model that is faulted.
        graph_sha256: Fingerprint of its deployed graph, where that is faulted; else None.
        sites: The sites that are faulted.

    Raises:
        ConfigError: The model, the graph, the sites or their shapes differ.
    """
    if found.model_sha256 != model_sha256:
        raise ConfigError(
            f"the scores are of another model (sha256 {found.model_sha256[:12]}…, here "
            f"{model_sha256[:12]}…); measure this one with `onnxfi sensitivity`"
        )
    if found.graph_sha256 != graph_sha256:
        raise ConfigError(
            f"the scores are of {_graph(found.graph_sha256)}, and faults are put into "
            f"{_graph(graph_sha256)}; measure again with the same --graph"
        )
    missing = [site.name for site in sites if site.name not in found.scores.sites]
    if missing:
        raise ConfigError(
            f"the scores lack site {missing[0]!r} ({len(missing)} of {len(sites)} chosen sites are "
            f"missing); measure with the same sites chosen, or "
            "choose others"
        )
    for site in sites:
        measured = _elements(found.scores.sites[site.name])
        here = None if site.layout is None else site.layout.elements
        if measured is not None and measured != here:
            raise ConfigError(
                f"the scores of site {site.name!r} are of {measured} elements, here it has {here}; "
                "measure on inputs of the same shape"
            )


def _graph(sha256: str | None) -> str:
    return "the tensors of the file" if sha256 is None else f"a deployed graph ({sha256[:12]}…)"


def _elements(scores: SiteScores) -> int | None:
    """Elements of the tensor that was measured; None where that doesn't matter."""
    if isinstance(scores, StoredScores):
        return len(scores.words)
    return scores.words.shape[1] if isinstance(scores, ComputedScores) else None

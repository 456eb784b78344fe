"""What measuring a sensitivity gives: scores, and how they were come by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, FaultModel, FaultSite, FaultSpace
from onnxfi.sensitivity.scores._cost import Cost
from onnxfi.sensitivity.scores._file import Told, read_file, write_file
from onnxfi.sensitivity.scores._options import SensitivityOptions
from onnxfi.sensitivity.scores._scores import SensitivityScores
from onnxfi.sensitivity.scores._summary import SHOWN_CHANNELS, Expected, expect


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
        told = Told(
            model_sha256=self.model_sha256,
            graph_sha256=self.graph_sha256,
            inputs_sha256=self.inputs_sha256,
            criterion=self.criterion,
            options=asdict(self.options),
            cost=asdict(self.cost),
            methods=dict(self.methods),
            notes=self.notes,
        )
        write_file(Path(path), told, self.scores)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Sensitivity:
        """Read it from a file.

        Raises:
            ConfigError: The file is missing, damaged, of another kind or of a newer version.
        """
        told, scores = read_file(Path(path))
        try:
            options, cost = SensitivityOptions(**told.options), Cost(**told.cost)  # type: ignore[arg-type]
        except (TypeError, ConfigError) as error:
            raise ConfigError(
                f"{path} was measured with options that make no sense: {error}"
            ) from error
        return cls(
            scores=scores,
            options=options,
            model_sha256=told.model_sha256,
            inputs_sha256=told.inputs_sha256,
            criterion=told.criterion,
            cost=cost,
            methods=told.methods,
            notes=told.notes,
            graph_sha256=told.graph_sha256,
        )

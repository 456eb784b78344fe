"""``golden.npz``: what the fault-free run answered, by which every worker checks itself."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import CampaignMismatchError, GoldenError, StoreError
from onnxfi.files import atomic_file
from onnxfi.outcome import (
    AllOutputs,
    BoundCriterion,
    OutcomeCounts,
    ValueStatistics,
    statistics_document,
    statistics_from,
    storable,
)
from onnxfi.workload import Workload

if TYPE_CHECKING:
    from onnxfi.engine import Golden


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoldenFile:
    """The fault-free run of a campaign.

    Attributes:
        output: Name of the output that carries the decision.
        values: That output over the whole workload, samples along axis 0; text of one width.
        sha256: Hash over all outputs of all runs, hex.
        correct: Samples answered as labelled; None without labels.
        monitors: Statistics of the monitored values, by name.
    """

    output: str
    values: NDArray[Any]
    sha256: str
    correct: int | None
    monitors: Mapping[str, ValueStatistics] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        golden: Golden,
        bound: BoundCriterion,
        workload: Workload,
        monitors: Mapping[str, ValueStatistics] | None = None,
    ) -> GoldenFile:
        """What is kept of a golden run.

        Raises:
            GoldenError: With labels, none of the samples is answered right.
        """
        counts: OutcomeCounts = golden.counts(bound, workload.labels)
        if counts.correct == 0:
            raise GoldenError(
                f"the fault-free model answers none of the {workload.samples} labelled samples "
                "right, so no accuracy can drop; check labels and inputs, or leave the labels out"
            )
        return cls(
            output=bound.output,
            values=storable(golden.samples(bound.output)),
            sha256=golden.sha256,
            correct=counts.correct,
            monitors=monitors or {},
        )

    def write(self, path: Path) -> None:
        """Write the file."""
        correct = -1 if self.correct is None else self.correct
        with atomic_file(path) as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                output=np.array(self.output),
                values=self.values,
                sha256=np.array(self.sha256),
                correct=np.array(correct),
                monitors=np.array(json.dumps(statistics_document(self.monitors))),
            )

    @classmethod
    def read(cls, path: Path) -> GoldenFile:
        """Read the file.

        Raises:
            StoreError: It is missing or damaged.
        """
        try:
            # Opened here, since numpy leaves the file open when it turns out to be damaged.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                correct = int(data["correct"])
                return cls(
                    output=str(data["output"]),
                    values=data["values"],
                    sha256=str(data["sha256"]),
                    correct=None if correct < 0 else correct,
                    # Files of campaigns made before there were monitors have none.
                    monitors=statistics_from(json.loads(str(data.get("monitors", "{}")))),
                )
        except FileNotFoundError as error:
            raise StoreError(f"{path} is missing; restore it from a copy") from error
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            # What numpy says would rather invite to load pickles.
            raise StoreError(
                f"{path} is damaged, or no record of a fault-free run; restore it from a copy"
            ) from error

    def check(self, golden: Golden, bound: BoundCriterion, workload: Workload) -> None:
        """Refuse a machine whose fault-free decisions are not those of the campaign.

        Equal bits pass at once; other bits pass if no decision differs, but not where the
        criterion looks at all outputs.

        Raises:
            CampaignMismatchError: A decision differs.
        """
        if golden.sha256 == self.sha256:
            return
        here = storable(golden.samples(bound.output))
        # One output is kept: whether the decision of all of them is the same, only bits can say.
        if (
            here.shape != self.values.shape
            or isinstance(bound.criterion, AllOutputs)
            or bound.criterion.decide(self.values, here, workload.labels).any()
        ):
            raise CampaignMismatchError(
                "the fault-free run on this machine decides differently from the one that the "
                "campaign was made with; rows would not be comparable: run it on a machine like "
                "the first"
            )

"""Metrics: what is measured of every sample beside its outcome, by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.outcome._counts import MetricSum
from onnxfi.outcome._record import MONITORS, SPIKES
from onnxfi.plugins import Registry, read_options, written_options

if TYPE_CHECKING:
    from onnxfi.outcome._outputs import RunOutputs
    from onnxfi.workload import Labels


class Metric(ABC):
    """A measure of how far outputs are from golden ones, one number a sample.

    A metric is a frozen dataclass that is derived from this class and has a ``name`` and a
    ``help``; its annotated fields are its options. Its text is its key in the rows.
    """

    __slots__ = ()

    name: ClassVar[str]
    help: ClassVar[str]

    @abstractmethod
    def measure(
        self, golden: RunOutputs, faulty: RunOutputs, labels: Labels | None
    ) -> NDArray[np.floating[Any]]:
        """The measure of each sample, float (B,); NaN or infinite where it is undefined.

        Args:
            golden: Fault-free outputs by name, samples on axis 0.
            faulty: Those of the faulty run, of the same shapes.
            labels: The right answers (B,), or None.
        """

    @classmethod
    def read(cls, values: str) -> Self:
        """The metric of ``OPTION=VALUE,OPTION=VALUE``, which may be empty."""
        return cls(**read_options(cls, values, "metric"))

    def spec(self) -> str:
        """The name, and the options that differ from their defaults; part of the identity."""
        return written_options(self)


#: The metrics: one line each, where its class is.
METRICS: Registry[Metric] = Registry(
    "metric",
    {
        "relative-error": "onnxfi.outcome._relative:RelativeError",
    },
    group="onnxfi.metrics",
)


def parse_metric(text: str) -> Metric:
    """The metric of a text, ``NAME`` or ``NAME:OPTION=VALUE,OPTION=VALUE``.

    Raises:
        ConfigError: There is no such metric, it has no such option, or a value is wrong.
    """
    name, _, values = text.partition(":")
    return METRICS.get(name).read(values)


def metrics_by_key(metrics: Sequence[Metric]) -> dict[str, Metric]:
    """Metrics by their key in the rows.

    Raises:
        ConfigError: Two have the same key, or one has that of something else in the rows.
    """
    found: dict[str, Metric] = {}
    for metric in metrics:
        key = metric.spec()
        if key in found or key in (MONITORS, SPIKES):
            raise ConfigError(f"metric '{key}': rows have another value of that name already")
        found[key] = metric
    return found


def measured(
    metrics: Mapping[str, Metric],
    pair: tuple[RunOutputs, RunOutputs] | None,
    labels: Labels | None,
    samples: int,
) -> dict[str, MetricSum]:
    """Sums of metrics over the samples of a batch.

    Args:
        metrics: The metrics by key.
        pair: Golden and faulty outputs, samples on axis 0; None where their shapes differ, so that
            nothing is defined.
        labels: The right answers (samples,), or None.
        samples: Samples of the batch.

    Raises:
        ConfigError: A metric raised, or returned anything but a number a sample.
    """
    if pair is None:
        return dict.fromkeys(metrics, MetricSum())
    return {key: _sum(metric, pair, labels, samples) for key, metric in metrics.items()}


def _sum(
    metric: Metric, pair: tuple[RunOutputs, RunOutputs], labels: Labels | None, samples: int
) -> MetricSum:
    key = metric.spec()
    try:
        values = np.asarray(metric.measure(*pair, labels))
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"metric {key} raised {type(error).__name__}: {error}") from error
    if values.dtype.kind not in "fiub" or values.shape != (samples,):
        raise ConfigError(
            f"metric {key} returned {values.dtype} {list(values.shape)}, expected float"
            f" [{samples}], one a sample"
        )
    defined = values[np.isfinite(values)].astype(np.float64)
    return MetricSum(samples=len(defined), total=float(defined.sum()))

"""Conformance suites: what every plug-in must keep to, ours and yours alike.

In: your classes, given by a test class that is derived from a suite. Out: tests, which pytest runs.
Nothing in the package imports this room.
"""

from onnxfi.testing._engines import EngineSuite
from onnxfi.testing._executors import ExecutorSuite
from onnxfi.testing._fault_models import FaultModelSuite, site_of
from onnxfi.testing._outcome import CriterionSuite, MetricSuite
from onnxfi.testing._samplers import SamplerSuite

__all__ = [
    "CriterionSuite",
    "EngineSuite",
    "ExecutorSuite",
    "FaultModelSuite",
    "MetricSuite",
    "SamplerSuite",
    "site_of",
]

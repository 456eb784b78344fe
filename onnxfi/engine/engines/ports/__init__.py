"""The ports engine: faults enter sessions through extra inputs, without a rebuild per scenario.

In: a context and scenarios, as for every engine. Out: what every engine gives. Inside, a model is
instrumented (:class:`OpenModel`) or the executable graph gets ports; its extra inputs are fed from
the host, or lie on a device and are patched there; in a sequence, step by step.
"""

from onnxfi.engine.engines.ports._inputs import Kept, KeptBatches
from onnxfi.engine.engines.ports._ports import OpenModel, PortsEngine, check_sizes

__all__ = ["Kept", "KeptBatches", "OpenModel", "PortsEngine", "check_sizes"]

"""Networks over time: the step, the layer and the neuron part of each site.

Found from the graph alone, for networks that are unrolled in the file and for bodies of loops. In:
sites and the index of their graph. Out: the same sites with ``step``, ``series``, ``layer`` and
``part`` filled in where the network has steps.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.faults.steps._flow import COMPARISONS, reach
    from onnxfi.faults.steps._labels import labelled, spike_values
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_flow": ["COMPARISONS", "reach"],
            "_labels": ["labelled", "spike_values"],
        },
    )

__all__ = ["COMPARISONS", "labelled", "reach", "spike_values"]

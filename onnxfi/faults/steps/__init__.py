"""Networks over time: the step, the layer and the neuron part of each site.

Found from the graph alone, for networks that are unrolled in the file and for bodies of loops. In:
sites and the index of their graph. Out: the same sites with ``step``, ``series``, ``layer`` and
``part`` filled in where the network has steps.
"""

from onnxfi.faults.steps._flow import COMPARISONS, reach
from onnxfi.faults.steps._labels import labelled, spike_values

__all__ = [
    "COMPARISONS",
    "labelled",
    "reach",
    "spike_values",
]

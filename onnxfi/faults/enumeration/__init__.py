"""Enumeration: every tensor of a model becomes a site, or is left out with a reason.

In: the index of a graph, and the layouts that a profile saw. Out: a :class:`SiteTable` of sites in
a fixed order, which fault numbers rest on, and of the tensors that are none.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.faults.enumeration._computed import PORT_TYPES
    from onnxfi.faults.enumeration._enumerate import SiteTable, enumerate_sites
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_computed": ["PORT_TYPES"],
            "_enumerate": ["SiteTable", "enumerate_sites"],
        },
    )

__all__ = ["PORT_TYPES", "SiteTable", "enumerate_sites"]

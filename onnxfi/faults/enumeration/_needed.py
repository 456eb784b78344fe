"""Values that an output depends on: what nothing waits for does not run in a deployed model."""

from __future__ import annotations

from collections.abc import Iterable

from onnxfi.graph import GraphIndex


def needed_values(index: GraphIndex, outputs: Iterable[str]) -> frozenset[str]:
    """Values that some output depends on.

    Args:
        index: The graph. Whoever needs an output of a node with bodies needs all that these read.
        outputs: Names of the graph outputs.
    """
    reads: dict[str, set[str]] = {}
    makes: dict[str, set[str]] = {}
    for node in index.nodes:
        around = index.around(node.scope)
        top = around[-1].owner.name if around else node.name
        reads.setdefault(top, set()).update(node.inputs)
        makes.setdefault(top, set()).update(node.outputs)
    for body in index.bodies.values():
        top = index.around(body.path)[-1].owner.name
        reads[top].update(body.outputs)  # which may be values of the graph around
        makes[top].update(body.inputs)
    makers = {value: top for top, values in makes.items() for value in values}
    needed = set(outputs)
    pending = list(needed)
    done: set[str] = set()
    while pending:
        maker = makers.get(pending.pop())
        if maker is not None and maker not in done:
            done.add(maker)
            new = (reads[maker] | makes[maker]) - needed
            needed |= new
            pending.extend(new)
    return frozenset(needed)

"""The verifier: proves that an edited model is the original but for what was done on purpose."""

from __future__ import annotations

from onnxfi.errors import ModelError, RewriteError
from onnxfi.graph.edit._compare import Comparison
from onnxfi.graph.edit._opset import raise_opset
from onnxfi.graph.index import Edits, Form, Model
from onnxfi.graph.proto import sort_graph


def verify_untouched(original: Model, edited: Model) -> None:
    """Prove that everything but the declared edits is the original.

    Compares the two graphs node by node and tensor by tensor, independently of the code that did
    the edits: every node is there with its operator, attributes, inputs and outputs (but for the
    names between which node groups lie), every initializer that was not replaced has the same
    bytes, inputs and outputs are the same, and what was added is declared. A model whose opset was
    raised is compared with the raised original.

    Raises:
        RewriteError: Something else differs; the message names it.
    """
    if original.edits != Edits():
        raise RewriteError("the model to compare with has been edited itself")
    if edited.opset != original.opset:
        original = raise_opset(original, edited.opset)
    _compare_model(original, edited)
    _compare_graphs(original, edited)
    _check_lifted(original, edited)
    _check_valid(edited)


def _compare_model(original: Model, edited: Model) -> None:
    before, after = original.proto, edited.proto
    if before.ir_version != after.ir_version:
        raise RewriteError(f"the IR version changed: {before.ir_version} to {after.ir_version}")
    ours = {entry.domain: entry.version for entry in before.opset_import}
    theirs = {entry.domain: entry.version for entry in after.opset_import}
    for domain in ours.keys() | theirs.keys():
        added = domain not in ours and domain in edited.edits.domains
        if ours.get(domain) != theirs.get(domain) and not added:
            raise RewriteError(
                f"the version of domain {domain!r} changed: {ours.get(domain)} to"
                f" {theirs.get(domain)}"
            )
    if edited.folder != original.folder:
        raise RewriteError("the folder of external data changed")


def _compare_graphs(original: Model, edited: Model) -> None:
    edits = edited.edits
    places = original.index.places
    tensors = (Form.TENSOR, Form.SPARSE)
    qualified = {(p.scope, p.local): name for name, p in places.items() if p.form in tensors}
    parts = [places[name] for name in edits.replaced if name in places]
    others = [part for part in parts if part.form not in tensors]
    graphs = original.proto.graph, edited.proto.graph
    Comparison(edits, qualified, others).run("", *graphs, {})


def _check_lifted(original: Model, edited: Model) -> None:
    specs = {spec.name: spec for spec in edited.inputs}
    for name in edited.edits.lifted:
        entry = original.index.initializers.get(name)
        spec = specs.get(name)
        if entry is None:
            continue  # a constant of a node group, lifted later
        if spec is None or spec.element is not entry.element:
            raise RewriteError(f"lifted initializer {name!r} is not an input of its type")


def _check_valid(edited: Model) -> None:
    """Every value is defined once and nothing is read that isn't: no consumer was cut off."""
    whole = edited.editable()
    try:
        sort_graph(whole.graph)
    except ModelError as error:
        raise RewriteError(f"the edited graph is not valid: {error}") from None
    before = [node.name for node in edited.proto.graph.node]
    if before != [node.name for node in whole.graph.node]:
        raise RewriteError("the edited graph is not sorted")

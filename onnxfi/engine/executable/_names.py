"""Names for an optimised graph: those of the stored model where tensors correspond."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxfi.bits import ElementType, format_of, has_format
from onnxfi.engine.executable._carried import Feeds, carried_values
from onnxfi.engine.executable._mapping import Traced, map_weights
from onnxfi.engine.executable._twins import unsaturated
from onnxfi.engine.runtime import EngineSettings
from onnxfi.faults import enumerate_sites
from onnxfi.graph import Initializer, Model, Node, densify, initializer_words, rename
from onnxfi.graph.ops import is_a
from onnxfi.inject import layout_of

# What onnxruntime appends to names that it makes, counting as it goes.
_COUNTER = re.compile(r"_token_\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _UsedNames:
    """Names given so far, and a way to more of them."""

    names: set[str]

    def form_of(self, base: str) -> str:
        """``base``, or ``base~2``, ``base~3`` where it is used: one more form of that tensor."""
        return self._first_free(base, "~")

    def cleaned(self, name: str) -> str:
        """A name that onnxruntime made, without its counter; ``#2``, ``#3`` if used."""
        return self._first_free(_COUNTER.sub("", name), "#")

    def _first_free(self, base: str, mark: str) -> str:
        name, number = base, 1
        while name in self.names:
            number += 1
            name = f"{base}{mark}{number}"
        self.names.add(name)
        return name


def with_stored_names(
    model: Model, executable: Model, trials: Sequence[Feeds], settings: EngineSettings
) -> Model:
    """The optimised graph with the names of the model for the tensors that are in both.

    A name depends on model and settings alone. onnxruntime's own names do not: it counts what it
    inserts in the order of hash tables.

    Args:
        model: The model.
        executable: Its optimised form, in canonical order.
        trials: Feeds of several runs, on samples that differ; none to go by structure alone.
        settings: How the model is run.
    """
    fixed = {spec.name for spec in (*executable.inputs, *executable.outputs)}
    known = {name for node in model.index.nodes for name in node.outputs if name}
    made = [name for node in _top(executable) for name in node.outputs if name]
    stored = [name for name, entry in executable.index.initializers.items() if not entry.scope]
    dense = densify(model)
    kept = {name for name in made if name in known} | fixed
    kept |= {name for name in stored if name in known or _unchanged(dense, executable, name)}
    new = [name for name in made if name not in kept]
    wanted = _weight_names(model, executable, [n for n in stored if n not in kept], settings)
    if new and trials:
        wanted |= carried_values(*unsaturated(model, executable, settings), new, trials, settings)
    # Before further forms of what they carry, so that theirs is the name without a number.
    first = [name for name in (*stored, *new) if name in wanted]
    wanted |= _forms(executable, new, wanted)
    # Nested graphs keep their names, and must not come to read what they did not.
    used = _UsedNames(names=kept | _nested_names(executable))
    values = {}
    for name in dict.fromkeys((*first, *stored, *new)):
        if name not in kept:
            base = wanted.get(name)
            values[name] = used.cleaned(name) if base is None else used.form_of(base)
    changed = {name: new_name for name, new_name in values.items() if name != new_name}
    return rename(executable, changed, _node_names(model, executable, values))


def _top(model: Model) -> Iterator[Node]:
    return (node for node in model.index.nodes if not node.scope)


def _nested_names(model: Model) -> set[str]:
    """Names inside control-flow bodies, as the bodies themselves call them."""
    nodes = [node for node in model.index.nodes if node.scope]
    names = {name for node in nodes for name in (*node.inputs, *node.outputs)}
    names |= {name for name, entry in model.index.initializers.items() if entry.scope}
    return names | {name.rpartition("/")[2] for name in names}


def _unchanged(model: Model, executable: Model, name: str) -> bool:
    """Whether an initializer is the model's own, bit for bit."""
    before, after = (each.index.initializers.get(name) for each in (model, executable))
    if before is None or after is None or _traits(before) != _traits(after):
        return False
    if after.element is None or not has_format(after.element):
        return True
    return np.array_equal(initializer_words(model, name), initializer_words(executable, name))


def _traits(entry: Initializer) -> tuple[object, ...]:
    return entry.element, entry.shape, entry.sparse


def _weight_names(
    model: Model, executable: Model, new: Sequence[str], settings: EngineSettings
) -> dict[str, str]:
    """Names for initializers that hold a whole stored tensor and nothing else.

    ``name`` where it is only reordered, padded or widened; ``name~folded`` where it was multiplied
    with something else, so that it is another tensor.
    """
    if not new:
        return {}
    table = enumerate_sites(model.index, model.inputs, model.outputs)
    left = executable.index.initializers
    sites = [site for site in table.sites if site.kind.stored and site.name not in left]
    images = map_weights(model, executable, sites, settings).images
    inside: dict[str, dict[str, Traced]] = {}
    for site, each in images.items():
        for image in each:
            if not isinstance(image, Traced):
                continue  # it has the name of what it stands for
            inside.setdefault(image.initializer, {})[site] = image
    sizes = {site.name: layout_of(site).elements for site in sites}
    found = {}
    for name in new:
        held = inside.get(name, {})
        if len(held) != 1:
            continue
        site, image = next(iter(held.items()))
        if np.unique(image.source).size == sizes[site] and _rest_is_padding(executable, image):
            found[name] = site if image.factor is None else f"{site}~folded"
    # Of one that keeps its name and not its values, there is no more to say.
    stored = model.index.initializers
    return {name: f"{name}~folded" for name in new if name in stored} | found


def _rest_is_padding(executable: Model, image: Traced) -> bool:
    words = initializer_words(executable, image.initializer)
    rest = np.ones(words.size, np.bool_)
    rest[image.position] = False
    return not words[rest].any()


def _forms(executable: Model, new: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """Values that are another form of a named one: the other end of a node that only redresses."""
    unnamed = [name for name in new if name not in known]
    found: dict[str, str] = {}
    # There and back: a value may be named by what reads it, and that by what it was made from.
    for name in (*unnamed, *reversed(unnamed)):
        if name in found:
            continue
        for other in _redressed(executable, name):
            base = known.get(other, found.get(other, other if other not in new else None))
            if base is not None:
                found[name] = base
                break
    return found


def _redressed(executable: Model, name: str) -> Iterator[str]:
    """Values that differ from this one in layout or precision only."""
    index = executable.index
    node = index.producer(name)
    if node is not None and _redresses(executable, node):
        yield node.inputs[0]
    for use in index.consumers(name):
        if use.slot == 0 and _redresses(executable, use.node):
            yield use.node.outputs[0]


def _redresses(executable: Model, node: Node) -> bool:
    if not is_a(node.op_type, "redresses") or not node.inputs or node.scope:
        return False
    ends = [executable.index.element_of(name) for name in (node.inputs[0], node.outputs[0])]
    return ends[0] is ends[1] or all(map(_is_float, ends))


def _is_float(element: ElementType | None) -> bool:
    return element is not None and has_format(element) and "exponent" in format_of(element).fields


def _node_names(model: Model, executable: Model, values: Mapping[str, str]) -> dict[str, str]:
    """Names for nodes that onnxruntime has made: of the stored node that they stand for.

    That is the one they are called after, the first reader of a weight of theirs, or the maker
    of the value that they compute.
    """
    theirs = {node.name: node for node in _top(model)}
    top = list(_top(executable))
    used = _UsedNames(names={node.name for node in top if node.name in theirs})
    found: dict[str, str] = {}
    for node in top:
        if node.name in theirs:
            continue
        choices = [name for name in _stands_for(model, node, values) if name in theirs]
        free = [name for name in choices if name not in used.names]
        if free:
            found[node.name] = free[0]
            used.names.add(free[0])
        else:
            found[node.name] = used.cleaned(node.name)
    return found


def _stands_for(model: Model, node: Node, values: Mapping[str, str]) -> Iterator[str]:
    yield _COUNTER.sub("", node.name)
    for name in node.inputs:
        for use in model.index.consumers(values.get(name, name)):
            stored = name in values or name in model.index.initializers
            if stored and node.op_type.endswith(use.node.op_type):
                yield use.node.name
    for name in node.outputs:
        maker = model.index.producer(values.get(name, name))
        inserted = maker is not None and is_a(node.op_type, "redresses")
        if maker is not None and (not inserted or maker.op_type == node.op_type):
            yield maker.name

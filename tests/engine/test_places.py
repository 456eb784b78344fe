"""Places: a fault at the place of a tensor is the fault in the tensor, in whatever layout it is."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.engine import open_workload
from onnxfi.engine.executable import Opening, TensorPlace, find_place, open_executable
from onnxfi.engine.runtime import Session, Watchdog
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, SiteKind
from onnxfi.graph import expose, load
from onnxfi.inject import BatchWindow, RunColumns, faulty_array, window_columns

pytestmark = pytest.mark.cpu

SIZE = 5
ALL_BITS = 2**64 - 1


@pytest.fixture(scope="module")
def watchdog():
    made = Watchdog()
    yield made
    made.close()


@pytest.fixture(scope="module")
def opened(models, prepare, watchdog):
    """An executable graph with all computed sites of a zoo model that are kept together, and a run
    with other samples than those that showed where they lie."""
    made = {}

    def make(name):
        if name not in made:
            model = load(models / f"{name}.onnx")
            data = "fashion" if "fashion" in name else "mnist"
            workload = open_workload(model, models / f"{data}_test1000.npz").take(40)
            context = prepare(model, workload, output="logits", batch_size=SIZE).context
            sites = [site for site in context.sites if not site.kind.stored]
            if "int8" in name:  # floats between integer operators make them others
                sites = [site for site in sites if site.element is not ElementType.FLOAT]
            graph = open_executable(context, Opening(computed=tuple(sites)), watchdog)
            names = {each for site in sites for each in (site.name, graph.places[site.name].value)}
            inner = [each for each in sorted(names) if graph.model.index.producer(each) is not None]
            model = expose(graph.model, inner)
            session = Session(model, context.settings, watchdog, replay=True)
            feeds = workload.batch(30, 30 + SIZE, SIZE)
            made[name] = graph, {**feeds, **session.run(feeds)}
        return made[name]

    return make


def _kinds(graph):
    """Sites by how their places lie."""
    found = {"unmoved": [], "last": [], "blocked": []}
    for name, place in graph.places.items():
        if place.position is None:
            found["unmoved"].append(name)
        else:
            found["last" if place.block is None else "blocked"].append(name)
    return found


MODELS = [
    ("lenet5_mnist_fp32", ("unmoved", "blocked")),
    ("resnet8_fashion_fp32", ("unmoved", "blocked")),
    ("resnet8_fashion_int8_qoperator", ("unmoved", "last")),
    ("lenet5_mnist_int8_qoperator", ("unmoved", "last")),
    ("snn_snntorch_mnist", ("unmoved", "blocked")),
]


def _or_skip(graph, kinds):
    found = _kinds(graph)
    assert found["unmoved"]
    if not all(found[kind] for kind in kinds):
        pytest.skip("onnxruntime has no such layout on this machine")


@pytest.mark.parametrize(("name", "kinds"), MODELS)
def test_a_place_holds_what_is_exposed_under_the_stored_name(opened, name, kinds):
    graph, values = opened(name)
    _or_skip(graph, kinds)
    for site, place in graph.places.items():
        stored, held = values[site], values[place.value]
        index = place.positions(stored.size)
        assert len(set(index.tolist())) == stored.size, "each element has a place of its own"
        assert held.reshape(-1)[index].tobytes() == stored.tobytes()
        assert place.moved_size(stored.size) == held.size
        if place.position is not None:
            assert place.value != site
            one_place = stored.shape[2:] == (1, 1)  # then all layouts are one
            assert np.array_equal(index, np.arange(stored.size)) is one_place


@pytest.mark.parametrize("bound", [False, True], ids=["every sample", "some samples"])
@pytest.mark.parametrize(("name", "kinds"), MODELS)
def test_faults_at_a_place_are_faults_in_the_tensor(opened, name, kinds, bound):
    graph, values = opened(name)
    _or_skip(graph, kinds)
    rng = np.random.default_rng(1)
    window = BatchWindow(start=10, stop=10 + SIZE, size=SIZE)
    for name_, place in graph.places.items():
        stored, held, site = values[name_], values[place.value], place.site
        if bound and site.layout.batch_axis is None:
            continue
        count = 6
        group = FaultGroup(
            site=name_,
            index=rng.integers(0, site.layout.elements, count),
            and_mask=rng.integers(0, ALL_BITS, count, np.uint64, endpoint=True),
            xor_mask=rng.integers(0, ALL_BITS, count, np.uint64, endpoint=True),
            sample=rng.integers(10, 10 + SIZE, count) if bound else None,
        )
        expected = faulty_array(stored, group, site, window)
        columns = place.moved(window_columns(group, site, window))
        assert len(np.unique(columns.index)) == len(columns.index)
        faulty = _carried_out(held, columns)
        assert faulty.reshape(-1)[place.positions(stored.size)].tobytes() == expected.tobytes()
        if columns.sample is not None:
            np.testing.assert_array_equal(columns.sample, columns.index // (held.size // SIZE))


def _carried_out(values: np.ndarray, columns: RunColumns) -> np.ndarray:
    found = np.ascontiguousarray(values).copy()
    words = found.reshape(-1).view(f"u{found.itemsize}")
    full = 1 if found.dtype == np.bool_ else ALL_BITS
    for at, keep, flip in zip(columns.index, columns.and_mask, columns.xor_mask, strict=True):
        words[at] = (
            (int(words[at]) & int(keep) ^ int(flip)) & full & (2 ** (8 * words.itemsize) - 1)
        )
    return found


ORDERED = """
<ir_version: 10, opset_import: ["" : 17]>
g (float[n, 8, 3, 2] x) => (float[n, 8, 3, 2] s)
{ x2 = Transpose<perm = [0, 2, 3, 1]>(x)  t = Neg(x2)  s = Transpose<perm = [0, 3, 1, 2]>(t) }
"""


def _site(axis=0, node="Conv#1", shape=(1, 8, 3, 2)):
    return FaultSite(
        name="s",
        kind=SiteKind.ACTIVATION,
        element=ElementType.FLOAT,
        node=node,
        op_type="Conv",
        layer=node,
        layout=SampleLayout(shape=shape, batch_axis=axis),
    )


@pytest.fixture
def transposed(model_of):
    """A value that is turned back, in a run of two samples: the graph, values, layouts."""
    t = np.random.default_rng(1).normal(size=(2, 3, 2, 8)).astype(np.float32)
    examples = {"t": t, "s": np.ascontiguousarray(np.moveaxis(t, -1, 1))}
    layouts = {
        "t": SampleLayout(shape=(1, 3, 2, 8), batch_axis=0),
        "s": SampleLayout(shape=(1, 8, 3, 2), batch_axis=0),
    }
    return model_of(ORDERED), examples, layouts


def test_a_value_that_is_turned_back_is_taken_before_that(transposed):
    graph, examples, layouts = transposed
    place = find_place(_site(), graph, examples, layouts)
    assert (place.value, place.elements, place.block) == ("t", 48, None)
    # Channel 3, row 2, column 1.
    stored = (3 * 3 + 2) * 2 + 1
    assert place.position[stored] == (2 * 2 + 1) * 8 + 3
    columns = RunColumns(
        index=np.array([stored, 48 + stored]),
        and_mask=np.zeros(2, np.uint64),
        xor_mask=np.zeros(2, np.uint64),
        sample=np.array([0, 1]),
    )
    assert place.moved(columns).index.tolist() == [43, 48 + 43]


def test_what_can_not_be_shown_to_be_moved_stays(transposed):
    graph, examples, layouts = transposed
    unmoved = TensorPlace(value="s", site=_site())

    def found(site=None, **changed):
        given = site or _site()
        return find_place(given, graph, {**examples, **changed}, layouts).value

    assert found() == "t"
    assert found(site=_site(node="Transpose#2")) == unmoved.value  # the stored graph's own
    assert found(site=_site(axis=1)) == unmoved.value
    assert found(t=examples["t"] + 1) == unmoved.value
    assert find_place(_site(), graph, {"s": examples["s"]}, layouts).value == unmoved.value
    other = {**layouts, "t": SampleLayout(shape=(2, 3, 2, 8), batch_axis=None)}
    assert find_place(_site(), graph, examples, other).value == unmoved.value


def test_a_value_that_is_the_same_all_over_shows_no_order(transposed):
    graph, _, _ = transposed
    ones = np.ones((2, 16, 16, 16), np.float32)
    layout = SampleLayout(shape=(1, 16, 16, 16), batch_axis=0)
    site = _site(shape=(1, 16, 16, 16))
    found = find_place(site, graph, {"t": ones, "s": ones}, {"t": layout, "s": layout})
    assert found.value == "s"


@pytest.mark.parametrize("shape", [(16, 1, 1), (16, 16, 16), (8, 8, 8)])
@pytest.mark.parametrize("operator", ["Transpose", "com.microsoft.nchwc.ReorderOutput"])
def test_layouts_that_come_to_one_order(model_of, shape, operator):
    """As in the small images of squeeze-and-excitation, or where all sizes are equal."""
    channels, height, _ = shape
    attributes = "perm = [0, 3, 1, 2]" if operator == "Transpose" else f"channels = {channels}"
    graph = model_of(f"""
    <ir_version: 10, opset_import: ["" : 17, "com.microsoft.nchwc" : 1]>
    g (float[n, 8, 8, 8] x) => (float[n, 8, 8, 8] s)
    {{ t = Neg(x)  s = {operator}<{attributes}>(t) }}
    """)
    held = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    # All channels in one block, or of a single place: the same as channels last.
    stored = held if height == 1 else np.ascontiguousarray(np.moveaxis(held, -1, 1))
    layout = SampleLayout(shape=(1, *shape), batch_axis=0)
    site = _site(shape=(1, *shape))
    place = find_place(site, graph, {"t": held, "s": stored}, {"t": layout, "s": layout})
    assert place.value == "t"
    assert held.reshape(-1)[place.positions(stored.size)].tobytes() == stored.tobytes()
    in_blocks = operator != "Transpose" and height == channels
    assert place.block == (channels if in_blocks else None)

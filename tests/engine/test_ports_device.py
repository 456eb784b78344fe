"""Engine ports with tensors on a "device" gives what it gives on the host, and restores them."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnxfi.bits import ElementType, format_of
from onnxfi.engine import RunFailedError, Session, open_workload
from onnxfi.engine.engines.ports import PortsEngine
from onnxfi.engine.runtime import DeviceMemory, DeviceTensor
from onnxfi.errors import BackendError, FaultError
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, Scenario, SiteKind
from onnxfi.graph import load
from onnxfi.inject import BatchWindow

MEMORY = DeviceMemory(kind="cpu")


@pytest.fixture
def pair(prepared, closing):
    """Engines that differ only in where they keep tensors."""
    here, there = (
        PortsEngine(prepared.context),
        PortsEngine(prepared.context, place=lambda *_: MEMORY),
    )
    return closing(here), closing(there)


def _bits(results):
    found = []
    for result in results:
        for outputs in (result.golden, result.faulty or {}):
            found.append({name: value.tobytes() for name, value in outputs.items()})
        found.append((result.window, result.failure))
    return found


@pytest.mark.parametrize(
    "flips",
    [
        [("w1", 5, 30)],
        [("w2", 17, 31), ("b1", 2, 22), ("b2", 0, 3)],
        [("w1", 5, 30), ("w1", 5, 29), ("w1", 6, 0)],
        [("r1", 40, 30)],
        [("t2", 3, 30, 6)],
        [("image", 100, 30)],
        [("w1", 5, 30), ("r1", 40, 30, 2), ("f1", 1, 31)],
        [],
    ],
)
def test_results_are_those_of_the_host(pair, scenario, flips):
    assert [engine.kept is None for engine in pair] == [True, False]  # nothing is, on the CPU
    here, there = (list(engine.results(scenario(*flips))) for engine in pair)
    assert _bits(here) == _bits(there)


def test_batches_are_never_written_to(pair, scenario, images):
    """A port on a graph input has to work on a copy: the batch is there for all later runs."""
    _, there = pair
    for flips in ([("image", 100, 30)], [("image", 7, 30), ("w1", 5, 30), ("r1", 40, 30)]):
        there.run(scenario(*flips))
    for start, stop in ((0, 4), (4, 8), (8, 11)):
        kept = there.kept.batches.batch(start, stop)["image"]
        assert kept.read().tobytes() == images.batch(start, stop)["image"].tobytes()


def test_masks_that_clear_and_set(pair, prepared):
    rng = np.random.default_rng(2)
    keep, flip = (rng.integers(0, 2**32, 90, dtype=np.uint64) for _ in range(2))
    group = FaultGroup(site="w1", index=rng.integers(0, 108, 90), and_mask=keep, xor_mask=flip)
    faults = Scenario(number=0, groups=(group,))
    here, there = (_bits(engine.results(faults)) for engine in pair)
    assert here == there


def test_scenarios_in_turns(pair, scenario):
    """Faults are there for the length of a run: two scenarios may be taken result by result."""
    _, there = pair
    first, second = scenario(("w1", 5, 30)), scenario(("w1", 5, 25), ("w2", 1, 31))
    apart = _bits(there.results(first)), _bits(there.results(second))
    turns = list(zip(there.results(first), there.results(second), strict=True))
    assert (_bits(a for a, _ in turns), _bits(b for _, b in turns)) == apart


def _tensors(engine) -> dict[str, bytes]:
    return {
        name: feed.read().tobytes()
        for opened in engine.models
        for name, feed in opened.inputs.disarmed.items()
        if isinstance(feed, DeviceTensor)
    }


@pytest.mark.parametrize("error", [RunFailedError("it raised"), KeyboardInterrupt()])
def test_tensors_are_restored_when_a_run_raises(pair, scenario, monkeypatch, error):
    _, there = pair
    faults = scenario(("w1", 5, 30), ("w2", 17, 31))
    plain = _bits(there.results(faults))
    clean = _tensors(there)
    assert clean.keys() == {"w1", "w2"}
    run = Session.run
    seen = []

    def raising(self, *arguments, **options):
        seen.append(_tensors(there))
        raise error

    monkeypatch.setattr(Session, "run", raising)
    with pytest.raises(type(error)):
        _faulty(there, faults)
    assert seen[0] != clean
    assert _tensors(there) == clean
    monkeypatch.setattr(Session, "run", run)
    assert _bits(there.results(faults)) == plain


def _faulty(engine, faults) -> None:
    opened = next(iter(engine.models))
    with opened.inputs.arm(faults).fed(_window()) as extra:
        opened.session.run({**opened.batches.batch(0, 4), **extra})


def _window() -> BatchWindow:
    return BatchWindow(start=0, stop=4, size=4)


def test_what_could_not_be_restored_is_before_the_next_run(pair, scenario, monkeypatch):
    _, there = pair
    faults = scenario(("w1", 5, 30), ("w2", 17, 31))
    expected = _bits(there.results(faults))
    clean = _tensors(there)
    apply, left = type(there.kept.flipper).apply, [2]

    def breaking(self, tensor, patch):
        if not left[0]:
            raise BackendError("out of order")
        left[0] -= 1
        apply(self, tensor, patch)

    monkeypatch.setattr(type(there.kept.flipper), "apply", breaking)
    with pytest.raises(BackendError):
        _faulty(there, faults)
    assert _tensors(there) != clean
    monkeypatch.setattr(type(there.kept.flipper), "apply", apply)
    assert _bits(there.results(faults)) == expected
    assert _tensors(there) == clean


def test_a_flipper_that_fails_is_no_outcome(pair, scenario, monkeypatch):
    """What a fault does is data; what our machinery does wrong is an error."""
    _, there = pair
    there.run(scenario(("w1", 5, 30)))

    def failing(*_):
        raise RunFailedError("no room")

    monkeypatch.setattr(type(there.kept.flipper), "apply", failing)
    with pytest.raises(BackendError, match=r"no fault can be put into a tensor .*: no room"):
        there.run(scenario(("w1", 6, 30)))


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"site": "w1", "index": [108]}, "index 108 is out of range"),
        ({"site": "w1", "index": [0], "sample": [3]}, "fault bound to one sample"),
    ],
)
def test_bad_faults(pair, group, message):
    columns = {name: np.array(values) for name, values in group.items() if name != "site"}
    ones = np.ones(1, np.uint64)
    faults = FaultGroup(site=group["site"], and_mask=ones, xor_mask=ones, **columns)
    for engine in pair:
        with pytest.raises(FaultError, match=message):
            list(engine.results(Scenario(number=0, groups=(faults,))))


STORED = [
    ElementType.FLOAT,
    ElementType.FLOAT16,
    ElementType.BFLOAT16,
    ElementType.DOUBLE,
    ElementType.FLOAT8E4M3FN,
    ElementType.FLOAT8E5M2,
    ElementType.INT8,
    ElementType.INT16,
    ElementType.INT64,
    ElementType.UINT32,
    ElementType.BOOL,
]


@pytest.mark.parametrize("element", STORED, ids=lambda element: element.name)
def test_stored_tensors_of_every_type(element, prepare, closing, scenario):
    """``y = w`` for every sample: what comes out is the tensor itself."""
    number = TensorProto.DataType.Value(element.name)
    form = format_of(element)
    words = np.random.default_rng(8).integers(0, 2**64, 12, dtype=np.uint64)
    stored = (words & np.uint64(form.mask)).astype(form.word)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"]), helper.make_node("Abs", ["x"], ["z"])],
        "stored",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [
            helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 1]),
            helper.make_tensor_value_info("y", number, [3, 4]),
        ],
        [helper.make_tensor("w", number, [3, 4], stored.tobytes(), raw=True)],
    )
    opsets = [helper.make_opsetid("", 19)]
    model = load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    workload = open_workload(model, {"x": np.ones((3, 1), np.float32)})
    prepared = prepare(model, workload, output="z", extra=(_site(element),))
    faults = scenario(("w", 7, form.width - 1), ("w", 2, 0))
    here, there = (
        PortsEngine(prepared.context),
        PortsEngine(prepared.context, place=lambda *_: MEMORY),
    )
    closing(here), closing(there)
    results = [list(engine.results(faults)) for engine in (here, there)]
    assert _bits(results[0]) == _bits(results[1])
    faulty = np.ascontiguousarray(results[1][0].faulty["y"]).reshape(-1).view(form.word)
    assert np.flatnonzero(faulty != stored).tolist() == [2, 7]


def _site(element: ElementType) -> FaultSite:
    return FaultSite(
        name="w",
        kind=SiteKind.WEIGHT,
        element=element,
        node="Identity",
        op_type="Identity",
        layer="Identity",
        layout=SampleLayout(shape=(3, 4), batch_axis=None),
    )

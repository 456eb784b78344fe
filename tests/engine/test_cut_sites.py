"""Sites in unusual places: the cut engine against bake, which writes the fault into the file."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.engine import open_workload
from onnxfi.faults import SiteKind
from onnxfi.graph import load
from onnxfi.workload import sample_choice

LEVELS = ["disabled", "all"]


def _bits(result):
    found = [result.golden] if result.faulty is None else [result.golden, result.faulty]
    return [{k: (v.shape, v.tobytes()) for k, v in sorted(each.items())} for each in found]


@pytest.fixture
def agree(closing):
    """All engines that can take them give the same bits for faults; whether any changed."""

    def check(prepared, faults, *others, exact=True):
        # What bodies compute is for other engines; what they store is not.
        able = [name for name, site in prepared.sites.items() if not site.body]
        names = ("cut", *(others or ("bake",)))
        cut_, *rest = (closing(prepared.engine(name, *able)) for name in names)
        changed = []
        for scenario in faults:
            mine = list(cut_.results(scenario))
            for other in rest:
                for one, two in zip(mine, other.results(scenario), strict=True):
                    assert (one.window, one.failure) == (two.window, two.failure)
                    # Ports run in the graph that is cut: the same bits at every level.
                    if exact or other.name == "ports":
                        assert _bits(one) == _bits(two)
                assert cut_.run(scenario).counts == other.run(scenario).counts
            changed.append(any(r.failure or _bits(r)[0] != _bits(r)[1] for r in mine))
        return changed

    return check


def _bench(prepare, model_of, text, samples=7, **settings):
    model = model_of(text)
    (spec,) = model.inputs
    x = np.random.default_rng(5).normal(size=(samples, *spec.shape[1:])).astype(np.float32)
    settings = {"optimization": "disabled", **settings}
    workload = open_workload(model, {"x": x}, choice=sample_choice(["x=0"]))  # some mix samples
    return prepare(model, workload, **settings)


# Each branch has a weight of its own, and reads one from outside; a loop runs over another.
BODIES = """
<ir_version: 10, opset_import: ["" : 17]>
bodies (float[n, 4] x) => (float[n, 4] y)
<float[4] w = {1.0, 2.0, 3.0, 4.0}, float[4] u = {1.0, -2.0, 3.0, 4.0}, float zero = {0.0},
 int64 three = {3}, bool true = {1}>
{
  a = Mul(x, w)
  total = ReduceSum<keepdims = 0>(x)
  late = Greater(total, zero)
  c = If(late) <
    then_branch = then () => (float[n, 4] t)
      <float[4] mine = {2.5, 2.0, 3.0, 4.0}> { t0 = Mul(a, u)  t1 = Add(t0, x)  t = Mul(t1, mine) },
    else_branch = other () => (float[n, 4] e)
      <float[4] inner = {1.5, 2.0, 3.0, 4.0}> { e0 = Mul(a, inner)  e = Neg(e0) }
  >
  l = Loop(three, true, c) <
    body = again (int64 i, bool on, float[n, 4] before) => (bool still, float[n, 4] after)
      <float[4] step = {0.5, 0.25, 0.125, 1.0}>
      { still = Identity(on)  b0 = Mul(before, u)  after = Add(b0, step) }
  >
  y = Relu(l)
}
"""


@pytest.mark.parametrize("level", LEVELS)
def test_sites_in_bodies(prepare, model_of, agree, scenario, level):
    prepared = _bench(prepare, model_of, BODIES, batch_size=1, optimization=level)
    inner = [name for name in prepared.sites if "/" in name]
    ends = {name.rsplit("/", 1)[1] for name in inner}
    assert ends >= {"mine", "inner", "step"}
    outside = [name for name, site in prepared.sites.items() if not site.body]
    floats = [name for name in outside if prepared.sites[name].element is ElementType.FLOAT]
    assert {"u", "a", "c", "l"} <= set(floats)
    stored = [name for name in floats if prepared.sites[name].kind.stored]
    last = {name: prepared.sites[name].layout.elements - 1 for name in floats}
    flips = [scenario((name, last[name], bit)) for name in floats for bit in (30, 21)]
    flips.append(scenario(*((name, 0, 29) for name in stored)))
    flips.append(scenario(*((name, 2, 22) for name in inner if name in stored), ("a", 3, 30)))
    changed = agree(prepared, flips, "bake", "ports", exact=level == "disabled")
    assert sum(changed) > len(changed) / 2


RETURNED = """
<ir_version: 10, opset_import: ["" : 17]>
returned (float[n, 4] x) => (float[n, 4] y, float[4] w, float[2, 2] alone, float[n, 4] a)
<float[4] w = {1.0, -2.0, 3.0, 4.0}, float[2, 2] alone = {1.0, 2.0, 3.0, 4.0},
 float[4] u = {1.0, 2.0, 3.0, 4.0}>
{ a = Mul(x, w)  b = Relu(a)  c = Add(b, u)  y = Mul(c, w) }
"""


@pytest.mark.parametrize("level", LEVELS)
def test_stored_tensors_that_the_model_returns(prepare, model_of, agree, closing, scenario, level):
    prepared = _bench(prepare, model_of, RETURNED, batch_size=7, output="y", optimization=level)
    flips = [scenario((name, 1, 30)) for name in prepared.sites if name != "alone"]
    flips += [scenario((name, 1, 30), ("b", 0, 29), ("u", 2, 31)) for name in ("w", "a")]
    assert "w" in prepared.sites
    assert all(agree(prepared, flips, "bake", exact=level == "disabled"))
    (result,) = closing(prepared.engine("cut")).results(scenario(("w", 1, 31)))
    np.testing.assert_array_equal(result.golden["w"], np.float32([1, -2, 3, 4]))
    np.testing.assert_array_equal(result.faulty["w"], np.float32([1, 2, 3, 4]))
    np.testing.assert_array_equal(result.faulty["alone"], np.float32([[1, 2], [3, 4]]))


QDQ = """
<ir_version: 10, opset_import: ["" : 17]>
qdq (float[n, 4] x) => (float[n, 4] y)
<float s = {0.05}, int8 z = {3}, float sw = {0.25}, int8 zw = {0}, float sr = {0.5},
 int8 zr = {-4}, int8[4, 4] w = {1, 2, 3, 4, 5, -6, 7, 8, 1, 2, -3, 4, 5, 6, 7, -8}>
{
  q = QuantizeLinear(x, s, z)
  a = DequantizeLinear(q, s, z)
  d = DequantizeLinear(w, sw, zw)
  m = MatMul(a, d)
  r = QuantizeLinear(m, sr, zr)
  b = DequantizeLinear(r, sr, zr)
  y = Relu(b)
}
"""


@pytest.mark.parametrize("level", LEVELS)
def test_scales_and_zero_points(prepare, model_of, agree, scenario, level):
    prepared = _bench(prepare, model_of, QDQ, batch_size=7, optimization=level)
    kinds = {name: site.kind for name, site in prepared.sites.items()}
    scales = [name for name, kind in kinds.items() if kind is SiteKind.SCALE]
    points = [name for name, kind in kinds.items() if kind is SiteKind.ZERO_POINT]
    assert set(scales) == {"s", "sw", "sr"}
    assert set(points) >= {"z", "zr"}
    flips = [scenario((name, 0, bit)) for name in scales for bit in (31, 29, 22, 3)]
    flips += [scenario((name, 0, bit)) for name in points for bit in (7, 4, 0)]
    flips += [scenario((name, 0, 30)) for name in ("q", "a", "m", "r", "b", "y", "x")]
    flips += [
        scenario(("s", 0, 24), ("z", 0, 5)),
        scenario(("sr", 0, 23), ("w", 3, 6), ("r", 1, 7)),
    ]
    # The file's operators are fused otherwise around each fault that is written into it.
    others = ("bake", "ports") if level == "disabled" else ("ports",)
    changed = agree(prepared, flips, *others)
    assert sum(changed) > len(changed) / 2


@pytest.mark.parametrize(
    "name", ["lenet5_mnist_int8_qdq", "resnet8_fashion_int8_qdq", "lenet5_mnist_int8_qoperator"]
)
def test_scales_and_zero_points_of_the_zoo(models, prepare, agree, scenario, name):
    model = load(models / f"{name}.onnx")
    data = "fashion" if "fashion" in name else "mnist"
    workload = open_workload(model, models / f"{data}_test1000.npz").take(4)
    prepared = prepare(model, workload, optimization="disabled", output="logits", batch_size=4)
    kinds = (SiteKind.SCALE, SiteKind.ZERO_POINT)
    sites = [site for site in prepared.context.sites if site.kind in kinds]
    assert len({site.kind for site in sites}) == 2
    chosen = sites[:: max(1, len(sites) // 8)]
    flips = []
    for site in chosen:
        last = site.layout.elements - 1
        bit = 24 if site.kind is SiteKind.SCALE else 6
        flips.append(scenario((site.name, last, bit)))
    flips.append(scenario(*((site.name, 0, 5) for site in chosen)))
    changed = agree(prepared, flips)
    assert sum(changed) > len(changed) / 3


# Rows mix, and the batch is fixed: a run holds copies of one sample.
MIXING = """
<ir_version: 10, opset_import: ["" : 17]>
mixing (float[3, 4] x) => (float[3, 4] y, float[4] top)
<float[4] w = {1.0, -2.0, 3.0, 4.0}>
{
  a = Mul(x, w)
  b = Relu(a)
  top = ReduceMax<axes = [0], keepdims = 0>(b)
  c = Sub(b, top)
  y = Exp(c)
}
"""
FIXED = MIXING.replace("axes = [0], keepdims = 0", "axes = [1], keepdims = 1").replace(
    "float[4] top", "float[3, 1] top"
)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("text", [MIXING, FIXED], ids=["mixing", "fixed"])
def test_a_fixed_batch(prepare, model_of, agree, scenario, text, level):
    prepared = _bench(prepare, model_of, text, output="y", optimization=level)
    assert prepared.context.profile.fixed_batch == 3
    assert prepared.context.profile.rows_independent is (text is FIXED)
    assert {"w", "a", "b", "top", "c", "x", "y"} <= set(prepared.sites)
    flips = [
        scenario((name, site.layout.elements - 1, bit))
        for name, site in prepared.sites.items()
        for bit in (31, 30, 24)
    ]
    flips.append(scenario(("w", 0, 30), ("b", 2, 29), ("x", 1, 31)))
    changed = agree(prepared, flips, "bake", "ports", exact=level == "disabled")
    assert sum(changed) > len(changed) / 2


@pytest.mark.parametrize("text", [MIXING, FIXED], ids=["mixing", "fixed"])
def test_single_samples_of_a_fixed_batch(prepare, model_of, agree, scenario, text):
    """There is no file with a fault in one sample: against ports."""
    prepared = _bench(prepare, model_of, text, output="y")
    flips = [
        scenario((name, 0, 30, sample), (name, 0, 23, (sample + 3) % 7))
        for name in ("x", "a", "b", "c", "y")
        for sample in (0, 2, 6)
    ]
    assert sum(agree(prepared, flips, "ports")) > len(flips) / 2


SHARED = """
<ir_version: 10, opset_import: ["" : 17]>
shared (float[n, 4] x) => (float[n, 4] y)
<float[4] w = {1.0, -2.0, 3.0, 4.0}, float[4] same = {1.0, -2.0, 3.0, 4.0},
 float[4, 4] m = {1, 2, 3, 4, 5, -6, 7, 8, 1, 2, -3, 4, 5, 6, 7, -8}>
{
  a = Mul(x, w)  b = MatMul(a, m)  c = Mul(b, same)  t = Transpose<perm = [1, 0]>(m)
  d = MatMul(c, t)  e = Mul(d, w)  y = Tanh(e)
}
"""


@pytest.mark.parametrize("level", LEVELS)
def test_tensors_read_twice_and_tensors_with_the_same_values(
    prepare, model_of, agree, scenario, level
):
    """A fault in a tensor is seen by all its readers, and by those of no other tensor."""
    prepared = _bench(prepare, model_of, SHARED, batch_size=7, optimization=level)
    flips = [scenario((name, 2, bit)) for name in ("w", "same", "m") for bit in (31, 25, 1)]
    flips.append(scenario(*((name, 2, 31) for name in ("w", "same", "m", "b"))))
    assert sum(agree(prepared, flips, "bake", "ports", exact=level == "disabled")) >= 7


def test_a_stored_tensor_without_a_map_that_is_the_only_site(models, prepare, closing, scenario):
    """Its graph is another one than that in which it could not be found."""
    model = load(models / "lenet5_mnist_int8_qdq.onnx")
    workload = open_workload(model, models / "mnist_test1000.npz").take(6)
    prepared = prepare(model, workload, optimization="all", output="logits")
    scales = [name for name, site in prepared.sites.items() if site.kind.value == "scale"]
    for name in scales[:4]:
        cut, ports = (closing(prepared.engine(engine, name)) for engine in ("cut", "ports"))
        faults = scenario((name, 0, 30))
        assert cut.run(faults).counts == ports.run(faults).counts

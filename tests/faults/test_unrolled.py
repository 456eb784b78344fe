"""What is an unrolled network, and what only looks like one, on small models written as text."""

from __future__ import annotations

import onnx
import pytest

from onnxfi.faults import enumerate_sites
from onnxfi.graph import load

W = "float[2,2] w = {1,2,3,4}, float[2,2] u = {1,2,3,4}, float[2] b = {1,2}"


def sites_of(body: str, inputs: str, stored: str = W, outputs: str = "float[N,2] y"):
    text = (
        f'<ir_version: 10, opset_import: ["" : 21]>\nagraph ({inputs}) => ({outputs})\n'
        f"<{stored}>\n{{\n{body}\n}}"
    )
    model = load(onnx.parser.parse_model(text))
    return {
        site.name: site for site in enumerate_sites(model.index, model.inputs, model.outputs).sites
    }


def steps_of(sites):
    return {name: site.step for name, site in sites.items() if site.step is not None}


def inputs(count: int) -> str:
    return ", ".join(f"float[N,2] x{step}" for step in range(count))


def test_an_elman_network_has_steps_and_no_neurons():
    lines = ["a0 = MatMul (x0, w)", "h0 = Tanh (a0)"]
    for t in (1, 2, 3):
        lines += [f"a{t} = MatMul (x{t}, w)", f"r{t} = MatMul (h{t - 1}, u)"]
        lines += [f"s{t} = Add (a{t}, r{t})", f"h{t} = Tanh (s{t})"]
    sites = sites_of("\n".join([*lines, "y = Identity (h3)"]), inputs(4))
    expected = {f"{kind}{t}": t for t in range(4) for kind in "ahrs"}
    del expected["r0"], expected["s0"]
    assert steps_of(sites) == expected
    assert {site.part for site in sites.values()} == {None}
    assert sites["h3"].series == "h0"
    assert sites["s3"].series == "s1"
    assert sites["w"].step is None


def test_what_a_cell_hands_on_belongs_to_the_step_that_made_it():
    """An LSTM with one gate of each kind: h and c are made in the step whose input they hold."""
    lines = []
    for t in range(3):
        h, c = (f"h{t - 1}", f"c{t - 1}") if t else ("start", "start")
        lines += [f"a{t} = MatMul (x{t}, w)", f"r{t} = MatMul ({h}, u)", f"g{t} = Add (a{t}, r{t})"]
        lines += [f"f{t} = Sigmoid (g{t})", f"o{t} = Neg (f{t})", f"k{t} = Mul (f{t}, {c})"]
        lines += [f"c{t} = Add (k{t}, g{t})", f"z{t} = Tanh (c{t})", f"h{t} = Mul (o{t}, z{t})"]
    sites = sites_of("\n".join([*lines, "y = Identity (h2)"]), f"{inputs(3)}, float[N,2] start")
    assert steps_of(sites) == {f"{kind}{t}": t for t in range(3) for kind in "argfokczh"}


LEAKY = """
    a{t} = MatMul (x{t}, w)
    l{t} = Mul ({before}, beta)
    v{t} = Add (l{t}, a{t})
    q{t} = Greater (v{t}, threshold)
    s{t} = Cast <to = 1> (q{t})
    m{t} = Where (q{t}, rest, v{t})
    o{t} = MatMul (s{t}, u)
"""
NEURON = f"{W}, float beta = {{0.9}}, float threshold = {{1}}, float rest = {{0}}"


def leaky(steps: int, start: str = "start") -> str:
    lines = [LEAKY.format(t=t, before=f"m{t - 1}" if t else start) for t in range(steps)]
    sums = [f"y{t} = Add ({f'y{t - 1}' if t > 1 else 'o0'}, o{t})" for t in range(1, steps)]
    return "\n".join([*lines, *sums, f"y = Identity (y{steps - 1})"])


def test_a_leaky_neuron_with_a_hard_reset():
    sites = sites_of(leaky(3), f"{inputs(3)}, float[N,2] start", NEURON)
    for t in range(3):
        there = "alvqso" if t == 2 else "alvqsmo"  # nothing reads the last membrane
        assert {name: sites[f"{name}{t}"].step for name in there} == dict.fromkeys(there, t)
    parts = {name: site.part for name, site in sites.items() if site.step in (1, None)}
    assert parts == {
        "w": "synapse",
        "u": "synapse",
        "beta": "decay",
        "threshold": "threshold",
        "rest": "reset",
        **{"x0": None, "x1": None, "x2": None, "start": None, "y": None, "y1": None},
        **{"a1": "current", "o1": "current", "l1": "membrane", "v1": "membrane", "m1": "membrane"},
        **{"q1": "spike", "s1": "spike"},
    }
    assert {sites[name].layer for name in ("l1", "v2", "q0", "s1", "beta", "threshold")} == {
        sites["q0"].node
    }


def test_a_first_step_without_a_past_is_folded():
    """As exporters write it: nothing leaks in the first step, for the membrane starts at zero."""
    first = "\n".join(
        line for line in LEAKY.format(t=0, before="").splitlines() if line.strip()[:1] not in "lv"
    ).replace("v0", "a0")
    body = first + leaky(4).split("o0 = MatMul (s0, u)", 1)[1]
    sites = sites_of(body, inputs(4), NEURON)
    assert {sites[f"{name}{t}"].step == t for t in range(1, 4) for name in "alvqso"} == {True}
    assert (sites["m0"].step, sites["s0"].step, sites["l1"].series) == (0, 0, "l1")
    assert sites["s3"].series == "s0"


@pytest.mark.parametrize(
    ("what", "body", "count"),
    [
        ("two pictures", "a = MatMul (x0, w)\nc = MatMul (x1, w)\ny = Sub (a, c)", 2),
        ("three views", "a = MatMul (x0, w)\nc = MatMul (x1, w)\nd = MatMul (x2, w)\n"
         "e = Add (a, c)\ny = Add (e, d)", 3),
        ("a layer twice", "a = MatMul (x0, w)\nc = Relu (a)\nd = MatMul (c, w)\ny = Relu (d)", 1),
        ("pyramid", "p = MatMul (x0, u)\nl1 = MatMul (x1, v1)\nl2 = MatMul (x2, v2)\n"
         "q = Add (p, l1)\nr = Add (q, l2)\n"
         "a = MatMul (p, w)\nc = MatMul (q, w)\nd = MatMul (r, w)\ny = Sum (a, c, d)", 3),
        ("nothing shared", "a = MatMul (x0, w)\nc = Relu (a)\ny = MatMul (c, u)", 1),
        ("shared constant", "a = Mul (x0, b)\nc = Add (a, x1)\nd = Mul (c, b)\ny = Add (d, x1)", 2),
    ],
)  # fmt: skip
def test_what_only_looks_like_it(what, body, count):
    own = ", float[2,2] v1 = {1,2,3,4}, float[2,2] v2 = {1,2,3,4}"
    sites = sites_of(body, inputs(count), W + own)
    assert steps_of(sites) == {}, what
    assert {site.series for site in sites.values()} == {None}


SCAN = """
    last, spikes = Scan <num_scan_inputs = 1, body = step
        (float[N,2] before, float[N,2] x) => (float[N,2] m, float[N,2] given) {
            a = MatMul (x, w)
            l = Mul (before, beta)
            v = Add (l, a)
            q = Greater (v, threshold)
            s = Cast <to = 1> (q)
            m = Where (q, rest, v)
            given = Identity (s)
        }> (start, xs)
    y = ReduceSum (spikes)
"""


def test_neurons_in_the_body_of_a_scan():
    fed = "float[N,2] start, float[T,N,2] xs"
    sites = sites_of(SCAN, fed, NEURON, "float[A,B,C] y")
    body = {name.rsplit("/", 1)[1]: site for name, site in sites.items() if "/body/" in name}
    parts = {name: site.part for name, site in body.items()}
    assert parts == {
        "x": None,
        "before": "membrane",
        "a": "current",
        **dict.fromkeys("lvm", "membrane"),
        "q": "spike",
        "s": "spike",
        "given": "spike",
    }
    assert {body[name].layer for name in ("before", "l", "s")} == {body["q"].node}
    stored = {name: sites[name].part for name in ("w", "beta", "threshold", "rest")}
    assert stored == {"w": "synapse", "beta": "decay", "threshold": "threshold", "rest": "reset"}
    assert all(site.repeated and site.step is None for site in body.values())


def test_a_loop_without_a_threshold_has_no_neurons():
    body = SCAN.replace("q = Greater (v, threshold)", "q = IsNaN (v)")
    sites = sites_of(body, "float[N,2] start, float[T,N,2] xs", NEURON, "float[A,B,C] y")
    assert {site.part for site in sites.values()} == {None}

"""Kinds of stored tensors, told by what is done with them."""

from __future__ import annotations

import onnx
import onnx.parser
import pytest

from onnxfi.engine import complete_types
from onnxfi.faults import SiteTable, enumerate_sites
from onnxfi.graph import load


def table(text: str) -> SiteTable:
    header = '<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>\n'
    model = complete_types(load(onnx.parser.parse_model(header + text)))
    return enumerate_sites(model.index, model.inputs, model.outputs)


def stored(found: SiteTable) -> dict[str, str]:
    return {site.name: site.kind.value for site in found.sites if site.kind.stored}


def layers(found: SiteTable) -> dict[str, str]:
    return {site.name: site.layer for site in found.sites if site.kind.stored}


def test_weights_that_are_dequantized_by_hand():
    """A weight goes through Cast, Sub and Mul; so do its zero points, its scales by Mul."""
    found = table(
        """
        g (float[N,4] x) => (float[N,2] y)
        <int8[2,4] w = {1,2,3,4,5,6,7,8}, int8[2,1] z = {1,2}, float[2,1] s = {1,2}>
        {
            wf = Cast <to = 1> (w)
            zf = Cast <to = 1> (z)
            shifted = Sub (wf, zf)
            scaled = Mul (s, shifted)
            turned = Transpose <perm = [1, 0]> (scaled)
            [fc] y = MatMul (x, turned)
        }
        """
    )
    assert stored(found) == {"w": "weight", "z": "zero_point", "s": "scale"}
    assert set(layers(found).values()) == {"fc"}
    assert {site.op_type for site in found.sites if site.kind.stored} == {"MatMul"}
    assert found.by_name()["w"].node == "Cast#1"


def test_weights_with_an_offset_behind_their_scale():
    """As formats with a smallest value have it: q * d + m, the scales small integers themselves."""
    found = table(
        """
        g (float[N,2] x) => (float[N,4] y)
        <uint8[2,4] q = {1,2,3,4,5,6,7,8}, uint8[2,1] d = {1,2}, float super = {0.1},
         float[2,1] m = {1,2}>
        {
            qf = Cast <to = 1> (q)
            df = Cast <to = 1> (d)
            ds = Mul (df, super)
            scaled = Mul (qf, ds)
            w = Add (scaled, m)
            [fc] y = MatMul (x, w)
        }
        """
    )
    kinds = stored(found)
    assert kinds == {"q": "weight", "d": "scale", "super": "scale", "m": "zero_point"}
    assert set(layers(found).values()) == {"fc"}


QCDQ = """
    g (float[N,4] x) => (float[N,2] y)
    <float[4,2] w = {1,2,3,4,5,6,7,8}, float ws = {1}, int8 wz = {0}, int8 low = {-7},
     int8 high = {7}, float xs = {1}, int8 xz = {0}>
    {
        xq = QuantizeLinear (x, xs, xz)
        xc = Clip (xq, low, high)
        xd = DequantizeLinear (xc, xs, xz)
        wq = QuantizeLinear (w, ws, wz)
        wc = Clip (wq, low, high)
        wd = DequantizeLinear (wc, ws, wz)
        [fc] y = MatMul (xd, wd)
    }
"""


def test_quantize_clip_dequantize():
    found = table(QCDQ)
    assert stored(found) == {
        "w": "weight",
        "ws": "scale",
        "wz": "zero_point",
        "low": "constant",
        "high": "constant",
        "xs": "scale",
        "xz": "zero_point",
    }
    where = layers(found)
    assert {where[name] for name in ("w", "ws", "wz", "xs", "xz")} == {"fc"}


ROTARY = """
    g (float[N,S,4] x, int64[S] places) => (float[N,S,4] y)
    <float[9,4] cos = {CELLS}, float[9,4] sin = {CELLS}, float[9,4] learned = {CELLS},
     int64[2] starts = {0, 2}, int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4},
     int64[1] last = {2}>
    {
        c = Gather (cos, places)
        s = Gather (sin, places)
        l = Gather (learned, places)
        x0 = Add (x, l)
        a = Slice (x0, zero, two, last)
        b = Slice (x0, two, four, last)
        n = Neg (b)
        turned = Concat <axis = -1> (n, a)
        left = Mul (x0, c)
        right = Mul (turned, s)
        y = Add (left, right)
    }
""".replace("CELLS", ",".join("1" * 36))


def test_rotary_tables_are_no_weights():
    kinds = stored(table(ROTARY))
    assert (kinds["cos"], kinds["sin"], kinds["learned"]) == ("constant", "constant", "weight")


def test_halves_that_are_rotated_apart():
    found = table(
        """
        g (float[N,3,2] a, float[N,3,4] x) => (float[N,3,2] y, float[N,3,2] z)
        <float[3,2] c = {1,2,3,4,5,6}, float[3,2] s = {1,2,3,4,5,6}, int64[2] halves = {2, 2}>
        {
            p, q = Split <axis = 2> (x, halves)
            pc = Mul (p, c)
            qs = Mul (q, s)
            y = Sub (pc, qs)
            ps = Mul (p, s)
            qc = Mul (q, c)
            z = Add (ps, qc)
        }
        """
    )
    assert stored(found) == {"c": "constant", "s": "constant"}


def test_frequencies_that_become_sines():
    found = table(
        """
        g (float[N,1,S] places) => (float[N,2,S] y)
        <float[1,2,1] frequencies = {1, 2}, float half = {0.5}>
        {
            angles = MatMul (frequencies, places)
            turned = Transpose <perm = [0, 2, 1]> (angles)
            c = Cos (turned)
            s = Sin (turned)
            h = Mul (s, half)
            t = Add (c, h)
            y = Transpose <perm = [0, 2, 1]> (t)
        }
        """
    )
    assert stored(found) == {"frequencies": "constant", "half": "constant"}


@pytest.mark.parametrize(
    ("shape", "kind"), [("[1,1,2,2]", "constant"), ("[2,2]", "constant"), ("[1,3,2,2]", "weight")]
)
def test_masks_are_alike_for_all_heads(shape, kind):
    """A table of learned biases differs by head."""
    cells = ",".join("0" * (12 if "3" in shape else 4))
    found = table(
        f"""
        g (float[N,3,2,4] q, float[N,3,4,2] k) => (float[N,3,2,2] y)
        <float{shape} added = {{{cells}}}, float scale = {{0.5}}>
        {{
            scores = MatMul (q, k)
            scaled = Mul (scores, scale)
            seen = Add (scaled, added)
            y = Softmax <axis = -1> (seen)
        }}
        """
    )
    assert stored(found) == {"added": kind, "scale": "constant"}


def test_bounds_thresholds_exponents_and_fillings():
    found = table(
        """
        g (float[N,2] x) => (float[N,2] y, bool[N,2] z)
        <float low = {0}, float high = {6}, float least = {0.1}, float[2] limit = {1, 2},
         float two = {2}, float[1,2] other = {1, 2}, float filling = {-1}>
        {
            a = Clip (x, low, high)
            b = Max (a, least)
            c = Pow (b, two)
            z = Greater (c, limit)
            d = Where (z, c, other)
            y = Where (z, d, filling)
        }
        """
    )
    kinds = stored(found)
    assert kinds.pop("other") == "weight"  # what is put in place may have been learned
    assert set(kinds.values()) == {"constant"}


def test_thresholds_are_sites_though_their_result_only_chooses():
    """Detections above a threshold are picked by index; codes are those of the nearest entry."""
    found = table(
        """
        g (float[N,4] x, int64[N] k) => (float[M,4] y, float[N,4] z)
        <float threshold = {0.5}, int64 least = {3}, int64 offset = {1}, float[4,8] w = {WW},
         float[8,4] codes = {WW}, int64[1] axis = {1}>
        {
            best = ReduceMax <keepdims = 0> (x, axis)
            kept = Greater (best, threshold)
            many = Less (k, least)
            both = And (kept, many)
            y = Compress <axis = 0> (x, both)
            likely = MatMul (x, w)
            nearest = ArgMax <axis = 1, keepdims = 0> (likely)
            next = Add (nearest, offset)
            z = Gather (codes, next)
        }
        """.replace("WW", ",".join("1" * 32))
    )
    assert stored(found) == {
        "threshold": "constant",
        "least": "constant",
        "w": "weight",
        "codes": "weight",
    }
    left = {each.name: each.reason for each in found.left_out}
    assert left == dict.fromkeys(
        ("offset", "axis"), "structural: a shape, axis, index, size or condition"
    )


def test_one_number_for_all_is_a_constant_and_a_channels_own_is_not():
    found = table(
        """
        g (float[N,3] x, float[N,1] z) => (float[N,3] y, float[N,1] w)
        <float half = {0.5}, float[1] one = {1}, float[3] gain = {1,2,3}, float[1] own = {2}>
        {
            a = Mul (x, half)
            b = Erf (a)
            c = Add (b, one)
            y = Mul (c, gain)
            w = Mul (z, own)
        }
        """
    )
    assert stored(found) == {
        "half": "constant",
        "one": "constant",
        "gain": "weight",
        "own": "weight",
    }


@pytest.mark.parametrize(("after", "kind"), [("Neg", "weight"), ("Clip", "constant")])
def test_a_factor_and_a_summand_are_an_affine_layer_unless_they_are_bounded(after, kind):
    bounds = ", low, high" if after == "Clip" else ""
    found = table(
        f"""
        g (float[N,3] x) => (float[N,3] y)
        <float[1] gain = {{0.2}}, float[1] shift = {{0.5}}, float low = {{0}}, float high = {{1}}>
        {{
            r = Relu (x)
            a = Mul (r, gain)
            b = Add (a, shift)
            y = {after} (b{bounds})
        }}
        """
    )
    kinds = stored(found)
    assert kinds["gain"] == kinds["shift"] == kind


def test_tables_and_masks_of_attention_operators():
    found = table(
        """
        g (float[1,S,8] x, int64[1,S] p) => (float[1,S,8] y)
        <float[4,2] cos = {C}, float[4,2] sin = {C}, float[8,24] w = {W}, float[24] bias = {B},
         int32[1] seen = {3}>
        {
            [turn] t = com.microsoft.RotaryEmbedding <num_heads = 2> (x, p, cos, sin)
            [look] y = com.microsoft.Attention <num_heads = 2> (t, w, bias, seen)
        }
        """.replace("C", ",".join("1" * 8))
        .replace("W", ",".join("1" * 192))
        .replace("B", ",".join("1" * 24))
    )
    assert stored(found) == {
        "cos": "constant",
        "sin": "constant",
        "w": "weight",
        "bias": "bias",
        "seen": "constant",
    }


def test_a_filled_tensor_is_what_it_is_used_as():
    found = table(
        """
        g (float[N,3] x) => (float[N,2] y, float[N,3] z)
        {
            shape = Constant <value = int64[2] {3, 2}> ()
            [weights] w = ConstantOfShape <value = float[1] {0.5}> (shape)
            y = MatMul (x, w)
            seen = Shape (x)
            [bounds] b = ConstantOfShape <value = float[1] {1.0}> (seen)
            z = Min (x, b)
        }
        """
    )
    assert stored(found) == {"weights/value": "weight", "bounds/value": "constant"}


def test_what_a_gemm_adds_is_a_bias_only_if_all_rows_get_the_same():
    for shape, kind in (("4", "bias"), ("1,4", "bias"), ("2,4", "weight")):
        values = ",".join(["1"] * (8 if shape == "2,4" else 4))
        text = f"""
        g (float[2,2] x) => (float[2,4] y)
        <float[2,4] w = {{1,2,3,4,5,6,7,8}}, float[{shape}] c = {{{values}}}>
        {{ y = Gemm (x, w, c) }}
        """
        assert stored(table(text)) == {"w": "weight", "c": kind}

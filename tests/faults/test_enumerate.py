"""Site policy, on small models that are written as ONNX text and loaded for real."""

from __future__ import annotations

import onnx
import onnx.helper as oh
import pytest

from onnxfi.bits import ElementType
from onnxfi.faults import SampleLayout, SiteTable, enumerate_sites
from onnxfi.graph import load


def parse(text: str) -> onnx.ModelProto:
    header = '<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1, "own" : 1]>\n'
    return onnx.parser.parse_model(header + text)


def table(source: str | onnx.ModelProto, layouts=None, unseen=None) -> SiteTable:
    model = load(parse(source) if isinstance(source, str) else source)
    return enumerate_sites(model.index, model.inputs, model.outputs, layouts, unseen)


def kinds(found: SiteTable) -> dict[str, str]:
    return {site.name: site.kind.value for site in found.sites}


def reasons(found: SiteTable) -> dict[str, str]:
    return {left.name: left.reason for left in found.left_out}


def layers(found: SiteTable) -> dict[str, str]:
    return {site.name: site.layer for site in found.sites}


def test_float_network():
    found = table(
        """
        agraph (float[N,1,4,4] x) => (float[N,2] y)
        <float[2,1,3,3] w = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}, float[2] b = {1,2},
         float[8,2] m = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}, float[2] c = {1,2},
         float[2,2] d = {1,2,3,4},
         int64[2] shape = {0,-1}>
        {
            [conv] h = Conv (x, w, b)
            r = Relu (h)
            f = Reshape (r, shape)
            g = MatMul (f, m)
            a = Add (g, c)
            [gemm] y = Gemm (a, d, b)
        }
        """
    )
    assert kinds(found) == {
        "w": "weight",
        "b": "bias",
        "m": "weight",
        "c": "bias",
        "d": "weight",
        "x": "input",
        "h": "activation",
        "r": "activation",
        "f": "activation",
        "g": "activation",
        "a": "activation",
        "y": "activation",
    }
    assert reasons(found) == {"shape": "structural: a shape, axis, index, size or condition"}
    (left,) = found.left_out
    assert (left.elements, left.bits) == (2, 128)
    sites = found.by_name()
    assert (sites["w"].node, sites["w"].op_type, sites["w"].layer) == ("conv", "Conv", "conv")
    assert sites["w"].layout == SampleLayout(shape=(2, 1, 3, 3), batch_axis=None)
    assert (sites["x"].node, sites["x"].op_type, sites["x"].layer) == ("", "", "x")
    assert (sites["f"].node, sites["f"].op_type, sites["f"].layer) == (
        "Reshape#1",
        "Reshape",
        "Relu#1",
    )
    assert sites["y"].layout is None


def test_order_is_stored_then_inputs_then_computed():
    found = table(
        """
        agraph (float[N] x) => (float[N] y) <float[1] late = {1}, float[1] early = {2}>
        { h = Add (x, early)
          y = Mul (h, late) }
        """
    )
    assert [site.name for site in found.sites] == ["late", "early", "x", "h", "y"]


def test_qdq_network_is_seen_through():
    found = table(
        """
        agraph (float[N,4] x) => (float[N,2] y)
        <float xs = {1}, uint8 xz = {0}, int8[4,2] wq = {1,2,3,4,5,6,7,8}, float[2] ws = {1,1},
         int8[2] wz = {0,0}, int32[2] bq = {1,2}, float bs = {1}, float ys = {1}, uint8 yz = {0}>
        {
            xq = QuantizeLinear (x, xs, xz)
            xd = DequantizeLinear (xq, xs, xz)
            wd = DequantizeLinear <axis = 1> (wq, ws, wz)
            bd = DequantizeLinear (bq, bs)
            [fc] g = Gemm (xd, wd, bd)
            gq = QuantizeLinear (g, ys, yz)
            y = DequantizeLinear (gq, ys, yz)
        }
        """
    )
    assert {name: kind for name, kind in kinds(found).items() if kind != "activation"} == {
        "xs": "scale",
        "xz": "zero_point",
        "wq": "weight",
        "ws": "scale",
        "wz": "zero_point",
        "bq": "bias",
        "bs": "scale",
        "ys": "scale",
        "yz": "zero_point",
        "x": "input",
    }
    assert reasons(found) == dict.fromkeys(
        ("wd", "bd"), "computed from stored tensors and shapes only, never from a sample"
    )
    where = layers(found)
    assert {where[name] for name in ("xs", "xz", "wq", "ws", "bq", "bs", "g", "gq", "y")} == {"fc"}
    assert where["ys"] == where["yz"] == "fc", "nothing reads the output: its maker"
    assert where["xq"] == where["xd"] == "x"
    sites = found.by_name()
    assert (sites["wq"].node, sites["wq"].op_type) == ("DequantizeLinear#2", "Gemm")
    assert (sites["xq"].op_type, sites["xq"].element) == ("QuantizeLinear", ElementType.UINT8)


def test_qoperator_slots():
    found = table(
        """
        agraph (uint8[N,1,4,4] x) => (uint8[N,2,2,2] y)
        <float s = {1}, uint8 z = {0}, int8[2,1,3,3] w = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0},
         float ws = {1}, int8 wz = {0}, float ys = {1}, uint8 yz = {0}, int32[2] b = {1,2},
         float as = {1}, uint8 az = {0}>
        {
            h = QLinearConv (x, s, z, w, ws, wz, ys, yz, b)
            y = com.microsoft.QLinearConcat <axis = 1> (as, az, h, ys, yz)
        }
        """
    )
    assert {name: kind for name, kind in kinds(found).items() if name not in "xy"} == {
        "s": "scale",
        "z": "zero_point",
        "w": "weight",
        "ws": "scale",
        "wz": "zero_point",
        "ys": "scale",
        "yz": "zero_point",
        "b": "bias",
        "as": "scale",
        "az": "zero_point",
        "h": "activation",
    }


def test_dynamically_quantized_product():
    found = table(
        """
        agraph (float[N,4] x) => (float[N,2] y)
        <uint8[4,2] w = {1,2,3,4,5,6,7,8}, uint8 wz = {0}, float ws = {1}, float[2] b = {1,2}>
        {
            q, s, z = DynamicQuantizeLinear (x)
            i = MatMulInteger (q, w, z, wz)
            f = Cast <to = 1> (i)
            t = Mul (s, ws)
            g = Mul (f, t)
            y = Add (g, b)
        }
        """
    )
    got = kinds(found)
    assert (got["w"], got["wz"], got["ws"], got["b"]) == ("weight", "zero_point", "scale", "bias")
    assert (got["q"], got["s"], got["z"]) == ("activation",) * 3


@pytest.mark.parametrize(
    ("shape", "kind"), [("[3]", "bias"), ("", "bias"), ("[1,3]", "bias"), ("[2,3]", "weight")]
)
def test_only_a_row_is_the_bias_of_a_gemm(shape, kind):
    count = {"[3]": 3, "": 1, "[1,3]": 3, "[2,3]": 6}[shape]
    values = ",".join(["1"] * count)
    found = table(
        f"""
        agraph (float[2,3] x) => (float[2,3] y)
        <float[3,3] w = {{1,2,3,4,5,6,7,8,9}}, float{shape} c = {{{values}}}>
        {{ y = Gemm (x, w, c) }}
        """
    )
    assert kinds(found)["c"] == kind


def test_constants_in_arithmetic_are_sites_whatever_their_type():
    found = table(
        """
        agraph (int64[N] x, float[N] f) => (float[N] y)
        <int64[1] threshold = {3}, bool[1] mask = {1}, float[1] other = {0}, float[1] addend = {1}>
        {
            hit = Equal (x, threshold)
            both = And (hit, mask)
            sum = Add (f, addend)
            y = Where (both, sum, other)
        }
        """
    )
    got = kinds(found)
    assert {got[name] for name in ("threshold", "mask", "other", "addend")} == {"constant"}
    assert (got["hit"], got["both"]) == ("activation", "activation")


def test_shape_arithmetic_is_structural_all_the_way():
    found = table(
        """
        agraph (float[N,4] x) => (float[N,2,2] y, float[M] z)
        <int64 zero = {0}, int64[1] axis = {0}, int64[2] tail = {2,2}, int64[1] two = {2},
         float[1] steps = {0.5}>
        {
            s = Shape (x)
            n = Gather (s, zero)
            u = Unsqueeze (n, axis)
            t = Concat <axis = 0> (u, tail)
            y = Reshape (x, t)
            m = Mul (u, two)
            ones = ConstantOfShape (m)
            z = Mul (ones, steps)
        }
        """
    )
    assert kinds(found) == {"x": "input", "steps": "constant", "y": "activation"}
    structural = "structural: a shape, axis, index, size or condition"
    static = "computed from stored tensors and shapes only, never from a sample"
    assert reasons(found) == {
        **dict.fromkeys(("zero", "axis", "tail", "two"), structural),
        **dict.fromkeys(("s", "n", "u", "t", "m", "ones", "z"), static),
    }


def test_an_integer_that_is_shape_and_number_is_left_out_but_a_weight_is_not():
    found = table(
        """
        agraph (float[N,2] x, int64[1] i) => (float[N,2] y, int64[1] j, int64[2] k)
        <int64[1] both = {1}, float[2,2] w = {1,2,3,4}>
        {
            u = Unsqueeze (x, both)
            v = Squeeze (u, both)
            j = Add (i, both)
            k = Shape (w)
            y = MatMul (v, w)
        }
        """
    )
    assert reasons(found)["both"].startswith("structural")
    assert kinds(found)["w"] == "weight"


def test_control_flow_bodies():
    body = """
        agraph (bool c, float[2] x) => (float[2] y) <float[2] outer = {1,2}>
        {
            h = Add (x, outer)
            [branch] y = If (c) <
                then_branch = g1 () => (float[2] p)
                    <float[2] inner = {3,4}> { q = Mul (h, inner)
                                              p = Add (q, outer) },
                else_branch = g2 () => (float[2] r) { r = Identity (h) }
            >
        }
        """
    found = table(body)
    assert kinds(found) == {
        "outer": "weight",
        "branch/then_branch/inner": "weight",
        "c": "input",
        "x": "input",
        "h": "activation",
        "y": "activation",
        "branch/then_branch/q": "activation",
        "branch/then_branch/p": "activation",
        "branch/else_branch/r": "activation",
    }
    assert not reasons(found)
    site = found.by_name()["branch/then_branch/q"]
    assert (site.body, site.repeated) == ("branch/then_branch", False)
    assert (site.node, site.layer) == ("branch/then_branch/Mul#1", "branch/then_branch/Mul#1")
    inner = found.by_name()["branch/then_branch/inner"]
    assert (inner.op_type, inner.node) == ("Mul", "branch/then_branch/Mul#1")


def test_unread_and_returned_tensors():
    found = table(
        """
        agraph (float[2] x, float[2] idle) => (float[2] y, float[2] kept)
        <float[2] unused = {1,2}, float[2] kept = {3,4}, float[0] empty = {}>
        {
            y, mask = Dropout (x)
            t = Concat <axis = 0> (x, empty)
        }
        """
    )
    assert kinds(found) == {"kept": "weight", "x": "input", "y": "activation"}
    assert layers(found)["kept"] == "kept"
    assert reasons(found) == {
        "unused": "not read by any operator",
        "empty": "empty tensor",
        "idle": "not read by any operator",
        "mask": "not read by any operator",
        "t": "not read by any operator",
    }


def test_types_that_can_not_be_faulted():
    proto = parse(
        """
        agraph (float[2] x, string[2] words, seq(float[2]) many) => (float[2] y, string[2] w)
        <float s = {1}, string[1] label = {"a"}>
        {
            q = QuantizeLinear <output_dtype = 17> (x, s)
            y = DequantizeLinear (q, s)
            d = DequantizeLinear (codes, s)
            m = own.Mystery (x, d)
            w = StringConcat (words, label)
            n = own.Mystery (m, many)
        }
        """
    )
    proto.graph.initializer.append(oh.make_tensor("codes", onnx.TensorProto.INT4, [3], [1, 2, 3]))
    found = table(proto)
    got = reasons(found)
    # Operators can't change its bits; the host can, between two runs.
    assert found.by_name()["q"].element is ElementType.FLOAT8E4M3FN
    assert got["words"] == got["w"] == "no operator can change bits of computed STRING tensors"
    assert got["label"] == "STRING elements are not single words of bits"
    assert got["m"] == "element type not known: onnxruntime does not load what computes it"
    assert got["many"] == "a sequence, not a tensor"
    codes = found.by_name()["codes"]
    assert (codes.kind.value, codes.element, codes.layer) == (
        "weight",
        ElementType.INT4,
        "Mystery#1",
    )


def test_layouts_of_a_profile():
    text = """
        agraph (float[N,2] x) => (float[N,2] y, float[N,0] none)
        <int64[1] a = {0}, int64[1] b = {0}, int64[1] axis = {1}>
        {
            h = Relu (x)
            y = Neg (h)
            none = Slice (h, a, b, axis)
        }
        """
    row = SampleLayout(shape=(1, 2), batch_axis=0)
    nothing = SampleLayout(shape=(1, 0), batch_axis=0)
    found = table(text, {"x": row, "y": row, "none": nothing})
    assert [(site.name, site.layout) for site in found.sites] == [("x", row), ("y", row)]
    assert reasons(found)["h"] == "shape at run time not seen by the profile"
    told = table(text, {"x": row, "y": row, "none": nothing}, {"h": "two axes grow"})
    assert reasons(told)["h"] == "two axes grow"
    assert reasons(found)["none"] == "empty tensor"


def test_weights_that_are_cut_and_joined_first_belong_to_who_computes_with_them():
    found = table(
        """
        agraph (float[N,2] x, float[N,1] t) => (float[N,2] y, float[N,2] z)
        <float[4] raw = {1,2,3,4}, int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4},
         int64[2] square = {2,1}, float[1,1] token = {7}>
        {
            a = Slice (raw, zero, two)
            b = Slice (raw, two, four)
            c = Concat <axis = 0> (b, a)
            d, rest = Split <num_outputs = 2> (c)
            w = Reshape (d, square)
            [fc] h = MatMul (x, w)
            y = Add (h, x)
            [joined] z = Concat <axis = 1> (t, token)
        }
        """
    )
    sites = found.by_name()
    assert (sites["raw"].layer, sites["raw"].op_type) == ("fc", "MatMul")
    assert sites["raw"].node == "Slice#1"
    assert (sites["token"].layer, sites["token"].op_type) == ("joined", "Concat")

"""Models in text are told apart by what they hold."""

import hashlib

import numpy as np
import onnx
import pytest
from onnx.serialization import registry

from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph import initializer_words, load

TEXT = """agraph (bool c, float[N, 2] x) => (float[N, 2] y) <float[2] w = {1.5, -2}> {
    a = Add(x, w)
    y = If (c) <then_branch = t () => (float[N, 2] o) { o = Neg(a) },
                else_branch = e () => (float[N, 2] p) { p = Relu(a) }>
}"""
FORMS = ("protobuf", "textproto", "json", "onnxtxt")


def _forms(parse):
    proto = parse(TEXT)
    proto.producer_name = "brackets [ in { text"
    return proto, {form: registry.get(form).serialize_proto(proto) for form in FORMS}


@pytest.mark.parametrize("suffix", ["onnx", "json", "textproto", "onnxtxt", "pb"])
@pytest.mark.parametrize("form", FORMS)
def test_content_counts_not_the_suffix(form, suffix, parse, tmp_path):
    proto, forms = _forms(parse)
    data = forms[form]
    path = tmp_path / f"m.{suffix}"
    path.write_bytes(data)
    model = load(path)
    assert model.sha256 == hashlib.sha256(data).hexdigest()
    assert [node.op_type for node in model.index.nodes] == ["Add", "If", "Neg", "Relu"]
    np.testing.assert_array_equal(
        initializer_words(model, "w").view(np.float32), np.array([1.5, -2], np.float32)
    )
    assert load(data).inputs == load(proto).inputs


def test_comments_and_a_byte_order_mark(parse):
    _, forms = _forms(parse)
    for start in (b"# proto-file: onnx.proto\n# [{(\n\n", b"\xef\xbb\xbf", b"\n\n  "):
        assert load(start + forms["textproto"]).opset == 17
    assert load(b"# made by hand\n" + forms["onnxtxt"]).opset == 17


def test_external_data_beside_a_text(external, tmp_path):
    path = external()
    text = path.with_suffix(".textproto")
    text.write_bytes(
        registry.get("textproto").serialize_proto(onnx.load(path, load_external_data=False))
    )
    assert initializer_words(load(text), "w").view(np.float32).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"architectures": ["LlamaForCausalLM"]}', "JSON: .*architectures"),
        (b"{}", "holds no graph"),
        (b"{", "protobuf's JSON"),
        (b"name: 7\ngraph {", "protobuf's text format"),
        (b"producer_name: 'x'", "holds no graph"),
        (b"<ir_version: 8>\nagraph (float x) => (", "ONNX's text format"),
        (b"<ir_version: 99999999999999999999>\nagraph (float x) => (float y) {}", "ONNX's text"),
        (b'<ir_version: 8, opset_import: ["": 17]> g (float x) => (float y) { y = If (x) '
         + b"<b = g () => (float z) {" * 100_000, "nested over 200 deep"),
        (b"graph {" + b"node { attribute { g {" * 50_000, "nested over 200 deep"),
        (b'{"graph":' + b'{"node":[' * 50_000, "nested over 200 deep"),
        (b"import torch\n\nmodel = torch.nn.Linear(2, 3)\n", "not an ONNX model"),
    ],
)  # fmt: skip
def test_other_texts_are_refused_in_one_line(data, message):
    with pytest.raises(ModelError, match=message) as caught:
        load(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "page", [b'<?xml version="1.0"?><net name="m"/>', b"<!DOCTYPE html><html>"]
)
def test_pages_and_openvino_files(page):
    with pytest.raises(UnsupportedModelError, match="XML or HTML"):
        load(page)

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxfi.errors import ModelError
from onnxfi.graph import load, operators, read_tensor


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i1", "u8", "?", "c8", "c16"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_tensor_files(tmp_path, dtype, shape):
    values = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape).astype(dtype)
    path = tmp_path / "input_0.pb"
    path.write_bytes(numpy_helper.from_array(values, "x").SerializeToString())
    read = read_tensor(path)
    assert read.dtype == values.dtype
    assert read.shape == shape
    np.testing.assert_array_equal(read, values)


def test_text_and_packed_tensors(tmp_path):
    path = tmp_path / "t.pb"
    text = helper.make_tensor("t", TensorProto.STRING, [2, 1], ["a", "é"])
    path.write_bytes(text.SerializeToString())
    assert read_tensor(path).tolist() == [["a"], ["é"]]
    packed = helper.make_tensor("t", TensorProto.INT4, [3], [-8, 7, -1])
    path.write_bytes(packed.SerializeToString())
    assert read_tensor(path).astype(int).tolist() == [-8, 7, -1]


def test_files_that_are_no_tensors(tmp_path):
    path = tmp_path / "t.pb"
    with pytest.raises(ModelError, match="can't read tensor file"):
        read_tensor(path)
    for data, message in [(b"", "no element type"), (b"nonsense" * 9, "not an ONNX tensor")]:
        path.write_bytes(data)
        with pytest.raises(ModelError, match=message):
            read_tensor(path)
    tensor = numpy_helper.from_array(np.zeros(4, np.float32))
    tensor.dims[:] = [5]
    path.write_bytes(tensor.SerializeToString())
    with pytest.raises(ModelError, match="needs 20 bytes, its data has 16"):
        read_tensor(path)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    path.write_bytes(tensor.SerializeToString())
    with pytest.raises(ModelError, match="another file, which is not read"):
        read_tensor(path)
    text = helper.make_tensor("t", TensorProto.STRING, [1], ["a"])
    text.dims[:] = [2**40, 2**40]
    path.write_bytes(text.SerializeToString())
    with pytest.raises(ModelError, match="1 strings"):
        read_tensor(path)


def test_operators_are_counted_in_bodies_too(parse):
    model = load(
        parse(
            """agraph (bool c, float[2] x) => (float[2] y) {
                a = com.microsoft.Gelu(x)
                b = Relu(a)
                y = If (c) <then_branch = t () => (float[2] o) { o = Relu(b) },
                            else_branch = e () => (float[2] p) { p = Neg(b) }>
            }""",
            imports={"com.microsoft": 1},
        )
    )
    assert operators(model) == {"com.microsoft::Gelu": 1, "Relu": 2, "If": 1, "Neg": 1}

"""Random workloads: shapes, reproducibility, refusals."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import WorkloadError


def test_values_have_the_promised_distribution(spec, read):
    inputs = [
        spec("f", "batch", 50),
        spec("h", "batch", 50, element=ElementType.BFLOAT16),
        spec("i", "batch", 50, element=ElementType.INT64),
        spec("u", "batch", 50, element=ElementType.UINT8),
        spec("b", "batch", 50, element=ElementType.BOOL),
    ]
    arrays = read("random:200:3", inputs).inputs
    assert abs(arrays["f"].mean()) < 0.05
    assert abs(arrays["f"].std() - 1) < 0.05
    assert arrays["h"].dtype == ml_dtypes.bfloat16
    assert set(np.unique(arrays["i"])) == set(range(10))
    assert arrays["u"].min() == 0
    assert arrays["u"].max() == 255
    assert abs(arrays["b"].mean() - 0.5) < 0.05
    assert not np.array_equal(arrays["i"] % 2, arrays["u"] % 2)


def test_values_are_fixed_for_ever(spec, read):
    inputs = [spec("x", "batch", 3), spec("i", "batch", 3, element=ElementType.INT64)]
    workload = read("random:2:1", inputs)
    x = workload.inputs["x"]
    expected = [-1.3405457, -0.68315125, 0.3892517, -1.1036072, -0.2443695, -0.15840149]
    np.testing.assert_array_equal(x.ravel(), np.array(expected, np.float32))
    assert workload.inputs["i"].ravel().tolist() == [4, 4, 2, 7, 2, 6]
    assert workload.sha256.startswith("830521e32dfb64bc")
    other = read("random:2:2", [spec("x", "batch", 3)]).inputs["x"]
    assert not np.array_equal(x, other)
    longer = read("random:5:1", [spec("x", "batch", 3)]).inputs["x"]
    np.testing.assert_array_equal(longer[:2], x)


def test_open_dimensions(spec, read):
    inputs = [spec("x", "batch", 3, "height", None), spec("k")]
    workload = read("random:4:1:height=8,x.3=6", inputs)
    assert workload.inputs["x"].shape == (4, 3, 8, 6)
    assert workload.constants["k"].shape == ()
    assert read("random:4:1,height=8,x.3=6", inputs).sha256 == workload.sha256
    with pytest.raises(WorkloadError, match="dimension 2 of input 'x', dimension 3 of") as said:
        read("random:4:1", inputs)
    assert str(said.value).endswith("e.g. random:4:1:height=16,x.3=16")
    with pytest.raises(WorkloadError, match=r"open dimension 3 of.*:height=8,x\.3=16"):
        read("random:4:1:height=8", inputs)
    with pytest.raises(WorkloadError, match=r"dimension 1 of input 'y'.*:y\.1=16,y\.2=16"):
        read("random:4:1", [spec("y", "batch", "?", "?")])
    with pytest.raises(WorkloadError, match="'depth' is no dimension"):
        read("random:4:1:height=8,depth=2", inputs)


def test_models_without_a_batch(spec, read):
    workload = read("random:4:1", [spec("x", 7), spec("k")])
    assert workload.stacked
    assert workload.batch(1, 2)["x"].shape == (7,)
    assert read("random:6:1", [spec("x", 2, 7)]).inputs["x"].shape == (6, 7)
    assert read("random:6:1", []).samples == 1


@pytest.mark.parametrize(
    "text", ["random:", "random:4", "random:0:1", "random:a:1", "random:4:1:h"]
)
def test_bad_texts(spec, text, read):
    with pytest.raises(WorkloadError, match="write random:SAMPLES:SEED"):
        read(text, [spec("x", "batch", 3)])


def test_strings_are_refused(spec, read):
    with pytest.raises(WorkloadError, match="holds strings"):
        read("random:2:1", [spec("t", "batch", element=ElementType.STRING)])

"""Campaigns on models of old opsets: raised where that can be done, else refused or cut."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxfi.campaign import resume_or_create, run_campaign
from onnxfi.errors import ConfigError
from onnxfi.settings import CampaignSettings

RNG = np.random.default_rng(11)


def _old_model(path, resampled, **tensors):
    """Convolution, one old operator, pooling, in opset 7."""
    weights = {"w": RNG.normal(size=(4, 2, 3, 3)).astype(np.float32), **tensors}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3]),
        resampled,
        helper.make_node("GlobalAveragePool", ["u"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "old",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", 7)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=4), path)
    return str(path)


def _settings(model, engine):
    return CampaignSettings(
        model=model,
        inputs="random:4:0",
        targets=("activation",),
        engine=engine,
        sampler={"kind": "uniform", "n": 20, "seed": 1},
        optimization="disabled",
    )


def test_engines_agree_on_an_upsampled_value(tmp_path, rows_of):
    node = helper.make_node("Upsample", ["c"], ["u"], scales=[1.0, 1.0, 2.0, 2.0], mode="nearest")
    model = _old_model(tmp_path / "m.onnx", node)
    rows = {}
    for engine in ("bake", "ports", "cut"):
        campaign = resume_or_create(tmp_path / engine, _settings(model, engine))
        run_campaign(campaign)
        assert "u" in campaign.plan.sites
        rows[engine] = rows_of(campaign)
    assert rows["bake"] == rows["ports"] == rows["cut"]


def test_what_can_not_be_raised_is_refused_first_or_cut(tmp_path):
    node = helper.make_node("BatchNormalization", ["c", *"sbmv"], ["u"], spatial=0)
    each = {name: RNG.uniform(1, 2, (4, 3, 3)).astype(np.float32) for name in "sbmv"}
    model = _old_model(tmp_path / "m.onnx", node, **each)
    for engine in ("bake", "ports"):
        with pytest.raises(ConfigError, match=f"engine {engine} can't run .* from opset 7 to 26"):
            resume_or_create(tmp_path / engine, _settings(model, engine))
        assert not (tmp_path / engine).exists()
    chosen = resume_or_create(tmp_path / "auto", _settings(model, "auto")).plan
    assert chosen.engine == "cut"

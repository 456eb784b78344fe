"""Plans: what is looked at in models whose runs hold one sample."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper, parser

from onnxfi.engine import EngineContext, EngineSettings, open_workload, profile
from onnxfi.faults import BitFlip, FaultSpace, enumerate_sites
from onnxfi.graph import load
from onnxfi.outcome import BoundCriterion, Top1
from onnxfi.sensitivity import measure
from onnxfi.sensitivity.scores import ComputedScores
from onnxfi.settings import SensitivityOptions

ONE_A_RUN = """
<ir_version: 10, opset_import: ["" : 17]> m (float[1, 6] x) => (float[1, 4] y)
{
  hidden = MatMul(x, w)
  seen = Relu(hidden)
  total = ReduceSum<keepdims = 0>(seen)
  scaled = Div(seen, total)
  y = MatMul(scaled, v)
}
"""


def _context() -> EngineContext:
    rng = np.random.default_rng(0)
    proto = parser.parse_model(ONE_A_RUN)
    for name, shape in {"w": (6, 8), "v": (8, 4)}.items():
        values = rng.normal(size=shape).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    model = load(proto)
    values = rng.normal(size=(10, 6)).astype(np.float32)
    workload = open_workload(model, {"x": values})
    how = EngineSettings()
    found = profile(model, workload, how)
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=how,
        sites=tuple(site for site in table.sites if site.layout is not None),
        criterion=BoundCriterion(criterion=Top1(), output="y"),
    )


def test_values_of_models_with_one_sample_a_run_are_looked_at() -> None:
    context = _context()
    layouts = context.profile.layouts
    assert context.profile.batch_size == 1
    assert layouts["seen"].batch_axis is None
    found = measure(context, context.sites, SensitivityOptions())
    methods = dict(found.methods)
    assert methods.pop("total") == "trials"  # one number has no channels
    assert set(methods.values()) == {"probes"}
    scores = found.scores.sites["hidden"]
    assert isinstance(scores, ComputedScores)
    assert scores.words.shape == (10, 8)
    (site,) = (each for each in context.sites if each.name == "hidden")
    space = FaultSpace([site], [BitFlip(bits=30)])
    (part,) = space.stretches(0, space.size)
    likely = found.scores.of(site, part.columns, space.size)
    assert likely.max() > 0.5

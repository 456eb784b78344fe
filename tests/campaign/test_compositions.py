"""Graphs put together at random of all kinds of values: whoever takes them gives the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, checker, helper, numpy_helper

from onnxfi.campaign import InMemory, resume_or_create, run_campaign
from onnxfi.errors import ConfigError
from onnxfi.settings import CampaignSettings

WIDTH = 4
X = np.random.default_rng(1).normal(size=(5, WIDTH)).astype(np.float32)
KINDS = ("product", "relu", "sum", "split", "at", "insert", "joined", "optional", "text", "branch")


class Composed:
    """A model that grows by one operator after another, from what it has so far."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.stored = [], []
        self.values, self.sequences = ["x"], []
        for kind in self.rng.choice(KINDS, 11):
            getattr(self, f"add_{kind}")(self.values[-1])

    def node(self, op, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def const(self, values):
        name = f"c{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def matrix(self, rows):
        return self.const(self.rng.normal(size=(rows, WIDTH)).astype(np.float32))

    def some(self, values):
        return values[self.rng.integers(len(values))]

    def add_product(self, v):
        self.values.append(self.node("MatMul", v, self.matrix(WIDTH)))

    def add_relu(self, v):
        self.values.append(self.node("Relu", v))

    def add_sum(self, v):
        self.values.append(self.node("Add", v, self.some(self.values)))

    def add_split(self, v):
        self.sequences.append((self.node("SplitToSequence", v, axis=1), WIDTH))

    def add_at(self, v):
        if self.sequences:
            sequence, length = self.some(self.sequences)
            where = self.const(np.int64(self.rng.integers(length)))
            self.values.append(self.node("Mul", v, self.node("SequenceAt", sequence, where)))

    def add_insert(self, v):
        if self.sequences:
            sequence, length = self.some(self.sequences)
            ends = [self.const(np.array([k])) for k in (0, 1, 1)]
            column = self.node("Slice", v, *ends)
            self.sequences.append((self.node("SequenceInsert", sequence, column), length + 1))

    def add_joined(self, v):
        if self.sequences:
            sequence, length = self.some(self.sequences)
            joined = self.node("ConcatFromSequence", sequence, axis=1)
            self.values.append(
                self.node("Add", v, self.node("MatMul", joined, self.matrix(length)))
            )

    def add_optional(self, v):
        self.values.append(self.node("OptionalGetElement", self.node("Optional", v)))

    def add_text(self, v):
        text = self.node("Cast", v, to=TensorProto.STRING)
        self.values.append(self.node("Cast", text, to=TensorProto.FLOAT))

    def add_branch(self, v):
        yes = self.node("Greater", self.const(np.float32(1)), self.const(np.float32(0)))
        ways = {}
        for branch, op in (("then_branch", "Neg"), ("else_branch", "Abs")):
            out = f"{branch}{len(self.nodes)}"
            result = helper.make_tensor_value_info(out, TensorProto.FLOAT, ["n", WIDTH])
            ways[branch] = helper.make_graph([helper.make_node(op, [v], [out])], out, [], [result])
        self.values.append(self.node("If", yes, **ways))

    def model(self):
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])
        last = self.values[-1]
        out = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", WIDTH])
        outputs = [out]
        if self.sequences:
            name = self.sequences[-1][0]
            outputs.append(helper.make_tensor_sequence_value_info(name, TensorProto.FLOAT, None))
        graph = helper.make_graph(self.nodes, "composed", [given], outputs, self.stored)
        opsets = [helper.make_opsetid("", 19)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        checker.check_model(model)
        return model, last


@pytest.mark.parametrize("seed", [3, 8, 12])
def test_engines_agree(tmp_path, rows_of, seed):
    model, output = Composed(seed).model()
    rows = {}
    for engine in ("auto", "bake", "ports", "cut"):
        settings = CampaignSettings(
            model="",
            inputs="",
            targets=("weight", "activation", "input"),
            engine=engine,
            sampler={"kind": "uniform", "n": 25, "seed": seed},
            criterion="top1",
            criterion_output=output,
            optimization="disabled",
        )
        objects = InMemory(model=model, inputs={"x": X})
        try:
            campaign = resume_or_create(tmp_path / engine, settings, objects=objects)
        except ConfigError:
            assert engine == "cut"
            assert not (tmp_path / engine).exists()
            continue
        run_campaign(campaign)
        rows[engine] = rows_of(campaign)
    assert len(rows["auto"]) == 25
    assert all(found == rows["auto"] for found in rows.values())

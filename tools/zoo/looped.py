"""The snntorch network with its time steps in a Loop instead of side by side in the graph."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from zoo.tidy import tidied

STEPS = 8
"""Time steps, as the unrolled network has them."""

_MEMBRANES = {"lif1": (12, 12, 12), "lif2": (24, 4, 4)}
"""Shape of one picture's membranes, by layer of neurons."""
_CLASSES = 10


def looped(unrolled: onnx.ModelProto) -> onnx.ModelProto:
    """Return a network of the same answers whose body is one time step.

    Weights, thresholds and leaks are those of the unrolled network, under their names, and lie
    outside of the Loop; every sum is made in the same order, so the answers are bit-identical
    where the same kernels run. Carried from step to step: both membranes and the summed readout.

    Args:
        unrolled: The network as exported from torch.
    """
    kept = [item for item in unrolled.graph.initializer if "/" not in item.name]
    graph = helper.make_graph(
        [
            *_starts(),
            _loop(),
            _node("Div", "readout/mean", ["readout/total", "steps.float"], "logits"),
        ],
        "looped",
        list(unrolled.graph.input),
        list(unrolled.graph.output),
        [*kept, *_constants()],
    )
    made = helper.make_model(graph, opset_imports=unrolled.opset_import)
    made.ir_version = unrolled.ir_version
    return tidied(made)


def _constants() -> list[TensorProto]:
    """Numbers that the unrolled graph has in its Constant nodes."""

    def number(name: str, value: float) -> TensorProto:
        return helper.make_tensor(name, TensorProto.FLOAT, [], [value])

    tails = {**_MEMBRANES, "readout": (_CLASSES,)}
    return [
        helper.make_tensor("steps", TensorProto.INT64, [], [STEPS]),
        number("steps.float", STEPS),
        number("zero", 0),
        number("one", 1),
        *(
            helper.make_tensor(f"{layer}.shape", TensorProto.INT64, [len(tail)], tail)
            for layer, tail in tails.items()
        ),
    ]


def _starts() -> list[onnx.NodeProto]:
    """Zeros for what is carried, as many as there are pictures."""
    nodes = [helper.make_node("Shape", ["image"], ["pictures"], "pictures", start=0, end=1)]
    for layer in (*_MEMBRANES, "readout"):
        shape, zeros = f"{layer}/start_shape", f"{layer}/start"
        nodes += [
            helper.make_node("Concat", ["pictures", f"{layer}.shape"], [shape], shape, axis=0),
            _node("ConstantOfShape", zeros, [shape], zeros),
        ]
    return nodes


def _loop() -> onnx.NodeProto:
    carried = [*_MEMBRANES, "readout"]
    return helper.make_node(
        "Loop",
        ["steps", "", *(f"{layer}/start" for layer in carried)],
        [*(f"{layer}/end" for layer in _MEMBRANES), "readout/total"],
        "time",
        body=_body(),
    )


def _body() -> onnx.GraphProto:
    """One time step."""
    nodes = [
        helper.make_node("Identity", ["go"], ["go_on"], "go_on"),
        helper.make_node("Cast", ["step"], ["before"], "before", to=TensorProto.FLOAT),
        _node("Add", "after", ["before", "one"], "after"),
    ]
    for when in ("after", "before"):
        nodes += [
            _node("Mul", f"encoder/{when}/Mul", ["image", when], f"encoder/{when}"),
            _node("Floor", f"encoder/{when}/Floor", [f"encoder/{when}"], f"encoder/{when}/whole"),
        ]
    nodes.append(
        _node(
            "Sub", "encoder/Sub", ["encoder/after/whole", "encoder/before/whole"], "encoder/spike"
        )
    )
    nodes += _layer("1", "encoder/spike") + _layer("2", "lif1/spike")
    nodes += [
        _node("Flatten", "flatten/Flatten", ["lif2/spike"], "flatten/spike"),
        _node(
            "Gemm",
            "readout/Gemm",
            ["flatten/spike", "readout.weight", "readout.bias"],
            "readout/current",
            transB=1,
        ),
        _node("Add", "readout/Add", ["readout/sum", "readout/current"], "readout/next"),
    ]
    state = [(layer, ["batch", *tail]) for layer, tail in _MEMBRANES.items()]
    inputs = [
        helper.make_tensor_value_info("step", TensorProto.INT64, []),
        helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        *(_value(f"{layer}/carried", shape) for layer, shape in state),
        _value("readout/sum", ["batch", _CLASSES]),
    ]
    outputs = [
        helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
        *(_value(f"{layer}/membrane", shape) for layer, shape in state),
        _value("readout/next", ["batch", _CLASSES]),
    ]
    return helper.make_graph(nodes, "step", inputs, outputs)


def _layer(number: str, spikes: str) -> list[onnx.NodeProto]:
    """Convolution, pooling, and leaky neurons that are reset by subtraction."""
    conv, pool, lif = f"conv{number}", f"pool{number}", f"lif{number}"
    threshold, carried = f"{lif}.threshold", f"{lif}/carried"

    def neuron(operator: str, inputs: list[str], output: str, **attributes: int) -> onnx.NodeProto:
        values = [
            value if "." in value or value in ("zero", "one") else f"{lif}/{value}"
            for value in inputs
        ]
        return _node(operator, f"{lif}/{output}", values, f"{lif}/{output}", **attributes)

    return [
        helper.make_node(
            "Conv",
            [spikes, f"{conv}.weight", f"{conv}.bias"],
            [f"{conv}/current"],
            f"{conv}/Conv",
            kernel_shape=[5, 5],
        ),
        helper.make_node(
            "MaxPool",
            [f"{conv}/current"],
            [f"{lif}/current"],
            f"{pool}/MaxPool",
            kernel_shape=[2, 2],
            strides=[2, 2],
        ),
        neuron("Sub", ["carried", threshold], "before_excess"),
        neuron("Greater", ["before_excess", "zero"], "fired"),
        neuron("Cast", ["fired"], "before_spike", to=TensorProto.FLOAT),
        neuron("Mul", ["before_spike", threshold], "reset"),
        neuron("Clip", [f"{lif}.beta", "zero", "one"], "leak"),
        _node("Mul", f"{lif}/leaked", [f"{lif}/leak", carried], f"{lif}/leaked"),
        neuron("Add", ["leaked", "current"], "charged"),
        neuron("Sub", ["charged", "reset"], "membrane"),
        neuron("Sub", ["membrane", threshold], "excess"),
        neuron("Greater", ["excess", "zero"], "fires"),
        neuron("Cast", ["fires"], "spike", to=TensorProto.FLOAT),
    ]


def _node(
    operator: str, name: str, inputs: list[str], output: str, **attributes: int
) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], name, **attributes)


def _value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

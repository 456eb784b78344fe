import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper

from onnxfi.errors import ModelError
from onnxfi.graph import Limits, load

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
IMPORTS = [helper.make_opsetid("", 17), helper.make_opsetid("l", 1)]


def functions(depth: int, calls: int, last: list[NodeProto] | None = None) -> ModelProto:
    """A chain of functions, each calling the next several times: calls^depth nodes."""
    made = []
    for level in range(depth):
        nodes, current = [], "x"
        for call in range(calls):
            after = "y" if call == calls - 1 else f"t{call}"
            nodes.append(helper.make_node(f"f{level + 1}", [current], [after], domain="l"))
            current = after
        if level == depth - 1:
            nodes = last or [helper.make_node("Relu", ["x"], ["y"])]
        made.append(helper.make_function("l", f"f{level}", ["x"], ["y"], nodes, IMPORTS))
    main = helper.make_graph([helper.make_node("f0", ["x"], ["y"], domain="l")], "g", [X], [Y])
    return helper.make_model(main, functions=made, opset_imports=IMPORTS, ir_version=10)


def nested(depth: int) -> ModelProto:
    """Ifs within Ifs."""
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [Y])
    for _ in range(depth):
        node = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
        body = helper.make_graph([node], "g", [], [Y])
    main = body
    main.input.extend([helper.make_tensor_value_info("c", TensorProto.BOOL, []), X])
    return helper.make_model(main, opset_imports=IMPORTS[:1], ir_version=10)


def test_functions_that_expand_to_millions_are_refused_at_once():
    bomb = functions(depth=24, calls=2)
    assert bomb.ByteSize() < 2000
    with pytest.raises(ModelError, match="25165823 nodes once its functions are expanded"):
        load(bomb)


def test_expansion_beyond_any_number_is_refused():
    with pytest.raises(ModelError, match=r"over 2\^"):
        load(functions(depth=60, calls=9))


def test_functions_within_the_cap_are_expanded():
    model = load(functions(depth=8, calls=2))
    assert [node.op_type for node in model.index.nodes] == ["Relu"] * 2**7


def test_expanded_bytes_count_too():
    constant = helper.make_node(
        "Constant", [], ["k"], value=helper.make_tensor("k", TensorProto.FLOAT, [500], [0.0] * 500)
    )
    last = [constant, helper.make_node("Mul", ["x", "k"], ["y"])]
    with pytest.raises(ModelError, match="bytes of nodes once its functions are expanded"):
        load(functions(depth=10, calls=2, last=last), limits=Limits(file_bytes=100_000))


@pytest.mark.parametrize("circle", [1, 3])
def test_recursion_is_refused(circle):
    model = functions(depth=circle, calls=1)
    model.functions[-1].node[0].op_type = "f0"
    model.functions[-1].node[0].domain = "l"
    with pytest.raises(ModelError, match="'l::f0' calls itself"):
        load(model)


def test_a_long_chain_of_calls_is_refused():
    with pytest.raises(ModelError, match="300 deep"):
        load(functions(depth=300, calls=1))


def test_nesting_is_capped():
    assert len(load(nested(5)).index.nodes) == 2**6 - 1
    with pytest.raises(ModelError, match="nested more than 4 deep"):
        load(nested(5), limits=Limits(nesting=4))


def test_nesting_through_calls_is_capped():
    last = [helper.make_node("Relu", ["x"], ["y"])]
    model = functions(depth=6, calls=1, last=last)
    for function in model.functions[:-1]:
        call = function.node[0]
        body = helper.make_graph([call], "g", [], [Y])
        node = helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body)
        function.node[0].CopyFrom(node)
    with pytest.raises(ModelError, match="nested 5 deep once its functions are expanded"):
        load(model, limits=Limits(nesting=4))


def test_deeper_than_protobuf_goes():
    with pytest.raises(ModelError):
        load(nested(7), limits=Limits(nesting=6))
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [Y])
    for _ in range(200):
        node = NodeProto(op_type="If", input=["c"], output=["y"])
        attribute = node.attribute.add(name="then_branch", type=5)
        attribute.g.CopyFrom(body)
        outer = helper.make_graph([], "g", [], [Y])
        outer.node.add().CopyFrom(node)
        body = outer
    model = ModelProto(ir_version=10)
    model.graph.CopyFrom(body)
    with pytest.raises(ModelError, match="nested too deep"):
        load(model)


def test_node_count_is_capped(parse):
    proto = parse("agraph (float[2] x) => (float[2] y) { a = Relu(x) b = Relu(a) y = Relu(b) }")
    with pytest.raises(ModelError, match="more than 2 nodes"):
        load(proto, limits=Limits(nodes=2))


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ([2**40], "holds 2"),
        ([2**62, 2**62], "holds 2"),
        ([-4], "negative dimension"),
        ([3], "has 3 elements of type float32, its data holds 2"),
        ([], "has 1 elements"),
    ],
)
def test_dimensions_that_do_not_fit_the_data(parse, dims, message):
    proto = parse("agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }")
    proto.graph.initializer[0].dims[:] = dims
    with pytest.raises(ModelError, match=message):
        load(proto)


def test_tensor_bytes_are_capped_for_external_and_sparse_data(external, parse):
    path = external()
    with pytest.raises(ModelError, match="tensors of at least 16 bytes"):
        load(path, limits=Limits(tensor_bytes=15))
    proto = parse("agraph (float[2] x) => (float[2] y) { y = Relu(x) }")
    sparse = proto.graph.sparse_initializer.add(dims=[2**40])
    sparse.values.CopyFrom(helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0]))
    sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [7]))
    with pytest.raises(ModelError, match="tensor_bytes"):
        load(proto)


def test_segmented_tensors_are_refused(parse):
    proto = parse("agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }")
    proto.graph.initializer[0].segment.begin = 0
    with pytest.raises(ModelError, match="segments"):
        load(proto)


def test_text_tensors_are_counted(parse):
    proto = parse('agraph () => (string[1] y) <string[1] w = {"abc"}> { y = Identity(w) }')
    assert load(proto).index.initializers["w"].nbytes == 3
    proto.graph.initializer[0].dims[:] = [2]
    with pytest.raises(ModelError, match="has 2 elements of type string, its data holds 1"):
        load(proto)


def test_training_graphs_are_counted(parse):
    proto = parse("agraph (float[2] x) => (float[2] y) { y = Relu(x) }")
    proto.training_info.add().algorithm.CopyFrom(proto.graph)
    assert load(proto).index.nodes
    with pytest.raises(ModelError, match="more than 1 nodes"):
        load(proto, limits=Limits(nodes=1))


def test_tensors_in_attributes_are_checked(parse):
    proto = parse(
        "agraph (int64[1] x) => (float[N] y) { y = ConstantOfShape<value=float[1]{1.0}>(x) }"
    )
    proto.graph.node[0].attribute[0].t.dims[:] = [5]
    with pytest.raises(ModelError, match="has 5 elements"):
        load(proto)

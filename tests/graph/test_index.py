from onnxfi.bits import ElementType
from onnxfi.graph import Use, load

NESTED = """agraph (bool c, float[2, N] x) => (float[2, N] y, float[2] w)
<float[2] w = {1, 2}, int8[3] unused = {1, 2, 3}> {
    a = Relu(x)
    [named] b = Relu(a)
    [named] d = Relu(b)
    y = If (c) <
        then_branch = t () => (float[2, N] o) <float[1] k = {3}> {
            m = Mul(a, k)
            o = Relu(m)
        },
        else_branch = e () => (float[2, N] p) <float[1] k = {4}> {
            n = Add(d, k)
            p = Relu(n)
        }>
}"""


def test_nodes_have_unique_names_and_scopes(parse):
    index = load(parse(NESTED)).index
    assert [(node.name, node.scope) for node in index.nodes] == [
        ("Relu#1", ""),
        ("named", ""),
        ("named#2", ""),
        ("If#1", ""),
        ("If#1/then_branch/Mul#1", "If#1/then_branch"),
        ("If#1/then_branch/Relu#1", "If#1/then_branch"),
        ("If#1/else_branch/Add#1", "If#1/else_branch"),
        ("If#1/else_branch/Relu#1", "If#1/else_branch"),
    ]


def test_numbers_are_those_of_the_file(parse):
    """Third Conv in file order: constants and sorting don't shift the count."""
    proto = parse("""agraph (float[2] x) => (float[2] y) {
        k = Constant<value_float = 1.0>() a = Add(x, k) b = Add(a, k) y = Add(b, a) }""")
    proto.graph.node[2].name = "Add#3"
    proto.graph.node.append(proto.graph.node.pop(1))
    assert [node.name for node in load(proto).index.nodes] == ["Add#3#2", "Add#3", "Add#2"]


def test_values_in_bodies_are_qualified(parse):
    index = load(parse(NESTED)).index
    mul = next(node for node in index.nodes if node.op_type == "Mul")
    assert mul.inputs == ("a", "If#1/then_branch/k")
    assert mul.outputs == ("If#1/then_branch/m",)
    assert index.producer("If#1/then_branch/m") is mul
    assert index.consumers("If#1/then_branch/k") == (Use(node=mul, slot=1),)


def test_consumers_include_captures_and_every_slot(parse):
    index = load(parse(NESTED)).index
    assert [use.node.name for use in index.consumers("a")] == ["named", "If#1/then_branch/Mul#1"]
    assert [use.node.name for use in index.consumers("d")] == ["If#1/else_branch/Add#1"]
    twice = load(parse("agraph (float[2] x) => (float[2] y) { y = Add(x, x) }")).index
    assert [use.slot for use in twice.consumers("x")] == [0, 1]
    assert twice.consumers("y") == twice.consumers("no such value") == ()


def test_initializers(parse):
    index = load(parse(NESTED)).index
    assert list(index.initializers) == [
        "w",
        "unused",
        "If#1/then_branch/k",
        "If#1/else_branch/k",
    ]
    entry = index.initializers["unused"]
    assert (entry.element, entry.shape, entry.nbytes) == (ElementType.INT8, (3,), 3)
    assert index.consumers("unused") == ()
    assert index.initializers["If#1/else_branch/k"].scope == "If#1/else_branch"


def test_returned_values(parse):
    index = load(parse(NESTED)).index
    returned = {"y", "w", "If#1/then_branch/o", "If#1/else_branch/p"}
    values = {value for node in index.nodes for value in (*node.inputs, *node.outputs)}
    assert {
        value for value in values | set(index.initializers) if index.returned(value)
    } == returned


def test_types_are_inferred_in_bodies_too(parse):
    index = load(parse(NESTED)).index
    assert index.element_of("b") is ElementType.FLOAT
    assert index.shape_of("b") == (2, "N")
    assert index.element_of("If#1/then_branch/m") is ElementType.FLOAT
    assert index.shape_of("If#1/then_branch/k") == (1,)
    assert index.element_of("no such value") is None


def test_shadowing_initializers_mean_the_inner_value(parse):
    index = load(
        parse("""agraph (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
        a = Add(x, w)
        y = If (c) <then_branch = t () => (float[2] o) <float[2] w = {7, 7}> { o = Add(a, w) },
                    else_branch = e () => (float[2] p) { p = Add(a, w) }>
    }""")
    ).index
    assert [use.node.name for use in index.consumers("w")] == ["Add#1", "If#1/else_branch/Add#1"]
    assert len(index.consumers("If#1/then_branch/w")) == 1


def test_names_that_look_like_scopes_stay_apart(parse):
    text = """agraph (bool c, float[2] x) => (float[2] y, float[2] z) {{
        [n] v = If (c) <then_branch = t () => (float[2] {inner}) {{ {inner} = Relu(x) }},
                        else_branch = e () => (float[2] p) {{ p = Neg(x) }}>
        {outer} = Exp(x)
        y = Add(v, {outer})
        z = Identity({outer})
    }}"""
    proto = parse(text.format(inner="inner", outer="outer"))
    outer = "n/then_branch/inner"
    proto.graph.node[1].output[0] = outer
    proto.graph.node[2].input[1] = outer
    proto.graph.node[3].input[0] = outer
    index = load(proto).index
    assert index.producer(outer).op_type == "Exp"
    assert index.producer(f"{outer}#2").op_type == "Relu"
    assert len({node.name for node in index.nodes}) == len(index.nodes)


def test_loop_bodies(parse):
    index = load(
        parse("""agraph (int64 n, bool c, float[2] x) => (float[2] y) <float[2] w = {1, 1}> {
        y = Loop (n, c, x) <body = b (int64 i, bool go, float[2] s) => (bool on, float[2] t) {
            on = Identity(go)
            t = Add(s, w)
        }>
    }""")
    ).index
    assert index.producer("Loop#1/body/t").inputs == ("Loop#1/body/s", "w")
    assert index.element_of("Loop#1/body/s") is ElementType.FLOAT
    assert index.element_of("y") is ElementType.FLOAT


def test_kinds_of_values(parse):
    index = load(
        parse("""agraph (float[2] x) => (seq(float[2]) s) { s = SequenceConstruct(x) }""")
    ).index
    assert index.kind_of("s") == "sequence"
    assert index.element_of("s") is None
    assert index.kind_of("x") == "tensor"

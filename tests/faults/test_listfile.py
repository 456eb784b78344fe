from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxfi.bits import ElementType, encode, format_of
from onnxfi.errors import FaultListError
from onnxfi.faults import (
    BitFlip,
    FaultGroup,
    FaultListHeader,
    FaultSpace,
    Scenario,
    check_space,
    open_fault_list,
    read_fault_list,
    write_fault_list,
)

SHA = "ab" * 32
HEADER = FaultListHeader(
    model_sha256=SHA,
    space={"size": 96, "targets": ["weight"]},
    sampler={"kind": "importance", "n": 2000},
    seed=7,
    design="priority",
    next_key=0.29,
)
KINDS = [ElementType.FLOAT, ElementType.DOUBLE, ElementType.INT4, ElementType.BOOL]


@pytest.fixture(scope="module")
def sites(make_site):
    found = [make_site(kind.value, kind, (5, 2)) for kind in KINDS]
    found.append(make_site("x", ElementType.FLOAT, (1, 6), kind="activation", batch_axis=0))
    found.append(make_site("h", shape=(5,), kind="state", repeated=True, steps=4))
    return {site.name: site for site in found}


@st.composite
def groups(draw, name, element, elements, samples):
    count = draw(st.integers(1, 4))
    top = format_of(element).mask
    many = {"min_size": count, "max_size": count}
    sample = None
    if samples and draw(st.booleans()):
        drawn = draw(st.lists(st.integers(-1, 3), **many))
        sample = np.array(drawn, dtype=np.int64) if max(drawn) >= 0 else None
    keep = st.just(top) if draw(st.booleans()) else st.integers(0, top)
    return FaultGroup(
        site=name,
        index=np.array(draw(st.lists(st.integers(0, elements - 1), **many)), dtype=np.int64),
        and_mask=np.array(draw(st.lists(keep, **many)), dtype=np.uint64),
        xor_mask=np.array(draw(st.lists(st.integers(0, top), **many)), dtype=np.uint64),
        sample=sample,
    )


@st.composite
def scenarios(draw):
    numbers = draw(st.lists(st.integers(0, 10**9), max_size=4, unique=True))
    places = [(kind.value, kind, 10, False) for kind in KINDS] + [("x", ElementType.FLOAT, 6, True)]
    real = st.none() | st.floats(allow_nan=False, allow_infinity=False)
    result = []
    for number in numbers:
        chosen = draw(st.lists(st.sampled_from(places), max_size=3, unique=True))
        result.append(
            Scenario(
                number=number,
                groups=tuple(draw(groups(*place)) for place in chosen),
                weight=draw(real),
                key=draw(real),
            )
        )
    return tuple(result)


@settings(max_examples=60, deadline=None)
@given(found=scenarios(), with_sites=st.booleans())
def test_what_is_written_is_read(found, with_sites, sites, tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "faults.jsonl"
    write_fault_list(path, HEADER, found, sites if with_sites else None)
    read = read_fault_list(path, sites, SHA)
    assert read.header == HEADER
    assert read.scenarios == (found or None)
    assert [item.name for item in path.parent.iterdir()] == ["faults.jsonl"]


def write(path, *lines, header=None):
    first = {"schema": "onnxfi/faults/1"} if header is None else header
    texts = [line if isinstance(line, str) else json.dumps(line) for line in (first, *lines)]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def one(*faults, **fields):
    return {"scenario": 0, **fields, "faults": list(faults)}


def test_the_format_by_example(tmp_path, sites):
    path = tmp_path / "faults.jsonl"
    group = FaultGroup(
        site="float32",
        index=np.array([4]),
        and_mask=np.array([2**32 - 1], dtype=np.uint64),
        xor_mask=np.array([1 << 30], dtype=np.uint64),
    )
    scenario = Scenario(number=17, weight=4e-7, key=0.31, groups=(group,))
    write_fault_list(path, HEADER, [scenario], sites)
    assert path.read_text(encoding="utf-8").splitlines() == [
        '{"schema":"onnxfi/faults/1","model_sha256":"' + SHA + '",'
        '"space":{"size":96,"targets":["weight"]},"sampler":{"kind":"importance","n":2000},'
        '"seed":7,"design":"priority","next_key":0.29}',
        '{"scenario":17,"weight":4e-7,"key":0.31,'
        '"faults":[{"site":"float32","index":[4],"xor":["40000000"]}]}',
    ]


@pytest.mark.parametrize(
    ("entry", "index", "keep", "toggle"),
    [
        ({"index": 3, "flip": 30}, [3], [2**32 - 1], [1 << 30]),
        ({"index": [1, 2], "flip": 0}, [1, 2], [2**32 - 1] * 2, [1, 1]),
        ({"index": 1, "flip": [30, 31]}, [1, 1], [2**32 - 1] * 2, [1 << 30, 1 << 31]),
        ({"index": 1, "stuck0": 4}, [1], [2**32 - 17], [0]),
        ({"index": 1, "stuck1": 4}, [1], [2**32 - 17], [16]),
        ({"index": 1, "set": 0.5}, [1], [0], [0x3F000000]),
        ({"index": [1, 2], "set": [0.0, -0.0]}, [1, 2], [0, 0], [0, 1 << 31]),
        ({"index": 1, "set": "-inf"}, [1], [0], [0xFF800000]),
        ({"index": 1, "xor": "0x0F"}, [1], [2**32 - 1], [15]),
        ({"index": 1, "and": "fffffffffffffffe"}, [1], [2**32 - 2], [0]),
        ({"index": [5, 6], "and": "0", "xor": ["a", "b"]}, [5, 6], [0, 0], [10, 11]),
        ({"index": [], "flip": 3}, [], [], []),
    ],
)
def test_forms_for_writing_by_hand(entry, index, keep, toggle, tmp_path, sites):
    path = write(tmp_path / "f.jsonl", one({"site": "float32", **entry}))
    (scenario,) = read_fault_list(path, sites).scenarios
    (group,) = scenario.groups
    assert group.index.tolist() == index
    assert group.and_mask.tolist() == keep
    assert group.xor_mask.tolist() == toggle
    assert group.sample is None
    assert (group.index.dtype, group.xor_mask.dtype) == (np.int64, np.uint64)


def test_integers_are_met_exactly(tmp_path, make_site):
    site = make_site("i", ElementType.INT64, (2,))
    path = write(tmp_path / "f.jsonl", one({"site": "i", "index": 0, "set": 2**53 + 1}))
    (scenario,) = read_fault_list(path, {"i": site}).scenarios
    assert scenario.groups[0].xor_mask.tolist() == [2**53 + 1]


def test_entries_of_one_site_join_in_list_order(tmp_path, sites):
    path = write(
        tmp_path / "f.jsonl",
        one(
            {"site": "x", "index": 5, "flip": 1},
            {"site": "float32", "index": 2, "flip": 0},
            {"site": "x", "index": 5, "stuck0": 1, "sample": 3},
        ),
    )
    (scenario,) = read_fault_list(path, sites).scenarios
    assert scenario.sites == ("x", "float32")
    assert scenario.groups[0].index.tolist() == [5, 5]
    assert scenario.groups[0].sample.tolist() == [-1, 3]


def test_faults_of_one_step(tmp_path, sites):
    path = write(
        tmp_path / "f.jsonl",
        one(
            {"site": "h@2", "index": 1, "flip": 0},
            {"site": "h", "index": [2, 3, 4], "flip": 5, "step": [0, -1, 2]},
        ),
    )
    (scenario,) = read_fault_list(path, sites).scenarios
    assert scenario.sites == ("h@2", "h@0", "h")
    assert [group.index.tolist() for group in scenario.groups] == [[1, 4], [2], [3]]
    again = tmp_path / "again.jsonl"
    write_fault_list(again, HEADER, [scenario], sites)
    assert read_fault_list(again, sites, SHA).scenarios == (scenario,)


def test_blank_lines_and_other_order_of_lines_are_fine(tmp_path, sites):
    path = write(tmp_path / "f.jsonl", "", {**one(), "scenario": 9}, "  ", one())
    assert [item.number for item in read_fault_list(path, sites).scenarios] == [9, 0]


BAD = {"site": "float32", "index": 0, "flip": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Input data was truncated"),
        ('{"scenario":0,"faults":[],"extra":1}', "unknown field `extra`"),
        (one({**BAD, "sampel": 1}), "unknown column 'sampel'; did you mean 'sample'"),
        (one({**BAD, "step": 1}), "site 'float32' has no steps"),
        (one({"site": "h", "index": 0, "flip": 1, "step": 4}), r"step 4 .* \(4 steps, 0\.\.3\)"),
        (one({"site": "h@4", "index": 0, "flip": 1}), "step 4 is out of range for site 'h'"),
        (one({"site": "h", "index": 0, "flip": 1, "step": -2}), "step -2 at site 'h' does not"),
        (one({"site": "h", "index": [1, 2], "flip": 1, "step": [0, 1, 2]}), "different lengths"),
        (one({"site": "float32", "index": 0}), "expected one of xor .*; got nothing"),
        (one({**BAD, "xor": "1"}), "got flip and masks"),
        (one({**BAD, "set": 1}), "got flip and set"),
        (one({**BAD, "site": "float3"}), "no site 'float3'; did you mean 'float32'"),
        (one({**BAD, "index": 10}), r"element 10 is out of range for site 'float32' \(10 el"),
        (one({**BAD, "index": -1}), "element -1 is out of range"),
        (one({**BAD, "index": 2**63}), "index has a number that is out of range"),
        (one({**BAD, "index": 1.5}), "Expected `int | array`"),
        (one({**BAD, "flip": 32}), r"bit 32 is out of range .* \(FLOAT, bits 0\.\.31\)"),
        (one({**BAD, "flip": [0, -1]}), "bit -1 is out of range"),
        (one({"site": "int4", "index": 0, "flip": 7}), r"\(INT4, bits 0\.\.3\); use --bits 0\.\.3"),
        (one({"site": "int4", "index": 0, "xor": "80"}), "bit 7 is out of range"),
        (one({"site": "int4", "index": 0, "set": 8}), "8 can't be stored as INT4.*'int4'"),
        (one({"site": "float32", "index": 0, "set": "big"}), "neither a number nor one of nan"),
        (one({"site": "float32", "index": 0, "xor": "xyz"}), "mask 'xyz' is not a hexadecimal"),
        (one({"site": "float32", "index": 0, "xor": "1" * 17}), "at most 64 bits"),
        (one({"site": "float32", "index": 0, "xor": "-1"}), "not a hexadecimal"),
        (one({**BAD, "index": [1, 2], "flip": [1, 2, 3]}), r"different lengths \(2, 3\)"),
        (one({**BAD, "sample": 1}), "is stored.*can't name sample 1"),
        ({"scenario": -1, "faults": []}, "scenario -1 is negative or occurs twice"),
        ({"scenario": 5, "faults": []}, "scenario 5 is negative or occurs twice"),
    ],
)
def test_wrong_lines_are_refused_with_file_and_line(line, message, tmp_path, sites):
    path = write(tmp_path / "f.jsonl", {"scenario": 5, "faults": []}, line)
    with pytest.raises(FaultListError, match=message) as caught:
        read_fault_list(path, sites)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("nonsense", ":1: not the header of a fault list"),
        ({"scenario": 0, "faults": []}, ":1: not the header of a fault list.*unknown field"),
        ({"schema": "onnxfi/faults/2"}, ":1: schema is 'onnxfi/faults/2', expected"),
        ({"schema": "onnxfi/faults/1", "model_sha256": "00"}, ":1: .* made for another model"),
        ({"schema": "onnxfi/faults/1"}, ":1: the fault list has no scenarios, and no sampler"),
    ],
)
def test_wrong_headers_are_refused(header, message, tmp_path, sites):
    path = write(tmp_path / "f.jsonl", header=header)
    with pytest.raises(FaultListError, match=message):
        read_fault_list(path, sites, SHA)


def test_files_that_are_no_list_are_refused(tmp_path, sites):
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, message in [
        (tmp_path / "none.jsonl", "can't read the fault list: No such file"),
        (tmp_path, "can't read the fault list: Is a directory"),
        (empty, "the fault list is empty"),
        (binary, "not the header"),
    ]:
        with pytest.raises(FaultListError, match=message):
            read_fault_list(path, sites)


def test_recipe_only(tmp_path, sites):
    path = tmp_path / "faults.jsonl"
    write_fault_list(path, HEADER)
    found = read_fault_list(path, sites, SHA)
    assert found.scenarios is None
    assert len(found) == 0
    with pytest.raises(FaultListError, match="is a recipe"):
        found.scenario(0)


def test_scenario_by_position(tmp_path, sites):
    path = write(tmp_path / "f.jsonl", {"scenario": 5, "faults": []})
    found = read_fault_list(path, sites)
    assert found.scenario(0).number == 5
    for position in (-1, 1):
        with pytest.raises(FaultListError, match=f"scenario {position} is out of range"):
            found.scenario(position)


def test_reading_is_lazy(tmp_path, sites):
    path = write(tmp_path / "f.jsonl", one(), "broken")
    header, lines = open_fault_list(path, sites)
    assert header == FaultListHeader()
    assert next(lines) == Scenario(number=0, groups=())
    with pytest.raises(FaultListError, match=":3:"):
        next(lines)


def test_a_failed_write_leaves_the_old_file(tmp_path, sites):
    path = tmp_path / "faults.jsonl"
    write_fault_list(path, HEADER)
    before = path.read_bytes()

    def broken():
        yield Scenario(number=0, groups=())
        raise RuntimeError("out of scenarios")

    with pytest.raises(RuntimeError, match="out of scenarios"):
        write_fault_list(path, HEADER, broken())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FaultListError, match="can't write the fault list: No such file"):
        write_fault_list(tmp_path / "no" / "faults.jsonl", HEADER)


def test_a_hundred_thousand_faults(tmp_path, make_site):
    site = make_site(shape=(1000, 1000))
    space = FaultSpace([site], [BitFlip()])
    numbers = np.random.default_rng(0).choice(space.size, 100_000, replace=False)
    scenario = Scenario(number=0, groups=space.scenario_groups(numbers))
    path = tmp_path / "faults.jsonl"
    write_fault_list(path, HEADER, [scenario], {"w": site})
    found = read_fault_list(path, {"w": site})
    assert found.scenarios == (scenario,)


def test_values_of_narrow_types_in_bulk(tmp_path, make_site):
    site = make_site(element=ElementType.BFLOAT16, shape=(20_000,))
    entry = {"site": "w", "index": list(range(20_000)), "set": [0.5, math.pi] * 10_000}
    path = write(tmp_path / "f.jsonl", one(entry))
    (scenario,) = read_fault_list(path, {"w": site}).scenarios
    assert scenario.groups[0].xor_mask[1] == encode(math.pi, ElementType.BFLOAT16)


def test_a_recipe_for_another_space_is_refused(make_site):
    space = FaultSpace([make_site()], [BitFlip()])
    check_space(FaultListHeader(space=space.describe()), space)
    check_space(FaultListHeader(), space)
    other = FaultSpace([make_site()], [BitFlip("0-3")])
    with pytest.raises(FaultListError, match="another fault space: size is 96 there and 768 here"):
        check_space(FaultListHeader(space=other.describe()), space)
    renamed = FaultSpace([make_site("v")], [BitFlip()])
    with pytest.raises(FaultListError, match="choice of sites"):
        check_space(FaultListHeader(space=renamed.describe()), space)

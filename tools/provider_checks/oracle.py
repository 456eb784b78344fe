"""Does the tensor under an armed port equal what numpy makes of it, bit for bit?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxfi.bits import ElementType, Words, apply_masks, format_of, from_words, to_words
from onnxfi.engine import EngineSettings, Session
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, Scenario, SiteKind
from onnxfi.graph import Model, load
from onnxfi.inject import BatchWindow, Instrumented, arm, instrument
from provider_checks.found import Check, Effort, attempt

SHAPE = (16, 129)  # of one sample; no multiple of a vector's width
SAMPLES = 3
FAULTS = 400
TYPES = (
    ElementType.FLOAT,
    ElementType.FLOAT16,
    ElementType.BFLOAT16,
    ElementType.DOUBLE,
    ElementType.INT8,
    ElementType.INT16,
    ElementType.INT32,
    ElementType.INT64,
    ElementType.UINT8,
    ElementType.UINT16,
    ElementType.UINT32,
    ElementType.UINT64,
    ElementType.BOOL,
)


def checks(effort: Effort) -> Iterator[Check]:
    """Armed and disarmed ports of every element type, with and without graph optimisation."""
    for element in TYPES:
        yield attempt(
            "an armed tensor equals the numpy oracle bit for bit",
            element.name.lower(),
            lambda element=element: _compare(element, effort.provider),
        )


def _compare(element: ElementType, provider: str) -> tuple[bool, str]:
    rng = np.random.default_rng(TYPES.index(element))
    site = _site(element)
    # In place on CUDA is ScatterND, on the CPU ScatterElements: what the ports engine takes.
    flavour = "elements" if provider.lower().startswith("cpu") else "nd"
    opened = instrument(_chain(element), [site], scatter=flavour)
    words = _words(element, rng)
    group = _group(element, rng)
    rows = [
        apply_masks(row, group.index, group.and_mask, group.xor_mask)
        for row in words.reshape(SAMPLES, -1)
    ]
    wanted = {"armed": np.concatenate(rows), "disarmed": words}
    scenarios = {"armed": Scenario(number=0, groups=(group,)), "disarmed": None}
    wrong = []
    for level in ("disabled", "all"):
        session = Session(opened.model, EngineSettings(provider=provider, optimization=level))
        for state, scenario in scenarios.items():
            got = _run(session, opened, words, scenario)
            differ = int(np.count_nonzero(got != wanted[state]))
            if differ:
                wrong.append(f"{differ} of {got.size} elements differ ({state}, {level})")
    hit = int(np.count_nonzero(wanted["armed"] != words))
    return not wrong, "; ".join(wrong) or f"{hit:,} of {words.size:,} elements faulted"


def _run(session: Session, opened: Instrumented, words: Words, scenario: Scenario | None) -> Words:
    element = opened.ports[0].site.element
    feeds = {"x": from_words(words, element, (SAMPLES, *SHAPE))}
    window = BatchWindow(start=0, stop=SAMPLES, size=SAMPLES)
    feeds |= arm(opened, scenario, window=window, stored_words={})
    return to_words(session.run(feeds)["y"], element)


def _chain(element: ElementType) -> Model:
    """``x -> t -> y``, all equal."""
    number = TensorProto.DataType.Value(element.name)
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in ("xt", "ty")]
    x, y = (helper.make_tensor_value_info(name, number, ["n", *SHAPE]) for name in "xy")
    graph = helper.make_graph(nodes, "chain", [x], [y])
    opsets = [helper.make_opsetid("", 17)]
    return load(helper.make_model(graph, opset_imports=opsets, ir_version=10))


def _site(element: ElementType) -> FaultSite:
    return FaultSite(
        name="t",
        kind=SiteKind.ACTIVATION,
        element=element,
        node="chain",
        op_type="Identity",
        layer="chain",
        layout=SampleLayout(shape=(1, *SHAPE), batch_axis=0),
    )


def _words(element: ElementType, rng: np.random.Generator) -> Words:
    """Any bits at all, and more infinities, NaNs and denormals than chance gives."""
    form = format_of(element)
    size = SAMPLES * SHAPE[0] * SHAPE[1]
    words = _bits(size, form.mask, rng).astype(form.word)
    if "exponent" in form.fields:
        exponent = form.word.type(sum(1 << bit for bit in form.fields["exponent"]))
        words[::5] |= exponent  # infinities and NaNs, quiet and signalling
        words[1::5] &= ~exponent  # denormals
        words[::35] = exponent
    return words


def _group(element: ElementType, rng: np.random.Generator) -> FaultGroup:
    mask = format_of(element).mask
    elements = SHAPE[0] * SHAPE[1]
    return FaultGroup(
        site="t",
        index=np.sort(rng.permutation(elements)[:FAULTS]).astype(np.int64),
        and_mask=_bits(FAULTS, mask, rng),
        xor_mask=_bits(FAULTS, mask, rng),
        sample=None,
    )


def _bits(size: int, mask: int, rng: np.random.Generator) -> NDArray[np.uint64]:
    return rng.integers(0, 2**64, size, dtype=np.uint64) & np.uint64(mask)

"""What came of all cases: the figure, and by name what does not hold, with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from operators.check import Finding

#: Cases that can't be opened as a whole, and why.
KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "test_attention_4d_causal_fp16_expanded": "half-precision values are rounded where they"
        " are opened, here by more than the case allows",
        "test_scan_sum": "Scan of opset 8 is another operator than any later one, and ports on"
        " floats need a later opset",
    }
)
_HELD = ("held", "rounded")


def broken(findings: Sequence[Finding]) -> list[Finding]:
    """What neither holds nor is known not to."""
    return [each for each in findings if each.state == "broken" and each.case not in KNOWN]


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The figure, and what there is to say about it."""
    states = Counter(each.state for each in findings)
    loaded = len(findings) - states["not loaded"]
    held = sum(states[state] for state in _HELD)
    sites = sum(each.sites for each in findings if each.state in _HELD)
    yield (
        f"{held:,} of {loaded:,} operator cases that onnxruntime loads hold with all of their"
        f" {sites:,} injectable tensors open ({len(findings):,} cases in all)"
    )
    if states["rounded"]:
        yield f"of these, {states['rounded']} but for rounding of half-precision values"
    for title, state in (
        ("no tensor to inject into", "nothing"),
        ("onnxruntime fails on the inputs", "not run"),
        ("does not hold", "broken"),
    ):
        for each in findings:
            if each.state == state:
                yield f"{title}: {each.case}: {KNOWN.get(each.case, each.reason)}"
    reasons = Counter(
        text.split(": ", 1)[1] for each in findings if each.state in _HELD for text in each.left_out
    )
    for reason, count in reasons.most_common():
        yield f"left out of cases that hold: {count} inputs and outputs: {reason}"

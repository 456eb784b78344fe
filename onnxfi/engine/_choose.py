"""Choosing an engine from static costs, before anything has run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from onnxfi.bits import format_of
from onnxfi.engine._cost import run_seconds, session_seconds
from onnxfi.engine._latecost import share_behind
from onnxfi.engine._mixed import without_baked
from onnxfi.engine._open import ENGINES, EngineKind
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite
from onnxfi.graph import Model

# What a baked fault in a computed tensor adds to a run, as a share of it: nodes that run over the
# whole tensor. 1.25 to 1.8 of a run (ResNet-8, ResNet-20, batches of 64).
_BAKED_NODES = 0.4
# What lifting stored tensors in the executable graph adds: random flips, batches of 64, one
# thread, CPU time, interleaved. Floats, all lifted at once but for matrix products: 1.05 and 1.06
# (ResNet-8 fp32, 1,000 and 64 images), 1.05 and 1.21 (LeNet-5); with flips in many tensors 1.05 and
# 1.09, 1.13 and 1.41. Integer kernels, which pack their weights: 1.10 and 1.15 (ResNet-8 int8
# QDQ), with flips in many tensors 1.59 and 1.68. Ports add about as much as lifted floats do.
_FLOATS_REPLAYED = 0.05
_ALL_FLOATS_REPLAYED = 0.1
_INTEGER_REPLAYED = 0.12
_ALL_INTEGERS_REPLAYED = 0.6
# Engine `cut` runs the executable graph part by part: 1.02 to 1.08 of a whole run for all of it.
_IN_PARTS = 0.08
# What `lift`, `ports` and `cut` prepare once, in sessions and runs: the optimised twins that trace
# stored tensors, the parts, golden values. ResNet-8, ResNet-20 and ResNet-18 took 5 to 11 sessions
# and 3 to 5 runs.
_PREPARED_SESSIONS = 8
_PREPARED_RUNS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """What is known about a campaign's scenarios before they are drawn.

    Attributes:
        single_site: Each touches one site.
        bound: Some faults are bound to one sample.
        count: How many there are; None if that is not known.
        sequences: Samples are sequences, run step by step.
        graphs: Some faults are graphs.
    """

    single_site: bool
    bound: bool = False
    count: int | None = None
    sequences: bool = False
    graphs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """An engine and why it was chosen.

    Attributes:
        name: The engine.
        reason: In words, for plans and reports.
    """

    name: str
    reason: str


def choose_engine(
    requested: str,
    model: Model,
    samples: int,
    sites: Sequence[FaultSite],
    scenarios: Scenarios,
    examine: Callable[[str], str | None] | None = None,
) -> EngineChoice:
    """The engine that carries out a campaign.

    Args:
        requested: ``auto`` or the name of an engine.
        model: The model.
        samples: Samples in the workload; of sequences, steps of them all.
        sites: Sites of the campaign.
        scenarios: What is known about its scenarios.
        examine: Why the engine of a name can't run the campaign though it takes its sites; asked
            only for the engine that would be chosen (:func:`examine_engine`).

    Raises:
        ConfigError: The engine asked for does not exist or can't fault some site; or none can.
    """
    against = {name: _against(kind, sites, scenarios) for name, kind in ENGINES.items()}
    main = without_baked(sites)
    beside = f"; {len(sites) - len(main)} sites are baked" if len(main) < len(sites) else ""
    if requested != "auto":
        if requested not in ENGINES:
            known = ", ".join(("auto", *ENGINES))
            raise ConfigError(f"engine {requested!r} is unknown; choose from {known}")
        refusal = against[requested] or (examine(requested) if examine else None)
        if refusal is not None:
            raise ConfigError(f"engine {requested} can't run this campaign: {refusal}")
        return EngineChoice(name=requested, reason=f"as asked for{beside}")
    refused = ""
    while True:
        choice = _by_cost(model, samples, main, scenarios, against)
        refusal = examine(choice.name) if examine else None
        if refusal is None:
            beside = "" if choice.name == "bake" else beside
            return EngineChoice(name=choice.name, reason=f"{choice.reason}{refused}{beside}")
        against[choice.name] = refusal
        refused += f"; not {choice.name}: {refusal}"


def _against(kind: EngineKind, sites: Sequence[FaultSite], scenarios: Scenarios) -> str | None:
    """Why an engine can't run a campaign, None if it can.

    Scenarios in sites that have to be baked are baked beside any other engine, but not with faults
    that the bake engine can't carry out.
    """
    if scenarios.graphs and not kind.graphs:
        return "some faults are graphs, which have to be part of the model that runs"
    if scenarios.sequences and not kind.sequences:
        return "samples are sequences, in which the steps after a fault depend on it"
    one_step = any(site.step is not None and site.repeated for site in sites)
    if scenarios.sequences and one_step and not kind.one_step:
        return "some faults are there in one step of a sequence only"
    if scenarios.bound and not kind.one_sample:
        return "some faults are bound to one sample"
    if not (scenarios.single_site or kind.several_sites):
        return "some scenarios touch several sites"
    baking = ENGINES["bake"].refuses
    apart = not scenarios.bound and (scenarios.single_site or not any(map(baking, sites)))
    for site in without_baked(sites) if apart and kind.refuses is not baking else sites:
        reason = kind.refuses(site)
        if reason is not None:
            return f"site {site.name!r}: {reason}"
    return None


def _by_cost(
    model: Model,
    samples: int,
    sites: Sequence[FaultSite],
    scenarios: Scenarios,
    against: Mapping[str, str | None],
) -> EngineChoice:
    """The cheapest engine that nothing is known against."""
    able = [name for name, refusal in against.items() if refusal is None]
    if not able:
        reasons = "; ".join(f"{name}: {refusal}" for name, refusal in against.items())
        raise ConfigError(f"no engine can run this campaign ({reasons})")
    if len(able) == 1:
        other = next(refusal for refusal in against.values() if refusal is not None)
        return EngineChoice(name=able[0], reason=f"the only one that can ({other})")
    costs = _costs(able, model, samples, sites, scenarios)
    best = min(able, key=lambda name: costs[name])
    listed = ", ".join(f"{name} {_milli(costs[name])}" for name in able)
    return EngineChoice(name=best, reason=f"estimated costs of a scenario: {listed}")


def _costs(
    able: Sequence[str],
    model: Model,
    samples: int,
    sites: Sequence[FaultSite],
    scenarios: Scenarios,
) -> dict[str, float]:
    """Seconds of a scenario in each engine."""
    run, session = run_seconds(model, samples), session_seconds(model)
    stored = all(site.kind.stored for site in sites)
    count = scenarios.count
    opened = min(len(sites), count) / count if count and scenarios.single_site else 0.0
    prepared = (_PREPARED_SESSIONS * session + _PREPARED_RUNS * run) / count if count else 0.0
    replayed = _replayed(sites, scenarios)
    behind = share_behind(model, sites) if scenarios.single_site and "cut" in able else 1.0
    # Of many tensors changed at once all are lifted, those that kernels would pack among them.
    unpacked = replayed if stored and not scenarios.single_site else 0.0
    return {
        "bake": session + (run if stored else (1 + _BAKED_NODES) * run),
        "lift": run * (1 + replayed) + prepared,
        # A session for each site.
        "ports": run * (1 + replayed) + opened * (session + run) + prepared,
        "cut": run * behind * (1 + _IN_PARTS + unpacked) + prepared,
    }


def _replayed(sites: Sequence[FaultSite], scenarios: Scenarios) -> float:
    """What lifting adds to a run of the executable graph, as a share of it."""
    if any("exponent" not in format_of(site.element).fields for site in sites):
        return _INTEGER_REPLAYED if scenarios.single_site else _ALL_INTEGERS_REPLAYED
    return _FLOATS_REPLAYED if scenarios.single_site else _ALL_FLOATS_REPLAYED


def _milli(seconds: float) -> str:
    if seconds < 1e-5:
        return "under 0.01 ms"
    return f"{1000 * seconds:.2g} ms" if seconds < 0.01 else f"{1000 * seconds:,.0f} ms"

"""Choosing an engine from static costs, before anything has run."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnxfi.bits import format_of, has_format
from onnxfi.engine.engines import ENGINES, Ability, Share, abilities, shared_out
from onnxfi.engine.runtime import node_multiply_accumulates, run_seconds, session_seconds
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite
from onnxfi.graph import Model, downstream
from onnxfi.inject import only_baked

_LOOKED_AT = 64  # of the sites, those hit most often; each takes a pass over the graph


def share_behind(model: Model, sites: Sequence[FaultSite]) -> float:
    """Share of a whole run that lies behind a fault on average, 0..1.

    Faults hit sites by their share of the stored bits. Samples that are left out on the way are
    not counted on: how many depends on the data.

    Args:
        model: The model.
        sites: Sites of the campaign.
    """
    if not sites:
        return 1.0
    weights = {site.name: _bits(site) for site in sites}
    heaviest = sorted(sites, key=lambda site: -weights[site.name])[:_LOOKED_AT]
    costs = dict(_by_node(model))
    whole, chance = sum(costs.values()), sum(weights[site.name] for site in heaviest)
    if not whole:
        return 1.0
    behind = (
        weights[site.name] * sum(costs.get(name, 0) for name in downstream(model, site.name))
        for site in heaviest
    )
    return sum(behind) / (whole * chance)


def baked_share(sites: Sequence[FaultSite], baked: Container[str]) -> float:
    """Share of the faults that hit one of some sites, by the stored bits, 0..1."""
    weights = {site.name: _bits(site) for site in sites}
    total = sum(weights.values())
    return sum(bits for name, bits in weights.items() if name in baked) / total if total else 0.0


def _by_node(model: Model) -> Iterator[tuple[str, int]]:
    """Multiply-accumulates by top-level node, control-flow bodies counted to their owner."""
    owner, total = "", 0
    for node in model.index.nodes:
        if not node.scope:
            yield owner, total
            owner, total = node.name, 0
        total += node_multiply_accumulates(model, node)
    yield owner, total


def _bits(site: FaultSite) -> int:
    width = format_of(site.element).width if has_format(site.element) else 8
    return 1 if site.layout is None else max(1, site.layout.elements * width)


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
# Of the stored bits of a campaign's sites, how many an engine has to reach by itself, else it is
# rather the bake engine that runs it.
_MOST = 1 / 2


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
    if requested not in ("auto", *ENGINES):
        known = ", ".join(("auto", *ENGINES))
        raise ConfigError(f"engine {requested!r} is unknown; choose from {known}")
    able = abilities(model, sites)
    offers = {name: _offer(name, able, sites, scenarios) for name in ENGINES}
    if requested != "auto":
        return _as_asked(requested, offers, sites, examine)
    refused = ""
    while True:
        name, reason = _by_cost(model, samples, sites, scenarios, offers, able)
        refusal = examine(name) if examine else None
        if refusal is None:
            share = offers[name]
            assert isinstance(share, Share)
            return EngineChoice(name=name, reason=f"{reason}{refused}{_baked(share)}")
        offers[name] = refusal
        refused += f"; not {name}: {refusal}"


Offers = Mapping[str, Share | str]
"""The sites that each engine reaches by itself, or why it can't run the campaign."""


def _offer(
    name: str, able: Mapping[str, Ability], sites: Sequence[FaultSite], scenarios: Scenarios
) -> Share | str:
    """The sites that an engine would reach by itself, or why it can't run a campaign."""
    kind = ENGINES[name]
    if scenarios.graphs and not kind.graphs:
        return "some faults are graphs, which have to be part of the model that runs"
    if scenarios.sequences and not kind.sequences:
        return "samples are sequences, in which the steps after a fault depend on it"
    if scenarios.sequences and any(map(_in_one_step, sites)) and not kind.one_step:
        return "some faults are there in one step of a sequence only"
    if scenarios.bound and not kind.one_sample:
        return "some faults are bound to one sample"
    if not (scenarios.single_site or kind.several_sites):
        return "some scenarios touch several sites"
    refused = able[name].refused
    baking = able["bake"]
    # Scenarios are baked beside an engine, but not with faults that baking can't carry out.
    apart = not scenarios.bound and (scenarios.single_site or not baking.refused)
    baked = [site for site in sites if site.name in refused]
    if not apart or (scenarios.sequences and any(map(_in_one_step, baked))):
        baking = able[name]
    return shared_out(able[name], baking, sites)


def _in_one_step(site: FaultSite) -> bool:
    return site.step is not None and site.repeated


def _as_asked(
    name: str,
    offers: Offers,
    sites: Sequence[FaultSite],
    examine: Callable[[str], str | None] | None,
) -> EngineChoice:
    """The engine that is asked for: what it can't reach must be out of reach for all but baking."""
    share = offers[name]
    refusal = share if isinstance(share, str) else None
    if isinstance(share, Share):
        others = [s.name for s in sites if s.name in share.beside and not only_baked(s)]
        if others:
            refusal = f"site {others[0]!r}: {share.beside[others[0]]}"
        elif examine is not None:
            refusal = examine(name)
    if refusal is None and isinstance(share, Share):
        return EngineChoice(name=name, reason=f"as asked for{_baked(share)}")
    can = ", ".join(other for other, offer in offers.items() if other != name and _takes(offer))
    hint = f"; engines that can: {can}" if can else ""
    raise ConfigError(f"engine {name} can't run this campaign: {refusal}{hint}")


def _takes(offer: Share | str) -> bool:
    """Whether an engine reaches all sites of a campaign by itself."""
    return isinstance(offer, Share) and not offer.beside


def _baked(share: Share) -> str:
    """In words what is baked beside an engine."""
    if not share.beside:
        return ""
    name, reason = next(iter(share.beside.items()))
    if len(share.beside) == 1:
        return f"; site {name!r} is baked: {reason}"
    return f"; {len(share.beside)} sites are baked, for one {name!r}: {reason}"


def _by_cost(
    model: Model,
    samples: int,
    sites: Sequence[FaultSite],
    scenarios: Scenarios,
    offers: Offers,
    able: Mapping[str, Ability],
) -> tuple[str, str]:
    """The cheapest engine that nothing is known against, and why it is."""
    shares = {name: offer for name, offer in offers.items() if isinstance(offer, Share)}
    if not shares:
        reasons = "; ".join(f"{name}: {refusal}" for name, refusal in offers.items())
        raise ConfigError(
            f"no engine can run this campaign ({reasons}); leave sites out with --exclude"
        )
    apart = {name: baked_share(sites, share.beside) for name, share in shares.items()}
    if any(each <= _MOST for each in apart.values()):
        shares = {name: share for name, share in shares.items() if apart[name] <= _MOST}
    if len(shares) == 1:
        (name,) = shares
        others = (f"{o}: {offer}" for o, offer in offers.items() if isinstance(offer, str))
        return name, f"the only one that can ({next(others, 'the others reach few sites')})"
    alone = {
        name: _seconds(name, able[name], model, samples, share.main, scenarios)
        for name, share in shares.items()
    }
    baking = _seconds("bake", able["bake"], model, samples, sites, scenarios)
    costs = {name: (1 - apart[name]) * alone[name] + apart[name] * baking for name in shares}
    listed = ", ".join(f"{name} {_milli(cost)}" for name, cost in costs.items())
    best = min(costs, key=lambda name: costs[name])
    return best, f"estimated costs of a scenario: {listed}"


def _seconds(
    name: str,
    ability: Ability,
    model: Model,
    samples: int,
    sites: Sequence[FaultSite],
    scenarios: Scenarios,
) -> float:
    """Seconds of a scenario in an engine."""
    run, session = run_seconds(model, samples), session_seconds(model)
    stored = all(site.kind.stored for site in sites)
    if name == "bake":
        return session + (run if stored else (1 + _BAKED_NODES) * run)
    replayed = _replayed(sites, scenarios)
    count = scenarios.count
    prepared = (ability.sessions * session + ability.runs * run) / count if count else 0.0
    if name == "cut":
        behind = share_behind(model, sites) if scenarios.single_site else 1.0
        # Of many tensors changed at once all are lifted, those that kernels would pack among them.
        unpacked = replayed if stored and not scenarios.single_site else 0.0
        return run * behind * (1 + _IN_PARTS + unpacked) + prepared
    opened = min(len(sites), count) / count if count and scenarios.single_site else 0.0
    return run * (1 + replayed) + ability.each * opened * (session + run) + prepared


def _replayed(sites: Sequence[FaultSite], scenarios: Scenarios) -> float:
    """What lifting adds to a run of the executable graph, as a share of it."""
    if any("exponent" not in format_of(site.element).fields for site in sites):
        return _INTEGER_REPLAYED if scenarios.single_site else _ALL_INTEGERS_REPLAYED
    return _FLOATS_REPLAYED if scenarios.single_site else _ALL_FLOATS_REPLAYED


def _milli(seconds: float) -> str:
    if seconds < 1e-5:
        return "under 0.01 ms"
    return f"{1000 * seconds:.2g} ms" if seconds < 0.01 else f"{1000 * seconds:,.0f} ms"

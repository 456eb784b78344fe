"""Choosing an engine from static costs, before anything has run."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from onnxfi.engine.engines import (
    ENGINES,
    BakeEngine,
    Estimate,
    Scenarios,
    Share,
    in_one_step,
    refusals,
    shared_out,
    stored_bits,
)
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite
from onnxfi.graph import Model
from onnxfi.inject import only_baked
from onnxfi.plugins import unknown_name

# Of the stored bits of a campaign's sites, how many an engine has to reach by itself, else it is
# rather the bake engine that runs it.
_MOST = 1 / 2


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
    names = ENGINES.names()
    if requested not in ("auto", *names):
        raise ConfigError(unknown_name("engine", requested, ("auto", *names)))
    refused = refusals(model, sites)
    offers = {name: _offer(name, refused, sites, scenarios) for name in names}
    if requested != "auto":
        return _as_asked(requested, offers, sites, examine)

    def estimate(reached: Sequence[FaultSite]) -> Estimate:
        return Estimate(model, samples, reached, scenarios)

    passed_over = ""
    while True:
        name, reason = _by_cost(offers, sites, estimate)
        refusal = examine(name) if examine else None
        if refusal is None:
            share = offers[name]
            assert isinstance(share, Share)
            return EngineChoice(name=name, reason=f"{reason}{passed_over}{_baked(share)}")
        offers[name] = refusal
        passed_over += f"; not {name}: {refusal}"


Offers = Mapping[str, Share | str]
"""The sites that each engine reaches by itself, or why it can't run the campaign."""


def _offer(
    name: str,
    refused: Mapping[str, Mapping[str, str]],
    sites: Sequence[FaultSite],
    scenarios: Scenarios,
) -> Share | str:
    """The sites that an engine would reach by itself, or why it can't run a campaign."""
    objection = ENGINES.get(name).objection(scenarios, sites)
    if objection is not None:
        return objection
    not_baked = refused[BakeEngine.name]
    # Scenarios are baked instead, but not with faults that baking can't carry out.
    apart = not scenarios.bound and (scenarios.single_site or not not_baked)
    baked = [site for site in sites if site.name in refused[name]]
    if not apart or (scenarios.sequences and any(map(in_one_step, baked))):
        not_baked = refused[name]
    return shared_out(refused[name], not_baked, sites)


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
        others = [s.name for s in sites if s.name in share.baked and not only_baked(s)]
        if others:
            refusal = f"site {others[0]!r}: {share.baked[others[0]]}"
        elif examine is not None:
            refusal = examine(name)
    if refusal is None and isinstance(share, Share):
        return EngineChoice(name=name, reason=f"as asked for{_baked(share)}")
    can = ", ".join(other for other, offer in offers.items() if other != name and _takes(offer))
    hint = f"; engines that can: {can}" if can else ""
    raise ConfigError(f"engine {name} can't run this campaign: {refusal}{hint}")


def _takes(offer: Share | str) -> bool:
    """Whether an engine reaches all sites of a campaign by itself."""
    return isinstance(offer, Share) and not offer.baked


def _baked(share: Share) -> str:
    """What is baked and not run in the engine chosen, in words."""
    if not share.baked:
        return ""
    name, reason = next(iter(share.baked.items()))
    if len(share.baked) == 1:
        return f"; site {name!r} is baked: {reason}"
    return f"; {len(share.baked)} sites are baked, for one {name!r}: {reason}"


def _by_cost(
    offers: Offers, sites: Sequence[FaultSite], estimate: Callable[[Sequence[FaultSite]], Estimate]
) -> tuple[str, str]:
    """The cheapest engine that nothing is known against, and why it is."""
    shares = {name: offer for name, offer in offers.items() if isinstance(offer, Share)}
    if not shares:
        reasons = "; ".join(f"{name}: {refusal}" for name, refusal in offers.items())
        raise ConfigError(
            f"no engine can run this campaign ({reasons}); leave sites out with --exclude"
        )
    apart = {name: _baked_share(sites, share.baked) for name, share in shares.items()}
    if any(each <= _MOST for each in apart.values()):
        shares = {name: share for name, share in shares.items() if apart[name] <= _MOST}
    if len(shares) == 1:
        (name,) = shares
        others = (f"{o}: {offer}" for o, offer in offers.items() if isinstance(offer, str))
        return name, f"the only one that can ({next(others, 'the others reach few sites')})"
    alone = {
        name: ENGINES.get(name).scenario_seconds(estimate(share.main))
        for name, share in shares.items()
    }
    baking = BakeEngine.scenario_seconds(estimate(sites))
    costs = {name: (1 - apart[name]) * alone[name] + apart[name] * baking for name in shares}
    listed = ", ".join(f"{name} {_milli(cost)}" for name, cost in costs.items())
    best = min(costs, key=lambda name: costs[name])
    return best, f"estimated costs of a scenario: {listed}"


def _baked_share(sites: Sequence[FaultSite], baked: Container[str]) -> float:
    """Share of the faults that hit one of some sites, by the stored bits, 0..1."""
    weights = {site.name: stored_bits(site) for site in sites}
    total = sum(weights.values())
    return sum(bits for name, bits in weights.items() if name in baked) / total if total else 0.0


def _milli(seconds: float) -> str:
    if seconds < 1e-5:
        return "under 0.01 ms"
    return f"{1000 * seconds:.2g} ms" if seconds < 0.01 else f"{1000 * seconds:,.0f} ms"

"""Other ways to choose faults, as a number for each bit: what sensitivity scores have to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evaluation.bitshares import Weighting, bit_shares
from evaluation.flips import changes, values
from evaluation.gradients import Gradients
from evaluation.isimdl import Arrays, Draws, Setting, check_space, elements, isimdl, settings
from onnxfi.bits import BitFormat, Words, format_of
from onnxfi.faults import FaultSite, FaultSpace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What methods may look at.

    Attributes:
        space: Single bit flips, all bits.
        words: Of stored sites, their words.
        steps: Of quantized stored sites, what a code is worth, of each element; 1 if missing.
        gradients: What gradient methods know; None to leave these out.
    """

    space: FaultSpace
    words: Mapping[str, Words] = field(default_factory=dict)
    steps: Arrays = field(default_factory=dict)
    gradients: Gradients | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rival:
    """A method.

    Attributes:
        name: Of its row.
        scores: A number from 0 up for each bit of each site; computed when asked for.
        draws: Its own way to choose, with replacement; None where it has none but the scores.
    """

    name: str
    scores: Callable[[], Arrays]
    draws: Callable[[], Draws] | None = None


def rivals(subject: Subject) -> Iterator[Rival]:
    """All methods that there is enough known for.

    Raises:
        ConfigError: The space is not of single bit flips.
    """
    check_space(subject.space)
    plain: dict[str, _Score] = {
        "population-uniform": lambda _, site: _each(site, 1.0),
        "layer-uniform": lambda _, site: _each(site, 1 / (elements(site) * _form(site).width)),
        "linear bits": lambda _, site: _weighted(site, Weighting.LINEAR),
        "exponential bits": lambda _, site: _weighted(site, Weighting.EXPONENTIAL),
        "top bit": lambda _, site: _top(site),
    }
    if all(site.name in subject.words for site in subject.space.sites):
        plain |= {
            "|delta|": _moved,
            "|delta| / rms": _moved_relative,
            "|delta| / rms, bounded": _bounded(_moved_relative, _MANY_RMS),
        }
    plain |= _gradient_scores(subject)
    for name, score in plain.items():
        yield Rival(name=name, scores=_scores(subject, score))
    yield from _reproduced(subject)


_MANY_RMS = 10.0
_ONE_NAT = 1.0  # of cross entropy

_Score = Callable[[Subject, FaultSite], NDArray[np.float64]]


def _scores(subject: Subject, score: _Score) -> Callable[[], Arrays]:
    return lambda: {site.name: score(subject, site) for site in subject.space.sites}


def _bounded(score: _Score, half: float) -> _Score:
    """The same order, but no more than 1, and half of that at ``half``.

    Faults fail or don't: a change that is a thousand times too large is no likelier to fail than
    one that is a hundred times.
    """

    def bounded(subject: Subject, site: FaultSite) -> NDArray[np.float64]:
        found = score(subject, site)
        return found / (found + half)

    return bounded


def _gradient_scores(subject: Subject) -> dict[str, _Score]:
    """First-order estimates of what a flip adds to the loss."""
    known = subject.gradients
    names = {site.name for site in subject.space.sites}
    if known is None:
        return {}
    if names <= known.taylor.keys():

        def computed(_: Subject, site: FaultSite) -> NDArray[np.float64]:
            return known.taylor[site.name]

        return {"Taylor": computed, "Taylor, bounded": _bounded(computed, _ONE_NAT)}
    if not names <= known.loss.keys() or not names <= subject.words.keys():
        return {}

    def taylor(slopes: Arrays) -> _Score:
        return lambda _, site: np.abs(slopes[site.name])[:, None] * _codes(subject, site)

    by_image = taylor(known.loss_size)
    return {
        "Taylor": taylor(known.loss),
        "Taylor by image": by_image,
        "Taylor by image, bounded": _bounded(by_image, _ONE_NAT),
    }


def _reproduced(subject: Subject) -> Iterator[Rival]:
    """ISimDL's samplers."""
    known, space = subject.gradients, subject.space
    if known is None:
        return
    names = {site.name for site in space.sites}
    if names <= known.output.keys() and names <= subject.words.keys():
        sensitivity: Arrays = known.output
        held: Arrays = {
            site.name: values(subject.words[site.name], site.element) for site in space.sites
        }
    elif names <= known.conductance.keys():
        # Computed tensors hold no value: there conductance stands in for it.
        sensitivity = held = known.conductance
    else:
        return
    for setting in settings():

        def draws(setting: Setting = setting) -> Draws:
            return isimdl(space, setting, sensitivity, held)

        yield Rival(
            name=f"ISimDL {setting.name}", scores=lambda make=draws: make().arrays(), draws=draws
        )


def _form(site: FaultSite) -> BitFormat:
    return format_of(site.element)


def _each(site: FaultSite, number: float) -> NDArray[np.float64]:
    return np.full((elements(site), _form(site).width), number)


def _weighted(site: FaultSite, weighting: Weighting) -> NDArray[np.float64]:
    return bit_shares(weighting, np.zeros(elements(site)), site.element)


def _top(site: FaultSite) -> NDArray[np.float64]:
    """1 for the highest bit of the exponent; of integers for the highest bit."""
    form = _form(site)
    found = np.zeros((elements(site), form.width))
    found[:, form.fields.get("exponent", range(form.width))[-1]] = 1
    return found


def _codes(subject: Subject, site: FaultSite) -> NDArray[np.float64]:
    """How far each flip moves what is stored."""
    return np.abs(changes(subject.words[site.name], site.element))


def _moved(subject: Subject, site: FaultSite) -> NDArray[np.float64]:
    """How far each flip moves the number that the network computes with."""
    step = subject.steps.get(site.name)
    return _codes(subject, site) * (1 if step is None else step[:, None])


def _moved_relative(subject: Subject, site: FaultSite) -> NDArray[np.float64]:
    """The same, over the root mean square of the tensor."""
    step = subject.steps.get(site.name, 1.0)
    held = values(subject.words[site.name], site.element) * step
    rms = float(np.sqrt(np.mean(held**2)))
    return _moved(subject, site) / (rms or 1.0)

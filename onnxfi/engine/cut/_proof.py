"""Proofs that an executable graph may be used: its places are the stored tensors, whole.

An optimiser may hand a value to some of its readers on another way, around the place that was
found for it; a fault there would not reach them. So every place is overwritten with the same
arbitrary values in both graphs, and what follows from them has to be the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._chain import PartChain
from onnxfi.engine.executable import TensorPlace
from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import RunFailedError, same
from onnxfi.inject import BatchWindow

Values = Mapping[str, NDArray[Any]]

# By how much values may differ, as a share of their own spread: rounding is far below, another
# reader's view of a tensor far above.
_ROUNDING = 0.02


def same_effect(
    context: EngineContext,
    stored: tuple[PartChain, Values],
    executable: tuple[PartChain, Values],
    places: Mapping[str, TensorPlace],
    fed: Values,
) -> bool:
    """Whether overwriting the places has the effect of overwriting the stored tensors.

    Args:
        context: Workload and profile.
        stored: The stored graph, cut behind the same sites, and its lifted tensors.
        executable: The executable graph and its lifted tensors.
        places: Where the sites lie in it.
        fed: Inputs besides the workload's.
    """
    workload, profile = context.workload, context.profile
    real = 1 if workload.stacked else min(2, profile.batch_size, workload.samples)
    window = BatchWindow(start=0, stop=real, size=profile.fixed_batch or real)
    feeds = {**workload.batch(0, real, window.size), **fed}
    try:
        noise, wanted = _shuffled(stored, places, feeds)
        found = _overwritten(executable, places, feeds, noise)
    except RunFailedError:
        return False
    return all(name in found and _close(wanted[name], found[name]) for name in wanted)


def _shuffled(
    stored: tuple[PartChain, Values], places: Mapping[str, TensorPlace], feeds: Values
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Values written over each site, and what the sites and outputs were before.

    A site's own values in another order: they differ from what belongs there, and are of a kind
    that the readers are used to.
    """
    chain, lifted = stored
    rng = np.random.default_rng(0)
    values = dict(feeds)
    noise: dict[str, NDArray[Any]] = {}
    wanted: dict[str, NDArray[Any]] = {}
    for position, part in enumerate(chain.parts):
        made = chain.run(position, {name: values[name] for name in part.reads}, lifted)
        for name, value in made.items():
            if name in chain.outputs or name in places:
                wanted[name] = value
            if name in places:
                noise[name] = _other(value, rng)
        values |= {**made, **{name: noise[name] for name in made if name in noise}}
    return noise, wanted


def _other(value: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """A value's own elements in another order, or every second one changed if all are the same."""
    flat = rng.permutation(value.reshape(-1))
    # Larger integers are shapes and indices, which a graph may not run with if they change.
    small = np.issubdtype(flat.dtype, np.integer) and flat.dtype.itemsize == 1
    number = small or flat.dtype.kind == "f" or flat.dtype.name == "bfloat16"
    if number and same(flat, value.reshape(-1)):
        changed = flat[::2]
        with np.errstate(all="ignore"):
            flat[::2] = changed ^ 1 if small else np.where(changed == 0, 1, changed * 1.5)
    return flat.reshape(value.shape)


def _overwritten(
    executable: tuple[PartChain, Values],
    places: Mapping[str, TensorPlace],
    feeds: Values,
    noise: Values,
) -> dict[str, NDArray[Any]]:
    """What sites and outputs are in the executable graph when the same is written over it."""
    chain, lifted = executable
    values = dict(feeds)
    found: dict[str, NDArray[Any]] = {}
    by_value: dict[str, list[str]] = {}
    for name, place in places.items():
        by_value.setdefault(place.value, []).append(name)
    for position, part in enumerate(chain.parts):
        made = chain.run(position, {name: values[name] for name in part.reads}, lifted)
        found |= {name: made[name] for name in made if name in chain.outputs}
        values |= made
        for value in made:
            for name in by_value.get(value, ()):
                if name in noise:
                    found[name], values[value] = _exchanged(places[name], made[value], noise[name])
    return found


def _exchanged(
    place: TensorPlace, held: NDArray[Any], noise: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """What a place held, as stored; and what it holds with other values in it."""
    index = place.positions(noise.size)
    flat = held.reshape(-1).copy()
    before = flat[index].reshape(noise.shape)
    flat[index] = noise.reshape(-1)
    return before, flat.reshape(held.shape)


def _close(wanted: NDArray[Any], found: NDArray[Any]) -> bool:
    if wanted.shape != found.shape:
        return False
    if wanted.dtype.hasobject:
        return same(wanted, found)
    with np.errstate(all="ignore"):
        one, two = wanted.astype(np.float64), found.astype(np.float64)
        if not np.array_equal(np.isfinite(one), np.isfinite(two)):
            return False
        one, two = one[np.isfinite(one)], two[np.isfinite(two)]
        if not one.size:
            return True
        spread = np.linalg.norm(one - one.mean())
        rounding = 1e-5 * np.linalg.norm(one)
        return bool(np.linalg.norm(one - two) <= _ROUNDING * spread + rounding)

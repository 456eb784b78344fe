"""Rules: responses that follow from the operator behind a value, without a run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from onnxfi.sensitivity.rules._calibrate import ChannelStatistics
from onnxfi.sensitivity.rules._entries import Target
from onnxfi.sensitivity.rules._following import Following
from onnxfi.sensitivity.scores import DOSES, DOWN, UP, Response

_HALF = 10.0  # dose at which a shift is as likely to fail as not


def ruled(
    target: Target,
    bound: Following | None,
    statistics: Mapping[str, ChannelStatistics],
    drop: float,
) -> Response:
    """The response of a value by the rule of the operator that follows.

    What is shifted beyond what the operator lets through does no more harm: a Relu cuts off what
    it lets through and no more when its input falls, a Clip stops at its limits. How much is lost
    is set so that a dose of 10 fails as often as not, and the odds are proportional to the dose.

    Args:
        target: The value.
        bound: What follows, None if nothing bounds it.
        statistics: By value, that which goes into ``bound`` among them.
        drop: What a failing scenario loses.
    """
    doses = np.array(DOSES)
    reach = np.broadcast_to(doses, (target.channels, 2, len(doses))).copy()
    if bound is not None and target.whole and bound.value in statistics:
        up, down = _room(statistics[bound.value], bound, target.channels)
        reach[:, UP] = np.minimum(doses, up[:, None] / target.spread)
        cut = np.minimum(doses, down[:, None] / target.spread)
        reach[:, DOWN] = cut + bound.slope * (doses - cut)
    lost = np.minimum(drop * reach / _HALF, 1.0)
    return Response(
        value=target.name,
        spread=target.spread,
        doses=doses,
        lost=lost,
        broken=np.ones(target.channels),
    )


def _room(
    seen: ChannelStatistics, bound: Following, channels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far what comes out of an operator can rise and fall, by channel."""
    if bound.fixed:
        wide = np.full(channels, bound.high - bound.low)
        return wide, wide
    through = seen.kept if bound.low >= 0 or np.isneginf(bound.low) else seen.mean
    if len(through) != channels:  # a concatenation, or a flattened image
        through = np.full(channels, float(through.mean()))
    passed = np.clip(through, bound.low, bound.high)
    rise, fall = bound.high - passed, passed - bound.low
    factor = (
        np.broadcast_to(bound.factor, (channels,))
        if len(bound.factor) in (1, channels)
        else np.ones(channels)
    )
    size = np.maximum(np.abs(factor), 1e-30)
    return np.where(factor < 0, fall, rise) / size, np.where(factor < 0, rise, fall) / size

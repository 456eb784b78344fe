"""Responses between the doses that are known, whatever way a channel is shifted."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.sensitivity.scores import DOSES, DOWN, UP, Response


def _response(doses: tuple[float, ...]) -> Response:
    rng = np.random.default_rng(1)
    lost = np.sort(rng.random((3, 2, len(doses))), axis=2)
    return Response(value="v", spread=2.0, doses=np.array(doses), lost=lost, broken=np.ones(3))


@pytest.mark.parametrize("doses", [DOSES, (1.0,), (0.5, 3.0)])
def test_each_fault_has_its_own_direction(doses: tuple[float, ...]) -> None:
    response = _response(doses)
    rng = np.random.default_rng(2)
    dose = np.concatenate([[0.0], doses, 10 ** rng.uniform(-9, 9, 500)])
    channel, way = rng.integers(0, 3, len(dose)), rng.integers(0, 2, len(dose))
    found = response.at(channel, way, dose)
    for direction in (UP, DOWN):
        mine = way == direction
        assert (found[mine] == response.at(channel, direction, dose)[mine]).all()


@pytest.mark.parametrize("doses", [DOSES, (1.0,), (0.5, 3.0)])
def test_known_doses_give_what_is_known_and_others_lie_between(doses: tuple[float, ...]) -> None:
    response = _response(doses)
    for channel in range(3):
        for direction in (UP, DOWN):
            curve = response.lost[channel, direction]
            here = np.full(len(doses), channel)
            assert response.at(here, direction, np.array(doses)) == pytest.approx(curve)
            dose = np.geomspace(doses[0] / 100, doses[-1] * 100, 300)
            found = response.at(np.full(300, channel), direction, dose)
            assert (np.diff(found) >= -1e-12).all()
            assert found[-1] == pytest.approx(curve[-1])
            assert found[0] == pytest.approx(curve[0] / 100**2)

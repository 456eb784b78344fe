"""Rules checked by real faults: a direction that is called harmless and is not."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.engine import EngineContext, EngineSettings, open_workload, profile
from onnxfi.faults import enumerate_sites
from onnxfi.graph import load
from onnxfi.outcome import BoundCriterion, Top1
from onnxfi.sensitivity.scores import DOSES, DOWN, UP, WHOLE, Gain, Response, StoredScores
from onnxfi.sensitivity.trials import (
    Side,
    TrialOptions,
    candidates,
    checked_sides,
    corrected,
    flips,
    largest,
    stored_words,
)


def _response(up: float, down: float) -> Response:
    lost = np.zeros((2, 2, len(DOSES)))
    lost[:, UP, 4:], lost[:, DOWN, 4:] = up, down
    return Response(value="y", spread=1.0, doses=np.array(DOSES), lost=lost, broken=np.ones(2))


def _side(direction: int, expected: list[float], real: list[float]) -> Side:
    return Side(
        direction=direction,
        channel=np.arange(len(real)) % 2,
        doses=np.full(len(real), 16.0),
        expected=np.array(expected),
        real=np.array(real),
    )


@pytest.mark.parametrize(
    ("expected", "real", "wrong"),
    [
        ([0, 0, 0, 0], [1, 1, 1, 1], True),
        ([0, 0, 0, 0], [0.1, 0.04, 0, 0], False),  # too little to count
        ([0.9, 0.9, 0.9, 0.9], [1, 0.5, 0.4, 1], False),
        ([0.9, 0.9, 0.9, 0.9], [0, 0, 0, 0.2], True),
        ([0.04, 0, 0, 0.04], [0, 0, 0, 0], False),
        ([0], [1], True),
    ],
)
def test_twice_or_half_of_what_is_expected_contradicts(
    expected: list[float], real: list[float], wrong: bool
) -> None:
    assert _side(DOWN, expected, real).contradicted is wrong


def test_a_direction_that_loses_more_gets_the_curve_of_the_other_one() -> None:
    response = _response(0.8, 0.01)
    found = corrected(response, [_side(UP, [0.8], [0.8]), _side(DOWN, [0.01], [0.8])])
    np.testing.assert_allclose(found.lost[:, DOWN], response.lost[:, UP])
    np.testing.assert_array_equal(found.lost[:, UP], response.lost[:, UP])
    assert response.lost[:, DOWN].max() == 0.01  # the given one is not changed


def test_the_curve_fits_what_is_really_lost() -> None:
    found = corrected(_response(0.8, 0.01), [_side(DOWN, [0.01] * 2, [0.1, 0.3])])
    np.testing.assert_allclose(found.lost[:, DOWN, 4:], 0.2)
    found = corrected(_response(0.02, 0.02), [_side(DOWN, [0.02] * 2, [1.0, 1.0])])
    np.testing.assert_allclose(found.lost[:, DOWN, 4:], 1.0)


def test_where_both_directions_were_called_harmless_what_was_lost_counts() -> None:
    found = corrected(_response(0.0, 0.0), [_side(UP, [0, 0], [0.5, 0.7])])
    np.testing.assert_allclose(found.lost[:, UP, 6:], 0.6)  # dose 16 and above
    assert not found.lost[:, UP, :6].any()
    assert not found.lost[:, DOWN].any()


def test_a_direction_that_loses_less_is_lowered_but_not_to_nothing() -> None:
    response = _response(0.8, 0.5)
    found = corrected(response, [_side(UP, [0.8] * 4, [0.0] * 4)])
    assert 0 < found.lost[:, UP].max() < 0.03
    np.testing.assert_array_equal(found.lost[:, DOWN], response.lost[:, DOWN])
    found = corrected(response, [_side(UP, [0.8] * 4, [0.2] * 4)])
    np.testing.assert_allclose(found.lost[:, UP, -1], 0.2, rtol=0.1)


def test_measured_curves_change_only_at_doses_that_were_tried() -> None:
    response = _response(0.8, 0.01)
    more = corrected(response, [_side(DOWN, [0.01] * 2, [0.4, 0.6])], measured=True)
    np.testing.assert_allclose(more.lost[:, DOWN, 6:], 0.5)  # dose 16 and above
    np.testing.assert_array_equal(more.lost[:, DOWN, :6], response.lost[:, DOWN, :6])
    less = corrected(response, [_side(UP, [0.8] * 2, [0.2] * 2)], measured=True)
    np.testing.assert_allclose(less.lost[:, UP, 4:], 0.2, rtol=0.2)  # nor does a smaller dose more
    assert not less.lost[:, UP, :4].any()
    assert (np.diff(less.lost, axis=2) >= 0).all()


def test_rules_that_hold_are_left_alone() -> None:
    response = _response(0.8, 0.0)
    sides = [_side(UP, [0.8] * 4, [0.6] * 4), _side(DOWN, [0.0] * 4, [0.0, 0, 0, 0.1])]
    np.testing.assert_array_equal(corrected(response, sides).lost, response.lost)


@pytest.fixture(scope="module")
def context() -> EngineContext:
    model = load("models/lenet5_mnist_fp32.onnx")
    workload = open_workload(model, "models/mnist_test1000.npz").take(24)
    how = EngineSettings()
    found = profile(model, workload, how, [])
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=how,
        sites=tuple(site for site in table.sites if site.kind.stored),
        criterion=BoundCriterion(criterion=Top1(), output="logits"),
    )


def _scores(context: EngineContext, name: str, up: float, down: float) -> StoredScores:
    site = next(each for each in context.sites if each.name == name)
    gain = Gain(out=WHOLE, into=WHOLE, unit=np.ones(1), up=np.ones(1), down=np.zeros(1))
    return StoredScores(
        element=site.element,
        words=stored_words(context.model, site),
        gain=gain,
        response=_response(up, down),
    )


def test_real_faults_tell_which_rule_is_wrong(context: EngineContext) -> None:
    """Behind fc1 a Relu follows, so downward shifts do nothing; behind fc3 are the answers."""
    scores = {
        "fc1.bias": _scores(context, "fc1.bias", 0.9, 0.0),
        "conv1.bias": _scores(context, "conv1.bias", 0.9, 0.9),
        "fc2.bias": _scores(context, "fc2.bias", 0.0, 0.0),
        "fc3.bias": _scores(context, "fc3.bias", 0.0, 0.9),
    }
    told: list[tuple[int, int]] = []
    options = TrialOptions()
    found, notes, cost = checked_sides(context, scores, options, lambda *each: told.append(each))
    assert [note.split(" shifts")[0] for note in notes] == [
        "conv1.bias: downward",
        "fc2.bias: upward",
        "fc3.bias: upward",
        "fc3.bias: downward",
    ]
    lost = {name: each.response.lost for name, each in found.items()}
    np.testing.assert_array_equal(lost["fc1.bias"], scores["fc1.bias"].response.lost)
    assert lost["conv1.bias"][:, UP, -1].min() == 0.9
    assert lost["conv1.bias"][:, DOWN].max() < 0.1
    assert lost["fc2.bias"][:, UP, -1].min() > 0.5
    assert not lost["fc2.bias"][:, DOWN].any()
    assert lost["fc3.bias"][:, UP, -1].min() > 0.5
    assert lost["fc3.bias"][:, DOWN, -1].max() < 0.3
    assert cost.samples == len(scores) * 2 * options.sides * 24
    assert told[-1] == (4, 4)


def test_the_largest_doses_of_a_direction_at_different_elements(context: EngineContext) -> None:
    site = next(each for each in context.sites if each.name == "fc2.weight")
    scores = _scores(context, site.name, 0.5, 0.5)
    pool = candidates(site, 0)
    shifts = scores.shifts(flips(site, pool.numbers))
    chosen = largest(pool, shifts, DOWN, 4, DOSES[-1])
    assert len(np.unique(pool.element[chosen])) == 4
    assert (pool.bit[chosen] == 30).all()
    values = scores.words.view(np.float32)[pool.element[chosen]]
    assert (values < 0).all()

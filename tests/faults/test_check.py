from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxfi.bits import ElementType
from onnxfi.errors import FaultError
from onnxfi.faults import Fault, FaultGroup, Scenario, check_scenario, scenario_of


@pytest.fixture
def sites(make_site):
    found = [
        make_site("conv1.weight", ElementType.INT4, (3,)),
        make_site("relu", ElementType.FLOAT, (1, 4), kind="activation", batch_axis=0),
        make_site("late", ElementType.FLOAT, None, kind="activation"),
    ]
    return {site.name: site for site in found}


def fault(site="conv1.weight", index=0, xor=1, sample=None):
    return Fault(site=site, index=index, and_mask=~0, xor_mask=xor, sample=sample)


def test_faults_that_exist_pass(sites):
    check_scenario(scenario_of([fault(index=2, xor=15), fault("relu", 3, sample=9)]), sites, 10)
    check_scenario(scenario_of([fault("relu", 3, sample=99)]), sites)
    check_scenario(Scenario(number=0, groups=()), sites, 10)
    every = replace(scenario_of([fault()]).groups[0], sample=np.array([-1]))
    check_scenario(Scenario(number=0, groups=(every,)), sites, 10)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (
            [fault(xor=1 << 7)],
            r"bit 7 is out of range for site 'conv1.weight' \(INT4, bits 0\.\.3\);"
            r" use --bits 0\.\.3",
        ),
        ([fault(index=3)], r"element 3 is out of range for site 'conv1.weight' \(3 elements"),
        ([fault(index=-1)], "element -1 is out of range"),
        ([fault("conv1.wieght")], "there is no site 'conv1.wieght'; did you mean 'conv1.weight'"),
        ([fault("late")], "shape of site 'late'"),
        ([fault(sample=2)], "'conv1.weight' .weight. is stored.*can't name sample 2"),
        ([fault("relu", sample=10)], r"sample 10 is out of range .* 10 samples \(0\.\.9\)"),
        ([fault("relu", sample=-2), fault("relu", sample=0)], "sample -2 .* does not exist"),
    ],
)
def test_faults_that_do_not_exist_are_refused(faults, message, sites):
    with pytest.raises(FaultError, match=message):
        check_scenario(scenario_of(faults, 5), sites, 10)


def test_malformed_groups_are_refused(sites):
    group = FaultGroup(
        site="relu",
        index=np.array([0, 1]),
        and_mask=np.zeros(1, np.uint64),
        xor_mask=np.zeros(2, np.uint64),
    )
    with pytest.raises(FaultError, match="columns of the faults at site 'relu' differ in length"):
        check_scenario(Scenario(number=0, groups=(group,)), sites)
    fine = scenario_of([fault("relu")]).groups[0]
    with pytest.raises(FaultError, match="scenario 8 has two groups at site 'relu'"):
        check_scenario(Scenario(number=8, groups=(fine, fine)), sites)

"""The public front, used as the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxfi as fi

MODEL = Path("models/lenet5_mnist_int8_qdq.onnx")


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    with np.load("models/mnist_test1000.npz") as data:
        return {"image": data["image"][:40], "labels": data["labels"][:40]}


def test_every_public_name_is_there():
    assert set(fi.__all__ if hasattr(fi, "__all__") else dir(fi)) >= {"Campaign", "__version__"}
    for name in dir(fi):
        assert getattr(fi, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        fi.Nonsense  # noqa: B018


def test_a_campaign_from_create_to_report(tmp_path, arrays):
    campaign = fi.Campaign.create(
        tmp_path / "c",
        model=MODEL,
        inputs=arrays,
        targets=["weight", "bias"],
        fault_model=fi.BitFlip(),
        sampler=fi.UniformSampler(n=60, seed=7),
        block_size=20,
    )
    assert campaign.run(max_injections=20).stopped == "max-injections"
    assert campaign.run().done_now == 40
    rate = campaign.estimate("failure")
    assert rate.n == 60
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert campaign.estimate("accuracy", confidence=0.8).confidence == 0.8
    with pytest.raises(fi.ConfigError, match="there are: failure"):
        campaign.estimate("luck")
    assert len(list(campaign.rows())) == 60
    for suffix in ("html", "md", "json"):
        path = campaign.report(tmp_path / f"report.{suffix}")
        assert "lenet5" in path.read_text() or "model.onnx" in path.read_text()
    with pytest.raises(fi.ConfigError, match="must end in"):
        campaign.report(tmp_path / "report.pdf")
    assert fi.Campaign.open(tmp_path / "c").estimate("failure") == rate


def test_a_campaign_on_the_deployed_graph(tmp_path, arrays):
    sampler = fi.UniformSampler(n=5, seed=7)
    campaign = fi.Campaign.create(
        tmp_path / "c", model=MODEL, inputs=arrays, sampler=sampler, graph="deployed"
    )
    assert campaign.run().done_now == 5
    assert "of the deployed graph" in campaign.report(tmp_path / "report.md").read_text()
    with pytest.raises(fi.ConfigError, match="unknown graph 'fused'; there are: stored"):
        fi.Campaign.create(tmp_path / "d", model=MODEL, inputs=arrays, graph="fused")


def test_create_opens_the_same_campaign_and_refuses_another(tmp_path, arrays):
    chosen = {"model": MODEL, "inputs": arrays, "sampler": fi.UniformSampler(n=5, seed=1)}
    first = fi.Campaign.create(tmp_path / "c", **chosen)
    assert fi.Campaign.create(tmp_path / "c", **chosen) == first
    with pytest.raises(fi.CampaignMismatchError):
        fi.Campaign.create(tmp_path / "c", **(chosen | {"drop": 0.5}))
    with pytest.raises(fi.ConfigError, match="colour"):
        fi.Campaign.create(tmp_path / "d", **chosen, colour="red")


def anything_moved(golden, faulty, labels):
    return (golden != faulty).any(axis=1)


def half_of_the_bits(site, rng):
    return fi.Fault(
        site=site.name, index=int(rng.integers(site.layout.elements)), and_mask=0x0F, xor_mask=0
    )


def test_the_users_own_functions(tmp_path, arrays):
    campaign = fi.Campaign.create(
        tmp_path / "c",
        model=onnx.load(MODEL),
        inputs=arrays,
        fault_model=fi.CustomFault(half_of_the_bits, "half"),
        criterion=anything_moved,
        sampler=fi.UniformSampler(n=20, seed=1),
    )
    campaign.run()
    for row in campaign.rows():
        assert row["tolerable"] == 0
        assert row["critical"] + row["masked"] + row["due_nonfinite"] == 40


def test_sites_are_listed_and_filtered():
    every = fi.enumerate_sites(MODEL)
    weights = fi.enumerate_sites(MODEL, targets=["weight"])
    assert {site.kind for site in weights} == {fi.SiteKind.WEIGHT}
    assert len(weights) == 5
    assert {site.kind.value for site in every} >= {"weight", "bias", "activation", "scale"}
    with pytest.raises(fi.ConfigError, match="fc1"):
        fi.enumerate_sites(MODEL, include=["fc1.weigt"])


def test_shapes_of_activations_come_with_inputs(arrays):
    conv = "/conv1/Conv"
    blind = fi.enumerate_sites(MODEL, targets=["activation"])
    assert all(site.layout is None for site in blind)
    seen = fi.enumerate_sites(MODEL, targets=["activation"], inputs=arrays)
    assert any(site.layout is not None and site.layer.startswith(conv) for site in seen)


def test_bake_writes_an_ordinary_model(tmp_path, arrays):
    scenario = fi.scenario(
        [fi.Fault(site="fc3.bias_quantized", index=0, and_mask=~0, xor_mask=1 << 30)]
    )
    data = fi.bake(MODEL, scenario, tmp_path / "faulty.onnx")
    assert (tmp_path / "faulty.onnx").read_bytes() == data
    onnx.checker.check_model(data)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    feeds = {"image": arrays["image"]}
    faulty = onnxruntime.InferenceSession(data, options).run(None, feeds)[0]
    clean = onnxruntime.InferenceSession(str(MODEL), options).run(None, feeds)[0]
    assert (faulty[:, 0] != clean[:, 0]).all()
    assert (faulty[:, 1:] == clean[:, 1:]).all()


def test_bake_needs_inputs_for_activations(arrays):
    site = next(
        s for s in fi.enumerate_sites(MODEL, targets=["activation"], inputs=arrays) if s.layout
    )
    scenario = fi.scenario([fi.Fault(site=site.name, index=0, and_mask=~0, xor_mask=1)])
    with pytest.raises(fi.FaultError):
        fi.bake(MODEL, scenario)
    assert len(fi.bake(MODEL, scenario, inputs=arrays)) > MODEL.stat().st_size


def test_bit_errors_per_sample_take_their_number_from_the_workload(tmp_path, arrays):
    chosen = {"model": MODEL, "inputs": arrays, "targets": ["activation"], "op_types": ["Conv"]}
    sampler = fi.BitErrorRateSampler(ber=1e-4, n=3, per_sample=True)
    campaign = fi.Campaign.create(tmp_path / "c", **chosen, sampler=sampler)
    assert campaign.opened.settings.sampler["samples"] == 40
    assert campaign.run().done_now == 3
    said = fi.BitErrorRateSampler(ber=1e-4, n=3, per_sample=True, samples=40)
    assert list(fi.Campaign.create(tmp_path / "c", **chosen, sampler=said).rows())
    wrong = fi.BitErrorRateSampler(ber=1e-4, n=3, per_sample=True, samples=41)
    with pytest.raises(fi.ConfigError, match="the workload has 40"):
        fi.Campaign.create(tmp_path / "d", **chosen, sampler=wrong)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sampler": "uniform"}, "sampler is 'uniform'; give a sampler"),
        ({"fault_model": "flip"}, "fault_model is 'flip'; give a fault model"),
        ({"fault_model": [fi.BitFlip(), 3]}, "fault_model is 3"),
        ({"inputs": None}, "inputs is a NoneType; give a path"),
        ({"samplr": None}, "unknown argument 'samplr' in Campaign.create; did you mean 'sampler'"),
        ({"model": None}, "model is None; give a path"),
        ({"over_steps": "no"}, "over_steps is 'no'; expected bool"),
        ({"include": [1]}, r"include is \[1\], which it can't be"),
        ({"targets": 5}, "targets is 5, which it can't be"),
        ({"targets": [2, 0]}, "targets is .*which it can't be"),
        ({"targets": {"x": 1}}, "'x' is not a kind of site"),
        ({"steps": ["a"]}, "steps is .*expected int"),
        ({"criterion": 3}, "criterion is 3; give a text"),
        ({"metrics": 3}, "metrics has 3"),
        ({"targets": "wait"}, "'wait' is not a kind of site"),
        ({"inputs": {"image": [1.0]}}, "^inputs: .*float64"),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused(tmp_path, arrays, wrong, said):
    with pytest.raises(fi.OnnxFIError, match=said):
        fi.Campaign.create(tmp_path / "c", **({"model": MODEL, "inputs": arrays} | wrong))
    assert list(tmp_path.iterdir()) == []


def test_none_stands_for_the_default(tmp_path, arrays):
    plain = {"model": MODEL, "inputs": arrays, "sampler": fi.UniformSampler(n=3)}
    nothing = ("criterion", "engine", "fault_model", "metrics", "graph", "batch_size", "targets")
    given = fi.Campaign.create(tmp_path / "a", **plain, **dict.fromkeys(nothing))
    left_out = fi.Campaign.create(tmp_path / "b", **plain)
    assert given.opened.document.identity == left_out.opened.document.identity


def test_a_single_text_stands_for_a_list_of_one(tmp_path, arrays):
    campaign = fi.Campaign.create(
        tmp_path / "c", model=MODEL, inputs=arrays, targets="weight", include="conv1*"
    )
    assert campaign.opened.settings.targets == ("weight",)
    assert {"conv1.weight_quantized"} == set(campaign.opened.plan.sites)


def test_a_function_as_criterion_has_to_be_given_again(tmp_path, arrays):
    chosen = {"model": MODEL, "inputs": arrays, "sampler": fi.UniformSampler(n=4)}
    chosen["criterion"] = _moved
    fi.Campaign.create(tmp_path / "c", **chosen).run(max_injections=1)
    with pytest.raises(fi.ConfigError, match=r"_moved, which no file can hold; .*Campaign.create"):
        fi.Campaign.open(tmp_path / "c").run()
    assert fi.Campaign.create(tmp_path / "c", **chosen).run().done_now == 3


def _moved(golden, faulty, labels):
    return np.abs(golden - faulty).max(axis=1) > 1

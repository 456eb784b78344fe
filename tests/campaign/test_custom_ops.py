"""Models with operators of a shared library, which only the user can name."""

from __future__ import annotations

import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import parser

import onnxfi as fi
from onnxfi.campaign import open_campaign, resume_or_create, run_campaign
from onnxfi.cli import cli
from onnxfi.errors import CampaignError, CampaignMismatchError, ConfigError, OnnxFIError
from onnxfi.settings import CampaignSettings

# Two outputs from one input: what is negative of it, and what is positive.
MODEL = """<ir_version: 8, opset_import: ["": 17, "ai.onnx.contrib": 1]>
agraph (float[N, 4] x) => (float[N, 3] y) <
    float[4, 6] w = {1, -2, 3, 4, -5, 6, 1, 1, -1, 2, 0.5, 0, 3, 2, 1, 0, -1, -2, 1, 1, 2, 2, 3, 3},
    float[6, 3] v = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
> {
    a = MatMul(x, w)
    b = Tanh(a)
    n, p = ai.onnx.contrib.NegPos(b)
    d = Sub(p, n)
    y = MatMul(d, v)
}"""


@pytest.fixture(scope="module")
def library() -> str:
    """Of onnxruntime-extensions, which is never imported."""
    try:
        package = distribution("onnxruntime-extensions")
    except PackageNotFoundError:
        pytest.skip("onnxruntime-extensions is not installed (requirements-models.txt)")
    (found,) = (f for f in package.files or () if f.match("_extensions_pydll*.so"))
    return str(package.locate_file(found))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("custom") / "m.onnx"
    path.write_bytes(parser.parse_model(MODEL).SerializeToString())
    return str(path)


@pytest.fixture
def study(model, library):
    def make(**changes):
        chosen = {
            "model": model,
            "inputs": "random:4:0",
            "targets": ("weight", "activation"),
            "sampler": {"kind": "uniform", "n": 24, "seed": 1},
            "optimization": "disabled",
            "custom_ops": (library,),
        }
        return CampaignSettings(**(chosen | changes))

    return make


def test_all_engines_run_them_and_agree(study, tmp_path, rows_of):
    rows = {}
    for engine in ("bake", "ports", "cut"):
        campaign = resume_or_create(tmp_path / engine, study(engine=engine))
        run_campaign(campaign)
        assert {"w", "v", "a", "b", "d"} <= set(campaign.plan.sites)
        rows[engine] = rows_of(campaign)
    assert rows["bake"] == rows["ports"] == rows["cut"]
    fused = study(engine="lift", targets=("weight",), optimization="all")
    assert run_campaign(resume_or_create(tmp_path / "lift", fused)).stopped is None


def test_the_library_is_part_of_the_experiment(study, library, tmp_path):
    copy = tmp_path / "ops.so"
    shutil.copy(library, copy)
    with_copy = study(custom_ops=(str(copy),))
    campaign = resume_or_create(tmp_path / "c", with_copy)
    moved = resume_or_create(tmp_path / "c", study())
    assert moved.settings.custom_ops == (library,)
    resume_or_create(tmp_path / "c", with_copy)
    with copy.open("ab") as file:
        file.write(b"changed")
    with pytest.raises(CampaignMismatchError, match=r"ops.so has changed .* was not loaded"):
        open_campaign(tmp_path / "c").experiment()
    copy.unlink()
    with pytest.raises(CampaignError, match=r"ops.so, an operator library .* --custom-ops PATH"):
        campaign.experiment()


def test_what_can_not_be_loaded_is_refused_and_nothing_is_left(study, tmp_path):
    text = tmp_path / "no_library.so"
    text.write_text("text")
    for path, message in ((text, "can't be loaded as an operator library"), ("/no/o.so", "exist")):
        with pytest.raises(ConfigError, match=message):
            resume_or_create(tmp_path / "c", study(custom_ops=(str(path),)))
        assert not (tmp_path / "c").exists()


def test_without_the_library_the_option_is_named(study, tmp_path):
    with pytest.raises(OnnxFIError, match=r"not a registered function/op; .*--custom-ops"):
        resume_or_create(tmp_path / "c", study(custom_ops=()))


def test_from_python(model, library, tmp_path):
    inputs = {"x": np.ones((3, 4), np.float32)}
    sites = fi.enumerate_sites(model, inputs=inputs, custom_ops=[Path(library)])
    assert {"a", "d"} <= {site.name for site in sites}
    campaign = fi.Campaign.create(
        tmp_path / "c",
        model=model,
        inputs=inputs,
        custom_ops=[library, library],
        sampler=fi.UniformSampler(n=3, seed=0),
    )
    campaign.run()
    assert len(list(campaign.rows())) == 3
    fault = fi.Fault(site="a", index=0, and_mask=2**32 - 1, xor_mask=8)
    scenario = fi.scenario([fault])
    faulty = fi.bake(model, scenario, inputs=inputs, custom_ops=library)
    assert b"NegPos" in faulty


def test_every_command_that_opens_sessions_takes_it(model, library, tmp_path):
    def onnxfi(*arguments):
        given = [*arguments, "--inputs", "random:4:0", "--custom-ops", library]
        result = CliRunner().invoke(cli, given, prog_name="onnxfi", catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    chosen = ("--targets", "activation")
    assert "MatMul" in onnxfi("inspect", model)
    assert "d" in onnxfi("sites", model, *chosen)
    listed = str(tmp_path / "f.jsonl")
    onnxfi("sample", model, *chosen, "-n", "2", "-o", listed)
    onnxfi("inject", model, listed, "--scenario", "1", "-o", str(tmp_path / "faulty.onnx"))
    onnxfi("sensitivity", model, *chosen, "--tier", "0")


def test_a_settings_file_names_it_beside_itself(model, library, tmp_path):
    shutil.copy(library, tmp_path / "ops.so")
    (tmp_path / "c.toml").write_text(
        f'model = "{model}"\ninputs = "random:4:0"\nn = 2\ncustom-ops = ["ops.so"]\n'
    )
    folder = str(tmp_path / "c")
    given = ["run", folder, "--config", str(tmp_path / "c.toml"), "--workers", "2"]
    result = CliRunner().invoke(cli, given, prog_name="onnxfi", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    campaign = open_campaign(Path(folder))
    assert campaign.settings.custom_ops == (str(tmp_path / "ops.so"),)
    assert campaign.done() == 2

"""The group: help, versions, errors, exit codes, the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import onnxfi
from onnxfi.cli import COMMANDS, ExitCode, guarded
from onnxfi.errors import ModelError

Run = Callable[..., Result]

HEAVY = ("numpy", "onnx", "onnxruntime", "scipy", "rich", "google.protobuf")


def test_the_help_lists_every_command(run_cli: Run) -> None:
    result = run_cli("--help")
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.stdout.split("Commands:")[1].splitlines() if line]
    assert tuple(listed) == COMMANDS
    assert "onnxfi run runs/first --model model.onnx" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(run_cli: Run, name: str) -> None:
    result = run_cli(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: onnxfi {name} ")
    for shared in ("--verbose", "--quiet", "--debug"):
        assert shared in result.stdout


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom onnxfi.cli import main\nsys.argv[1:] = sys.argv[1:]\n"
        "try:\n    main()\nexcept SystemExit as done:\n    code = done.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "[] 0"


def test_version(run_cli: Run) -> None:
    assert run_cli("--version").stdout == f"onnxfi {onnxfi.__version__}\n"


def test_an_unknown_command_is_wrong_usage_with_a_hint(run_cli: Run) -> None:
    result = run_cli("inspekt")
    assert result.exit_code == ExitCode.USAGE
    assert "Did you mean 'inspect'?" in result.stderr
    assert result.stdout == ""


def test_an_error_is_one_line_on_stderr(run_cli: Run) -> None:
    result = run_cli("inspect", "missing.onnx")
    assert result.exit_code == ExitCode.ERROR
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "missing.onnx" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("place", [0, 2])
def test_debug_adds_the_traceback_wherever_it_stands(run_cli: Run, place: int) -> None:
    words = ["inspect", "missing.onnx"]
    words.insert(place, "--debug")
    result = run_cli(*words)
    assert result.exit_code == ExitCode.ERROR
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_options_come_from_the_environment(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    monkeypatch.setenv("ONNXFI_SITES_TARGETS", "bias")
    monkeypatch.setenv("ONNXFI_SITES_JSON", "1")
    by_name = run_cli("sites", model)
    assert by_name.exit_code == 0
    assert "hidden.bias" in by_name.stdout
    assert "hidden.weight" not in by_name.stdout


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ModelError("two\nlines"), ExitCode.ERROR, "error: two lines\n"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted\n"),
        (OSError(28, "No space left on device", "out"), ExitCode.ERROR, "error: 'out': No space"),
        (MemoryError(), ExitCode.ERROR, "error: out of memory"),
        (BrokenPipeError(), ExitCode.BROKEN_PIPE, ""),
        (ZeroDivisionError("x"), ExitCode.ERROR, "error: internal error, ZeroDivisionError: x (--"),
    ],
)
def test_every_exception_has_its_exit_code(error: BaseException, code: ExitCode, said: str) -> None:
    @click.command()
    def fail() -> None:
        with guarded(click.get_current_context()):
            raise error

    result = CliRunner().invoke(fail)
    assert result.exit_code == code
    assert result.stderr.startswith(said)
    assert "Traceback" not in result.stderr
    assert said or result.stderr == ""


def test_a_closed_pipe_is_no_error(
    start_cli: Callable[..., subprocess.Popen[str]], model: Path
) -> None:
    process = start_cli("sample", model, "-n", "1000", "--faults-per-scenario", "40", "-o", "-")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == ExitCode.BROKEN_PIPE
    assert stderr == ""


def test_variables_are_named_like_the_flags(
    run_cli: Run, model: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"SCENARIOS": "7", "FAULT_MODEL": "stuck1", "OP_TYPE": "MatMul", "JSON": "1"}
    for name, value in chosen.items():
        monkeypatch.setenv(f"ONNXFI_RUN_{name}", value)
    result = run_cli("run", "c", "--model", model, "--inputs", samples)
    report = json.loads(result.stdout)["report"]
    assert report["scenarios"]["total"] == 7
    assert report["fault_models"] == ["stuck1"]
    assert report["sites"] == 2


def test_exit_codes_are_those_that_scripts_know() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "ERROR": 1,
        "USAGE": 2,
        "STOPPED": 3,
        "GATE": 4,
        "DIFFERENT": 5,
        "INTERRUPTED": 130,
        "BROKEN_PIPE": 141,
        "TERMINATED": 143,
    }

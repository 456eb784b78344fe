"""The command line from outside: in this process, and as installed in one of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from onnxfi.cli import cli as command

ROOT = Path(__file__).resolve().parents[2]
#: Samples of the zoo's thousand that commands of the documentation are run on here.
FEW = 60

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run ``onnxfi ARGUMENTS...`` as a process would; the environment chooses no options.

    In this process: a start takes longer than most of what is run. That the installed command
    does the same is shown by what starts it.
    """
    for name in [name for name in os.environ if name.startswith("ONNXFI_")]:
        monkeypatch.delenv(name)

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        with contextlib.chdir(cwd or Path.cwd()):
            done = CliRunner().invoke(command, words, prog_name="onnxfi")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def installed() -> Cli:
    """The same by the installed command, in a process of its own."""
    path = str(Path(sys.executable).parent / "onnxfi")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ONNXFI_")}

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [path, *map(str, arguments)],
            cwd=cwd,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def few_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``models/`` with the first samples of each workload: a command costs less."""
    folder = tmp_path_factory.mktemp("zoo") / "models"
    folder.mkdir()
    for path in (ROOT / "models").iterdir():
        if path.suffix == ".npz":
            with np.load(path) as whole:
                np.savez(folder / path.name, **{name: whole[name][:FEW] for name in whole.files})
        else:
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def clone(tmp_path: Path, few_samples: Path) -> Path:
    """A folder that looks like the project's root to the commands, and may be written to."""
    (tmp_path / "models").symlink_to(few_samples)
    (tmp_path / "runs").mkdir()
    return tmp_path

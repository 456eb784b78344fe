"""The table of heavy steps. To add one, add a row; it runs in `.ci/run --full`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One heavy check.

    Attributes:
        name: Short and unique, for `--only` and the record.
        title: What it shows, for people.
        command: Arguments of Python, run in the project's root. Exit code 0 means that it held;
            what it prints (Markdown) goes into the record, so it should be short.
        packages: What the step needs beside onnxfi, as pip takes it. With any, the step runs in a
            virtual environment of its own that has onnxfi and these; without, in the one that the
            tool was started with.
        plain: What it prints is plain text and no Markdown.
    """

    name: str
    title: str
    command: tuple[str, ...]
    packages: tuple[str, ...] = ()
    plain: bool = False


def _section(name: str, heading: str) -> Step:
    """The commands of a section of docs/toolchains.md, which makes its own environment."""
    return Step(
        name=name,
        title=f"`docs/toolchains.md`, section {heading}",
        command=("tools/run_section.py", "docs/toolchains.md", heading),
    )


STEPS = (
    _section("text", "ONNX as text"),
    _section("pytorch", "PyTorch"),
    _section("keras", "TensorFlow and Keras"),
    _section("sklearn", "scikit-learn"),
    _section("elsewhere", "To other runtimes"),
    Step(
        name="reference",
        title="Baked models in `onnx.reference` decide as in onnxruntime, or say why not",
        command=("tools/other_runtimes.py", "reference", "--scenarios", "10", "--images", "10"),
    ),
    Step(
        name="openvino",
        title="Baked models in OpenVINO decide as in onnxruntime, or say why not",
        command=("tools/other_runtimes.py", "openvino", "--scenarios", "20", "--images", "20"),
        packages=("openvino==2026.4.1",),
    ),
    Step(
        name="operators",
        title="Every injectable tensor of onnx's operator cases can be instrumented",
        command=("tools/operator_cases.py",),
        plain=True,
    ),
    Step(
        name="large",
        title="A model with one tensor over 2 GiB is inspected, run, and written with a fault",
        command=("tools/large_tensor.py",),
    ),
    Step(
        name="cpus",
        title="What depends on the CPU holds on one without AVX-512 and on one without AVX",
        command=("tools/other_cpus.py",),
    ),
    Step(
        name="heavy",
        title="Tests marked `heavy`: more models, cases and rounds of tests that run anyway",
        command=("tools/check.py", "heavy"),
        plain=True,
    ),
)

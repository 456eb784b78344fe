"""Keyword arguments of the API; written by ``tools/make_settings.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Required, TypedDict

from onnxfi.faults import FaultModel
from onnxfi.outcome import Criterion, Metric
from onnxfi.sampling import Sampler
from onnxfi.settings import StopRule


class ReadingKeywords(TypedDict, total=False):
    """What a sample of the inputs is.

    Attributes:
        batch_axes: The samples are on this axis of this input or output. x=0:1: on axis 0 of the
            array and axis 1 of the model's input. Default: found by running the model on two and
            three samples.
        whole_inputs: This input gets the same array in every run.
        samples_are_runs: Arrays of --inputs have one axis more than the model's inputs: each entry
            of the first is what one run gets. Each test_data_set_N is one sample.
    """

    batch_axes: Mapping[str, int | str]
    whole_inputs: Sequence[str]
    samples_are_runs: bool


class SiteKeywords(ReadingKeywords, total=False):
    """Which sites.

    Attributes:
        targets: Kinds of site to fault, separated by commas: weight, bias, activation, input,
            scale, zero_point, constant, state, ... Default: weight.
        include: Only sites whose name matches.
        exclude: No sites whose name matches.
        op_types: Only sites of this operator, such as Conv.
        gates: Only these gates of recurrent operators, each a site of its own: i,o,f,c of an LSTM,
            z,r,h of a GRU.
        steps: Only these time steps of an unrolled network, or iterations of a loop: 3, 2-5 or
            0,4-6, counted from 0.
        parts: Only these parts of spiking neurons, separated by commas: synapse, current, membrane,
            threshold, decay, spike, reset.
        over_steps: Tie the chosen steps of each tensor: a fault is in the same element in all of
            them, as in a stuck neuron.
    """

    targets: Sequence[str]
    include: Sequence[str]
    exclude: Sequence[str]
    op_types: Sequence[str]
    gates: Sequence[str]
    steps: Sequence[int]
    parts: Sequence[str]
    over_steps: bool


class StudyKeywords(SiteKeywords, total=False):
    """Which faults, what a failure is, and how the model runs.

    Attributes:
        fault_model: flip, stuck0, stuck1, set:VALUE, set:random, burst:LENGTH and more, or
            graph:FILE.onnx[:whole][:NAME=NUMBER], a small model that computes faulty values. Where
            several are given, each scenario draws one. Default: flip.
        criterion: What a changed decision is: top1 (top1:AXIS where classes are not on the last
            axis), top5, label (right to wrong), threshold:VALUE (detectors) or tolerance:ABS[,REL].
            Default: top1 of the model's label, or of its only scores.
        criterion_output: The output that the criterion reads; needed where several qualify.
        drop: A scenario fails if the accuracy drops by this share or more (without labels: if this
            share of samples fails, or more). Default: 0.05.
        provider: cpu, cuda, or an onnxruntime execution provider. Default: cpu.
        optimization: onnxruntime's graph optimisation level. Default: all.
        graph: Whose tensors are faulted: the file's (stored), or those of the graph that
            onnxruntime makes of it on this machine: fused, folded, laid out anew (deployed, CPU
            only). Default: stored.
        batch_size: Samples in one run. Default: by the model.
        timeout_s: A run that takes longer counts as hung: seconds, or 90s, 5m, 1h. Default: by the
            model, at least 10s.
        state: A model that keeps state: feed this output back to this input in the next step. A
            sample is then a whole sequence. Arrays of --inputs are [samples, steps, ...], initial
            states [samples, ...], zero if not given; random:N:SEED:steps=T makes some.
        custom_ops: A shared library with operators that the model uses, as for onnxruntime's
            register_custom_ops_library. It is code that runs with your rights: name only what you
            trust.
    """

    fault_model: FaultModel | Sequence[FaultModel]
    criterion: str | Callable[..., Any] | Criterion
    criterion_output: str | None
    drop: float
    provider: str
    optimization: Literal["all", "extended", "basic", "disabled"]
    graph: Literal["stored", "deployed"]
    batch_size: int | None
    timeout_s: float | None
    state: Mapping[str, str]
    custom_ops: Sequence[str | PathLike[str]]


class CampaignKeywords(StudyKeywords, total=False):
    """What ``Campaign.create`` takes.

    Attributes:
        model: The model to study: an .onnx file, or a text form of ONNX.
        inputs: Samples to run: an .npz whose keys are the model's input names (optional key
            'labels'), an ONNX test_data_set_N folder or the folder of several, or
            random:N:SEED[:DIM=SIZE,...]. Faults in activations and inputs need it, since a file
            does not tell run-time shapes.
        sampler: Which scenarios are drawn, and how many: 1,000 uniform ones.
        faults: Run the scenarios of this fault list instead of drawing any.
        engine: How faults get into the model: written into a copy (bake), into the stored tensors
            of the optimised graph (lift), through extra inputs (ports), or into values that are
            computed once, and only what they reach is run (cut). Default: auto.
        block_size: Scenarios a block; estimates use finished blocks only. Default: by their number.
        monitors: Keep statistics of the computed values that match for every injection (min, max,
            mean, std, sum, zeros, non-finite, changed).
        spikes: Count the spikes of each layer of an unrolled spiking network in every injection.
        metrics: Measure this of every sample as well, such as relative-error; rows have its sum.
    """

    model: Required[Any]
    inputs: Required[str | PathLike[str] | Mapping[str, Any]]
    sampler: Sampler | None
    faults: str | PathLike[str] | None
    engine: str
    block_size: int | None
    monitors: Sequence[str]
    spikes: bool
    metrics: Sequence[str | Metric]


class SensitivityKeywords(StudyKeywords, total=False):
    """What ``measure_sensitivity`` takes besides model and inputs.

    Attributes:
        tier: 0: rules alone, one run over the calibration samples. 1: probes, too, which shift
            channels and see what is lost; slower, and needed for integer and spiking networks.
            Default: 1.
        samples: Calibrate on this many samples, the first ones of the inputs. Default: 64.
        max_channels: Probe at most this many channels of a value. Default: 16.
        max_element_channels: Probe at most this many channels of a value that is itself faulted.
            Default: 4.
        kept_bytes: Bytes of computed tensors that are kept at most. Default: 536870912.
        seed: Seed of all draws. Default: 0.
    """

    tier: int
    samples: int
    max_channels: int
    max_element_channels: int
    kept_bytes: int
    seed: int


class RunKeywords(TypedDict, total=False):
    """What ``Campaign.run`` takes besides the number of workers.

    Attributes:
        memory_limit: What each worker may keep in memory, such as 512MiB or 1GB; changes the speed,
            never a result. Default: a quarter of what is free, divided among the workers.
        max_injections: Stop after this many injections, with exit code 3.
        time_budget_s: Stop after this time, with exit code 3: seconds, or 90s, 15m, 2h.
        executor: Where workers run. In Python also a function that takes a number of workers and
            returns any concurrent.futures.Executor. Default: inline for one worker, else processes.
        stop: When enough is known, such as StopRule(margin=0.002).
    """

    memory_limit: int | str | None
    max_injections: int | None
    time_budget_s: float | None
    executor: str | Callable[[int], Any] | None
    stop: StopRule | None

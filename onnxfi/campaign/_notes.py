"""Notes of a summary: what a reader must know to trust its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from onnxfi.analysis import SEARCH, is_picked
from onnxfi.campaign._campaign import OpenCampaign
from onnxfi.campaign._document import Plan
from onnxfi.campaign._experiment import Experiment
from onnxfi.workload import Workload


class StoredRows(NamedTuple):
    """What a store holds.

    Attributes:
        done: Stored injections.
        used: Those that estimates rest on.
        attempts: Machinery failures that were retried.
        looks: Scenarios that stop rules have looked at results with.
    """

    done: int
    used: int
    attempts: int
    looks: Sequence[int]


def notes_of(campaign: OpenCampaign, experiment: Experiment, rows: StoredRows) -> tuple[str, ...]:
    """Notes on a campaign as it stands, a sentence each."""
    return (
        *_of_workload(campaign.plan, experiment.subject.workload),
        *_of_rows(campaign, experiment.header.design, rows),
        *_of_design(experiment, rows.looks),
    )


def accuracy_text(plan: Plan) -> str | None:
    """``fault-free accuracy 0.9010 (901 of 1,000 samples)``; None without labels."""
    if plan.golden_correct is None:
        return None
    share = plan.golden_correct / plan.samples
    return f"fault-free accuracy {share:.4f} ({plan.golden_correct:,} of {plan.samples:,} samples)"


def doubt(plan: Plan) -> str | None:
    """A warning where the fault-free answers are no better than one that is always the same."""
    if plan.golden_correct is None or plan.chance is None:
        return None
    if plan.golden_correct > round(plan.chance * plan.samples):
        return None
    return (
        f"the {accuracy_text(plan)} is no better than chance: the most frequent label alone gets "
        f"{plan.chance:.4f}; check that inputs are prepared as the model wants them, that labels "
        f"are its classes, and what a sample is ({plan.sample})"
    )


def _of_workload(plan: Plan, workload: Workload) -> Iterator[str]:
    if workload.labels is not None and plan.golden_correct is None:
        yield (
            f"the labels are not used: criterion {plan.criterion} can't compare output "
            f"'{plan.criterion_output}' with them, so a scenario fails by its share of failed "
            "samples"
        )
    warning = doubt(plan)
    if warning is not None:
        yield warning
    # Where a run holds one sample anyway, there is nothing to influence.
    if not (plan.rows_independent or workload.stacked or plan.fixed_batch == 1):
        what = "alone" if plan.batch_size == 1 else f"in runs of {plan.batch_size}"
        yield f"each sample runs {what}: {plan.batch_reason}"


def _of_design(experiment: Experiment, looks: Sequence[int]) -> Iterator[str]:
    picked = is_picked(experiment.header, experiment.source)
    if picked and experiment.header.design is None:
        yield (
            "the fault list was drawn by a sampler that is not known here, so that nobody can say"
            f" how likely its scenarios were: all shares are {SEARCH}"
        )
    elif picked:
        keyed = experiment.source.scenario(0).key is not None
        order = ", by falling score" if keyed else ""
        yield (
            f"a search for failures{order}: all shares are {SEARCH}; for rates use "
            "sampler importance with the same scores, stratified or uniform"
        )
    elif looks:
        yield (
            f"a stop rule looked at the results {len(looks)} times: the failure rate's interval is"
            " widened so that it holds whenever the rule stops; the others are for a number of"
            " scenarios that was fixed beforehand"
        )


def _of_rows(campaign: OpenCampaign, design: str | None, rows: StoredRows) -> Iterator[str]:
    if rows.used < rows.done:
        yield (
            f"{rows.done - rows.used} stored injections are not used yet: their blocks of "
            f"{campaign.plan.block_size} are unfinished, and which scenarios of a block finish "
            "first depends on their sites"
        )
    if campaign.settings.faults is not None and design is None:
        yield (
            "the scenarios come from a written list: intervals hold for the process that drew "
            "it only if it drew scenarios independently and equally likely"
        )
    if rows.attempts:
        yield (
            f"{rows.attempts} attempts failed outside the network and were repeated; they are not "
            "outcomes (table attempts of the result store)"
        )

"""``onnxfi run``: make the campaign if the folder is new, then do what is pending."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onnxfi.cli._config import config_option
from onnxfi.cli._exit import ExitCode
from onnxfi.cli._options import (
    common_options,
    fault_options,
    inputs_option,
    json_option,
    list_option,
    model_option,
    site_options,
    study_options,
    work_options,
)
from onnxfi.cli._samplers import sampler_options
from onnxfi.cli._settings import (
    SETTING_OPTIONS,
    changed_settings,
    describe_changes,
    new_settings,
)
from onnxfi.settings import RunOptions, StopRule, settings_of

if TYPE_CHECKING:
    from onnxfi.campaign import OpenCampaign, Plan, Progress, RunSummary, StopRequest
    from onnxfi.cli._progress import OnProgress

_LIMITS = {"max-injections": "--max-injections", "time-budget": "--time-budget"}

#: Stop rules that are the aim of a run, not a limit to it.
_CONTENT = {
    "margin": "the failure rate's interval is as narrow as --margin",
    "relative-margin": "the failure rate's interval is as narrow as --relative-margin",
    "find": "as many failing scenarios are found as --find asks for (`onnxfi export` lists them)",
}


@click.command(name="run", short_help="Make a campaign, or resume it, and run what is pending.")
@click.argument("folder", required=False, type=click.Path())
@model_option
@inputs_option
@list_option
@site_options
@fault_options
@sampler_options
@study_options
@work_options
@config_option
@json_option
@common_options
def command(folder: str | None, **options: Any) -> None:
    """Make the campaign if FOLDER is new, then run what is pending and report.

    Running the same line again resumes; with a folder that holds a campaign, its options may be
    left out. Without FOLDER, the campaign lives in runs/<model>-<id>. Ctrl-C stops in order and
    nothing is lost; a second Ctrl-C stops at once. Weights are faulted unless --targets says
    otherwise.
    """
    ctx = click.get_current_context()
    given = [name for name in SETTING_OPTIONS if _is_given(ctx, name)]
    campaign = _open(folder, options, given)
    resume = f"onnxfi run {shlex.quote(str(campaign.folder.path))}"
    summary, signal = _carry_out(campaign, options, resume)
    if signal is not None:
        click.echo(f"stopped; what was done is stored, `{resume}` goes on", err=True)
        ctx.exit(128 + signal)
    _report(campaign, summary, options)
    if summary.stopped in _CONTENT:
        click.echo(f"{_CONTENT[summary.stopped]}; `{resume}` goes on", err=True)
    elif summary.stopped is not None:
        limit = _LIMITS.get(summary.stopped, summary.stopped)
        click.echo(f"stopped by {limit}; `{resume}` goes on", err=True)
        ctx.exit(ExitCode.STOPPED)


def _is_given(ctx: click.Context, name: str) -> bool:
    from click.core import ParameterSource

    return ctx.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)


def _open(folder: str | None, options: Mapping[str, Any], given: Collection[str]) -> OpenCampaign:
    """The campaign in the folder, or a new one."""
    from onnxfi.campaign import open_campaign, resume_or_create
    from onnxfi.cli._output import note
    from onnxfi.errors import CampaignMismatchError

    path = None if folder is None else Path(folder)
    if path is None or not (path / "campaign.json").is_file():
        if path is not None and not given:
            return open_campaign(path)
        settings = new_settings(options, given)
        note(f"preparing {'a campaign' if path is None else path}: profile, fault-free run, plan")
        return resume_or_create(path, settings)
    found = open_campaign(path)
    wanted = changed_settings(found.settings, options, given)
    if wanted == found.settings:
        return found
    found.check_surroundings()
    try:
        return resume_or_create(path, wanted)
    except CampaignMismatchError as error:
        changes = describe_changes(found.settings, wanted)
        raise CampaignMismatchError(
            f"{path} holds another experiment ({changes}); name another folder, or resume this one "
            f"with `onnxfi run {shlex.quote(str(path))}`"
        ) from error


def _carry_out(
    campaign: OpenCampaign, options: Mapping[str, Any], resume: str
) -> tuple[RunSummary, int | None]:
    """Run what is pending; also the number of the signal that ended it."""
    from onnxfi.campaign import StopRequest, run_campaign, stop_on_signals
    from onnxfi.cli._output import detail, note
    from onnxfi.cli._progress import showing_progress
    from onnxfi.report import left_out_text

    done, plan, left_out = campaign.done(), campaign.plan, campaign.document.left_out
    if done < campaign.total:
        _tell_of_samples(plan)
        note(
            f"{campaign.folder.path}: {done:,} of {campaign.total:,} injections stored; engine "
            f"{plan.engine}: {plan.engine_reason}"
        )
        judged = f": {plan.criterion_reason}" if plan.criterion_reason else ""
        note(f"decision: {plan.criterion} of {plan.criterion_output}{judged}")
        detail(f"{len(plan.sites)} sites, batch {plan.batch_size}, blocks of {plan.block_size}")
        if left_out:
            note(f"left out: {left_out_text(left_out)}")
    stop = StopRequest()
    how = RunOptions(
        **{
            name: options[name]
            for name in settings_of(RunOptions, "work", "executor", "memory", "limits")
        },
        stop=StopRule(**{name: options[name] for name in settings_of(StopRule)}),
    )
    try:
        with stop_on_signals(stop), showing_progress(campaign.total, done) as show:
            summary = run_campaign(campaign, how, _telling_of_stop(show, stop), stop)
    except KeyboardInterrupt:
        click.echo(f"stopped at once; what was stored before stays, `{resume}` goes on", err=True)
        click.get_current_context().exit(128 + (stop.signal or 2))
    return summary, stop.signal if summary.stopped == "signal" else None


def _tell_of_samples(plan: Plan) -> None:
    """What a sample is and what the fault-free model makes of them, before the first injection."""
    from onnxfi.campaign import accuracy_text, doubt
    from onnxfi.cli._output import note

    note(f"a sample: {plan.sample}")
    note(f"{plan.samples:,} samples, {plan.batch_size} in a run: {plan.batch_reason}")
    accuracy, warning = accuracy_text(plan), doubt(plan)
    if accuracy is not None:
        note(accuracy)
    if warning is not None:
        click.echo(f"warning: {warning}", err=True)


def _telling_of_stop(show: OnProgress, stop: StopRequest) -> OnProgress:
    """Progress as before; says once that a request to stop was heard."""
    told = False

    def update(progress: Progress) -> None:
        nonlocal told
        if stop.requested and not told:
            told = True
            click.echo("stopping when running injections are done; again: at once", err=True)
        show(progress)

    return update


def _report(campaign: OpenCampaign, summary: RunSummary, options: Mapping[str, Any]) -> None:
    from onnxfi.campaign import summarize
    from onnxfi.cli._output import note, print_document, print_page
    from onnxfi.report import short_page, summary_document

    if summary.done_now == 0 and summary.stopped is None:
        note(f"nothing to do: {summary.total:,} of {summary.total:,} injections are stored")
    results = summarize(campaign, options["confidence"])
    if options["as_json"]:
        content = {
            "folder": str(campaign.folder.path),
            "total": summary.total,
            "done_before": summary.done_before,
            "done_now": summary.done_now,
            "stopped": summary.stopped,
        }
        print_document("run", {**content, "report": summary_document(results)})
    else:
        print_page(short_page(results))

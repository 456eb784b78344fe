"""Tensors that optimisation removes: looked for when a report asks, and then kept in the folder."""

from __future__ import annotations

import msgspec

from onnxfi.campaign._campaign import OpenCampaign
from onnxfi.campaign._document import RemovedEntry
from onnxfi.campaign._experiment import Experiment
from onnxfi.campaign._subject import Subject, engine_settings
from onnxfi.errors import CampaignMismatchError
from onnxfi.files import atomic_file
from onnxfi.settings import CampaignSettings


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds: whose tensors, and which are removed."""

    identity: str
    removed: tuple[RemovedEntry, ...]


def removed_from_file(subject: Subject) -> tuple[RemovedEntry, ...] | None:
    """Tensors of the file that the deployed graph has not; None where the stored one is faulted."""
    from onnxfi.engine import removed_tensors

    if subject.origin is None:
        return None
    found = removed_tensors(subject.origin, subject.model)
    return tuple(RemovedEntry(name=e.name, stored=e.stored, reason=e.reason) for e in found)


def removed_of(
    campaign: OpenCampaign, experiment: Experiment, *, look: bool
) -> tuple[RemovedEntry, ...] | None:
    """Sites of a campaign that would not exist if they were not faulted.

    To find them takes runs of the model, so it is done once, when somebody asks.

    Args:
        campaign: The campaign.
        experiment: Its sites.
        look: Whether to look for them if nobody has yet.

    Returns:
        None if nobody has looked, or this machine's onnxruntime is not the campaign's.
    """
    if campaign.document.removed is not None:
        return campaign.document.removed
    path = campaign.folder.removed
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        kept = None
    if kept is not None and kept.identity == campaign.document.identity:
        return kept.removed
    if not look:
        return None
    try:
        campaign.check_surroundings()
    except CampaignMismatchError:
        return None
    found = _removed_sites(experiment, campaign.settings)
    try:
        with atomic_file(path) as file:
            file.write(
                msgspec.json.encode(_Kept(identity=campaign.document.identity, removed=found))
            )
    except OSError:
        pass  # a folder that can only be read; it is found again the next time
    return found


def _removed_sites(experiment: Experiment, settings: CampaignSettings) -> tuple[RemovedEntry, ...]:
    from onnxfi.engine import removed_values

    subject = experiment.subject
    sites = (site for site in experiment.sites.values() if not (site.kind.stored or site.body))
    names = tuple(dict.fromkeys(site.tensor for site in sites))
    how = engine_settings(settings, subject.workload.stream)
    found = removed_values(subject.model, names, how)
    return tuple(RemovedEntry(name=e.name, stored=e.stored, reason=e.reason) for e in found)

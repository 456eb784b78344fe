"""``campaign.json``: settings, identity, plan and surroundings of a campaign, and its reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from onnxfi.campaign._folder import CampaignFolder
from onnxfi.errors import CampaignError
from onnxfi.faults import LeftOutGroup
from onnxfi.settings import CampaignSettings

FORMAT = "onnxfi/campaign/2"


class LayoutEntry(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Layout of a run-time value: shape of a sample's part, batch axis (None: per run), steps."""

    shape: tuple[int, ...]
    batch_axis: int | None
    steps: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was fixed before the first injection; it decides results and is part of the identity.

    Attributes:
        engine: The engine that runs the scenarios.
        engine_reason: Why that one.
        batch_size: Samples a run.
        block_size: Scenarios a block.
        scenarios: Scenarios of the campaign.
        samples: Samples of the workload.
        sample: What one of them is, in one line.
        reading: How the array of each input is taken apart into samples.
        batch_reason: Why the batch size is what it is.
        sites: Names of the sites that the campaign may fault, in fault-space order.
        layouts: Layouts of the computed sites and the monitored values, from the profile.
        outputs: Layouts of the outputs, likewise.
        rows_independent: Whether samples of a batch were shown not to influence each other.
        fixed_batch: The batch size that the model insists on, else None.
        freed_batch: The batch that the file fixes and the model that is run does not, else None.
        criterion: The criterion in use.
        criterion_output: The output that it reads.
        criterion_reason: What of that output is judged, in words.
        timeout_s: Seconds after which a run counts as hung.
        optimization: onnxruntime's graph optimisation level.
        provider: onnxruntime's execution provider.
        space_size: Single-fault scenarios in the fault space; None for a hand-made fault list.
        space_bits: Stored bits of the sites; None likewise.
        population: Scenarios that exist, where those of the campaign are a simple random sample
            of them without replacement; else None.
        graph: Which tensors are faulted: those of the file (``stored``), or those of the graph that
            onnxruntime makes of it (``deployed``).
        graph_sha256: Fingerprint of the deployed graph; None for the stored one, which is the file.
        golden_correct: Fault-free samples with the right label; None without labels.
        chance: Share of the samples with the most frequent label, which an answer that is always
            the same gets right; None without labels or where all are the same.
        monitors: Names of the values whose statistics are kept for every injection.
    """

    engine: str
    engine_reason: str
    batch_size: int
    block_size: int
    scenarios: int
    samples: int
    sample: str
    reading: dict[str, str]
    batch_reason: str
    sites: tuple[str, ...]
    layouts: dict[str, LayoutEntry]
    outputs: dict[str, LayoutEntry]
    rows_independent: bool
    fixed_batch: int | None
    criterion: str
    criterion_output: str
    timeout_s: float | None
    optimization: str
    provider: str
    space_size: int | None
    space_bits: int | None
    population: int | None
    golden_correct: int | None
    chance: float | None
    criterion_reason: str = ""
    graph: str = "stored"
    graph_sha256: str | None = None
    freed_batch: int | None = None
    monitors: tuple[str, ...] = ()


class RemovedEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tensor of the file that onnxruntime's optimisation removes, for people.

    Attributes:
        name: Its name in the file.
        stored: Whether it is stored; else computed.
        reason: What became of it.
    """

    name: str
    stored: bool
    reason: str


class CampaignDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything in ``campaign.json``.

    Attributes:
        format: Name and version of this file's format.
        identity: Hash over ``identity_parts``.
        identity_parts: What decides a result, by name.
        settings: What the user chose, defaults written out.
        plan: What was fixed before the first injection.
        model_name: The model's file name, for people.
        created_at: UTC time, ISO 8601.
        software: Versions in use when it was made.
        hardware: The machine it was made on, for people; only its instruction set is identity.
        removed: Tensors of the file that the deployed graph has not; None where the stored graph
            is faulted: then a report looks for sites that optimisation removes. (In campaigns made
            before, they are here.)
        left_out: What the settings choose and is no site, by reason.
    """

    format: str
    identity: str
    identity_parts: dict[str, Any]
    settings: CampaignSettings
    plan: Plan
    model_name: str
    created_at: str
    software: dict[str, str]
    hardware: dict[str, Any]
    removed: tuple[RemovedEntry, ...] | None = None
    left_out: tuple[LeftOutGroup, ...] = ()


def encode_document(document: CampaignDocument) -> bytes:
    """The document as indented JSON."""
    values = msgspec.to_builtins(document)
    if not document.settings.metrics:
        # Left out, so that the file of a campaign without metrics is what it always was.
        del values["settings"]["metrics"]
    return msgspec.json.format(msgspec.json.encode(values), indent=2) + b"\n"


def read_document(folder: CampaignFolder) -> CampaignDocument:
    """Read a campaign's document.

    Raises:
        CampaignError: The folder holds no campaign, or one of a format this version can't read.
    """
    if not folder.holds_campaign():
        raise CampaignError(
            f"{folder.path} holds no campaign (no campaign.json); make one with "
            f"`{folder.resume} --model MODEL --inputs INPUTS`"
        )
    data = folder.document.read_bytes()
    try:
        found = msgspec.json.decode(data, type=dict[str, Any]).get("format")
        if found != FORMAT:
            raise CampaignError(
                f"{folder.document} has format {found!r}, this onnxfi reads {FORMAT!r}; "
                "use the onnxfi that made it"
            )
        return msgspec.json.decode(data, type=CampaignDocument)
    except msgspec.DecodeError as error:
        raise CampaignError(
            f"{folder.document} is damaged ({error}); restore it from a copy"
        ) from error


def identity_of(parts: Mapping[str, Any]) -> str:
    """Hex sha256 of the canonical JSON of the parts: equal identity, same experiment."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """What differs between two sets of parts, as ``name: stored -> given`` in name order."""
    found: list[str] = []
    for name in sorted(set(stored) | set(given)):
        before, after = stored.get(name), given.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += [f"{name}.{part}" for part in differences(before, after)]
        elif before != after:
            found.append(f"{name}: {_short(before)} -> {_short(after)}")
    return found


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def surroundings() -> dict[str, str]:
    """What of the software and the machine decides results, by what people call it."""
    from onnxfi.engine import instruction_set, int8_arithmetic, runtime_version

    return {
        "onnxruntime": runtime_version(),
        "instruction set": instruction_set(),
        "int8 arithmetic": int8_arithmetic(),
    }

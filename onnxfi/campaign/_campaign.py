"""An opened campaign: its folder, its document, and the objects made from them when needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnxfi.campaign._blocks import finished_prefix
from onnxfi.campaign._document import (
    CampaignDocument,
    Plan,
    file_sha256,
    identity_of,
    read_document,
    surroundings,
)
from onnxfi.campaign._experiment import CustomParts, Experiment, restore_experiment
from onnxfi.campaign._folder import CampaignFolder
from onnxfi.campaign._store import ResultStore
from onnxfi.campaign._subject import choose_graph, load_subject
from onnxfi.errors import CampaignError, CampaignMismatchError, ConfigError
from onnxfi.outcome import (
    COUNT_COLUMNS,
    RECORD_COLUMNS,
    Criterion,
    InjectionRecord,
    parse_criterion,
)
from onnxfi.settings import CampaignSettings


@dataclass(slots=True)
class _Kept:
    """The experiment as it was last read, and what its files were like then."""

    experiment: Experiment | None = None
    touched: tuple[object, ...] = ()


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None  # no file: ``random:64:1``
    return found.st_mtime_ns, found.st_size, found.st_ino


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCampaign:
    """A campaign in its folder; cheap to make, the model is loaded only when it is needed."""

    folder: CampaignFolder
    document: CampaignDocument
    custom: CustomParts = field(default_factory=CustomParts)
    _kept: _Kept = field(default_factory=lambda: _Kept(), compare=False, repr=False)

    @property
    def settings(self) -> CampaignSettings:
        """What the user chose."""
        return self.document.settings

    @property
    def plan(self) -> Plan:
        """What was fixed before the first injection."""
        return self.document.plan

    @property
    def total(self) -> int:
        """Scenarios of the campaign."""
        return self.document.plan.scenarios

    def open_store(self) -> ResultStore:
        """The result store."""
        return ResultStore(self.folder.results, self.document.identity)

    def done(self) -> int:
        """Scenarios that are stored."""
        with self.open_store() as store:
            return store.progress().done

    def used(self) -> int:
        """Scenarios of the longest run of finished blocks, the basis of estimates."""
        with self.open_store() as store:
            return self.used_in(store)

    def used_in(self, store: ResultStore) -> int:
        """The same, of its store that is open already."""
        return finished_prefix(store.progress().prefix, self.plan.block_size, self.total)

    def records(self, below: int | None = None) -> tuple[InjectionRecord, ...]:
        """Stored records in scenario order."""
        with self.open_store() as store:
            return tuple(store.records(below))

    def experiment(self) -> Experiment:
        """Model, workload, sites and scenarios, as they were when the campaign was made.

        They are read again if a file has been touched since.

        Raises:
            CampaignError: The model or the workload is not there any more.
            CampaignMismatchError: The model or the workload has changed since, or onnxruntime
                makes another graph of the model here.
        """
        self._check_files()
        self._check_libraries()
        kept = self._kept.experiment
        if kept is None or self._kept.touched != self._touched(kept):
            kept = self._read()
            self._kept.experiment, self._kept.touched = kept, self._touched(kept)
        return kept

    def _touched(self, experiment: Experiment) -> tuple[object, ...]:
        """What changes when somebody writes to a file that an experiment was read from."""
        path, settings = self.folder.path, self.settings
        file = path / settings.model
        model = experiment.subject.origin or experiment.subject.model
        beside = (file.parent / name for name in model.data_files)
        inputs = path / settings.inputs
        given = inputs.rglob("*") if inputs.is_dir() else [inputs]
        return tuple(_stamp(each) for each in (self.folder.faults, file, *beside, *given))

    def _read(self) -> Experiment:
        subject = load_subject(self.settings, self.folder.path, self.plan)
        parts = self.document.identity_parts
        for name, path, now in (
            ("model", self.settings.model, subject.model.sha256),
            ("inputs", self.settings.inputs, subject.workload.sha256),
        ):
            if now != parts[name]:
                raise CampaignMismatchError(
                    f"{path} has changed since {self.folder.path} was made (sha256 "
                    f"{parts[name][:12]} then, {now[:12]} now); restore the file, say where it is "
                    f"with `{self.folder.resume} --{name} PATH`, or make a new campaign"
                )
        subject = choose_graph(subject, self.settings)
        here, then = subject.graph_sha256, self.plan.graph_sha256
        if here != then:
            raise CampaignMismatchError(
                f"onnxruntime makes another graph of {self.settings.model} here than where "
                f"{self.folder.path} was made (sha256 {str(then)[:12]} there, {str(here)[:12]} "
                "here), so the deployed tensors are not the same; run it there, or make a new "
                "campaign"
            )
        return restore_experiment(
            self.settings, self.custom, subject, self.plan, self.folder.faults
        )

    def criterion(self) -> Criterion:
        """What a changed decision is.

        Raises:
            ConfigError: It is a function of the user's that was not given again.
        """
        if self.custom.criterion is not None:
            return self.custom.criterion
        try:
            return parse_criterion(self.plan.criterion)
        except ConfigError as error:
            raise ConfigError(
                f"{self.folder.path} is judged by {self.plan.criterion}, which no file can hold; "
                "go on from Python, with the Campaign.create(...) that made it"
            ) from error

    def _check_files(self) -> None:
        for name in ("model", "inputs"):
            path = self.folder.path / getattr(self.settings, name)
            if not getattr(self.settings, name).startswith("random:") and not path.exists():
                raise CampaignError(
                    f"{path}, the {name} of {self.folder.path}, is not there any more; put it "
                    f"back, or say where it is with `{self.folder.resume} --{name} PATH`"
                )

    def _check_libraries(self) -> None:
        """Refuse operator libraries that are not those of the campaign, before one is loaded."""
        then = self.document.identity_parts.get("custom_ops", ())
        for path, before in zip(self.settings.custom_ops, then, strict=True):
            if not Path(path).is_file():
                raise CampaignError(
                    f"{path}, an operator library of {self.folder.path}, is not there any more; put"
                    f" it back, or say where it is with `{self.folder.resume} --custom-ops PATH`"
                )
            now = file_sha256(Path(path))
            if now != before:
                raise CampaignMismatchError(
                    f"operator library {path} has changed since {self.folder.path} was made (sha256"
                    f" {before[:12]} then, {now[:12]} now) and was not loaded; restore the file, or"
                    " make a new campaign"
                )

    def check_surroundings(self) -> None:
        """Refuse a runtime or a machine on which rows could come out differently.

        Raises:
            CampaignMismatchError: The onnxruntime version, the instruction set, or what kernels
                make of 8-bit products, is another one.
        """
        parts = self.document.identity_parts
        other = [
            f"{name} {parts.get(name, 'unknown')} (here it is {now})"
            for name, now in surroundings().items()
            if parts.get(name) != now
        ]
        if other:
            raise CampaignMismatchError(
                f"{self.folder.path} was made with {' and '.join(other)}; rows would not be "
                "comparable: run it there, or make a new campaign"
            )


def open_campaign(path: Path, custom: CustomParts | None = None) -> OpenCampaign:
    """Open the campaign in a folder.

    Raises:
        CampaignError: There is none, or its document can't be read.
    """
    folder = CampaignFolder(path)
    document = read_document(folder)
    if identity_of(document.identity_parts) != document.identity:
        raise CampaignMismatchError(
            f"{folder.document} was edited: its identity does not match its settings; restore it"
        )
    return OpenCampaign(folder=folder, document=document, custom=custom or CustomParts())


def export_rows(campaign: OpenCampaign) -> Iterator[dict[str, Any]]:
    """Stored results as flat dictionaries, in scenario order.

    Raises:
        StoreError: The result store can't be read; raised here, not at the first row.
    """
    records = campaign.records()
    return (
        {
            name: getattr(record.counts if name in COUNT_COLUMNS else record, name)
            for name in RECORD_COLUMNS
        }
        for record in records
    )

"""The campaign folder: names of its files, atomic writing, and the lock of the running process."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onnxfi.errors import CampaignExistsError, CampaignLockedError


@dataclass(frozen=True, slots=True)
class CampaignFolder:
    """Paths inside a campaign folder (see ``docs/files.md``)."""

    path: Path

    @property
    def document(self) -> Path:
        """Settings, hashes, plan, software and hardware."""
        return self.path / "campaign.json"

    @property
    def faults(self) -> Path:
        """The fault list, or its recipe."""
        return self.path / "faults.jsonl"

    @property
    def golden(self) -> Path:
        """Per-sample decisions and hashes of the fault-free run."""
        return self.path / "golden.npz"

    @property
    def results(self) -> Path:
        """The result store."""
        return self.path / "results.sqlite"

    @property
    def model(self) -> Path:
        """The model, when it was given in memory."""
        return self.path / "model.onnx"

    @property
    def inputs(self) -> Path:
        """The workload, when it was given in memory."""
        return self.path / "inputs.npz"

    @property
    def removed(self) -> Path:
        """Which tensors optimisation removes, once a report has asked."""
        return self.path / "removed.json"

    @property
    def lock(self) -> Path:
        """Held by the process that runs the campaign."""
        return self.path / "campaign.lock"

    @property
    def resume(self) -> str:
        """The command that goes on with the campaign, ready to be pasted into a shell."""
        return f"onnxfi run {shlex.quote(str(self.path))}"

    def holds_campaign(self) -> bool:
        """True if a campaign was made here."""
        return self.document.is_file()


@contextlib.contextmanager
def staged_folder(parent: Path) -> Iterator[CampaignFolder]:
    """A folder to fill beside its later place; it is gone afterwards, unless it was put there."""
    parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=parent, prefix=".onnxfi-new-"))
    try:
        staging.chmod(0o755)
        yield CampaignFolder(staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def refuse_foreign(target: Path) -> None:
    """Refuse a place that holds something which is not a campaign.

    Raises:
        CampaignExistsError: It does.
    """
    if target.is_dir() and CampaignFolder(target).holds_campaign():
        return
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CampaignExistsError(
            f"{target} holds files that are not a campaign; name a new or an empty folder"
        )


def put_in_place(staged: CampaignFolder, target: Path) -> CampaignFolder:
    """Move a filled folder to its place in one step."""
    # Renaming over an existing empty folder is atomic on POSIX and refused on Windows.
    if target.exists() and sys.platform == "win32":
        target.rmdir()
    staged.path.rename(target)
    return CampaignFolder(target)


@contextlib.contextmanager
def running(folder: CampaignFolder) -> Iterator[None]:
    """Hold the campaign's lock; the operating system frees it even after ``kill -9``.

    Raises:
        CampaignLockedError: Another process holds it.
    """
    with folder.lock.open("a+b") as file:
        if not _try_lock(file.fileno()):
            raise CampaignLockedError(
                f"{folder.path} is being run by another process; wait for it, or stop it"
            )
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

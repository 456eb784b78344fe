"""Records of a fault list file: the JSON of its header and of one scenario a line."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

SCHEMA = "onnxfi/faults/1"

HexColumn: TypeAlias = str | list[str]
IntColumn: TypeAlias = int | list[int]
ValueColumn: TypeAlias = int | float | str | list[int | float | str]


class FaultListHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First line of a fault list file.

    Attributes:
        schema: ``"onnxfi/faults/1"``.
        model_sha256: Hash of the model that the list is for; None in a list written by hand, which
            is then taken for any model it fits.
        graph: Which graph the sites are of: ``stored``, the model's file, or ``deployed``, what
            onnxruntime makes of it. Left out where it is ``stored``.
        graph_sha256: Fingerprint of the deployed graph, which differs between machines; None in a
            list written by hand, and for the stored graph.
        space: What :meth:`FaultSpace.describe` says; None if the list was not sampled.
        sampler: Recipe of the sampler; with it the scenario lines may be left out.
        seed: Seed of the sampler.
        design: Sampling design, such as ``"priority"``.
        next_key: Priority of the first scenario that is not in the list.
        strata: Faults that there are in each stratum of a stratified sample that is written out, in
            the order in which scenarios were allotted; else None.
        fault_graphs: Small ONNX models that are faults, by sha256 (as base64 in the file); left out
            where there are none.
    """

    schema: str = SCHEMA
    model_sha256: str | None = None
    graph: Literal["stored", "deployed"] = "stored"
    graph_sha256: str | None = None
    space: dict[str, Any] | None = None
    sampler: dict[str, Any] | None = None
    seed: int | None = None
    design: str | None = None
    next_key: float | None = None
    strata: dict[str, int] | None = None
    fault_graphs: dict[str, bytes] | None = None


class FaultEntry(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Faults at one site, in columns; a scalar holds for all rows.

    What happens is told by masks (hexadecimal ``xor``, ``and``) or by one of the forms for
    writing by hand: ``flip``, ``stuck0``, ``stuck1`` (bit numbers), ``set`` (numbers, or the texts
    ``"nan"``, ``"inf"``, ``"-inf"``). ``step`` binds faults in a repeated tensor to one iteration
    or time step, as the site's name with ``@STEP`` does; -1 stands for every step. In place of
    all this, ``fault_graph`` names a model of the header by its sha256, and ``whole`` says that it
    acts on the whole tensor.
    """

    site: str
    index: IntColumn
    and_: HexColumn | None = msgspec.field(default=None, name="and")
    xor: HexColumn | None = None
    flip: IntColumn | None = None
    stuck0: IntColumn | None = None
    stuck1: IntColumn | None = None
    set_: ValueColumn | None = msgspec.field(default=None, name="set")
    sample: IntColumn | None = None
    step: IntColumn | None = None
    fault_graph: str | None = None
    whole: bool = False


class ScenarioLine(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One scenario."""

    scenario: int
    weight: float | None = None
    key: float | None = None
    faults: list[FaultEntry]

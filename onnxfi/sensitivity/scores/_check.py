"""Whether a sensitivity is one of the faults that it is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite
from onnxfi.sensitivity.scores._computed import ComputedScores
from onnxfi.sensitivity.scores._pack import SiteScores
from onnxfi.sensitivity.scores._sensitivity import Sensitivity
from onnxfi.sensitivity.scores._stored import StoredScores


def check_subject(
    found: Sensitivity, model_sha256: str, graph_sha256: str | None, sites: Sequence[FaultSite]
) -> None:
    """Refuse scores of another model, or that lack a site.

    Args:
        found: The scores, and what they are of.
        model_sha256: The model that is faulted.
        graph_sha256: Fingerprint of its deployed graph, where that is faulted; else None.
        sites: The sites that are faulted.

    Raises:
        ConfigError: The model, the graph, the sites or their shapes differ.
    """
    if found.model_sha256 != model_sha256:
        raise ConfigError(
            f"the scores are of another model (sha256 {found.model_sha256[:12]}…, here "
            f"{model_sha256[:12]}…); measure this one with `onnxfi sensitivity`"
        )
    if found.graph_sha256 != graph_sha256:
        raise ConfigError(
            f"the scores are of {_graph(found.graph_sha256)}, and faults are put into "
            f"{_graph(graph_sha256)}; measure again with the same --graph"
        )
    missing = [site.name for site in sites if site.name not in found.scores.sites]
    if missing:
        raise ConfigError(
            f"the scores lack site {missing[0]!r} ({len(missing)} of {len(sites)} chosen sites are "
            f"missing); measure with the same sites chosen, or "
            "choose others"
        )
    for site in sites:
        measured = _elements(found.scores.sites[site.name])
        here = None if site.layout is None else site.layout.elements
        if measured is not None and measured != here:
            raise ConfigError(
                f"the scores of site {site.name!r} are of {measured} elements, here it has {here}; "
                "measure on inputs of the same shape"
            )


def _graph(sha256: str | None) -> str:
    return "the tensors of the file" if sha256 is None else f"a deployed graph ({sha256[:12]}…)"


def _elements(scores: SiteScores) -> int | None:
    """Elements of the tensor that was measured; None where that doesn't matter."""
    if isinstance(scores, StoredScores):
        return len(scores.words)
    return scores.words.shape[1] if isinstance(scores, ComputedScores) else None

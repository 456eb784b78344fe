"""Sensitivities by gradient, computed with torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from evaluation.flips import changes, words_of
from evaluation.torchgraph import Network
from onnxfi.errors import ConfigError
from onnxfi.faults import FaultSite

STEPS = 50
"""Steps of layer conductance along the way from zero to a sample."""

Found = dict[str, NDArray[np.float64]]
Images = NDArray[np.float32]
Labels = NDArray[np.int64]


def output_sensitivity(network: Network, sites: Sequence[FaultSite], images: Images) -> Found:
    """The sum over all samples and classes of the derivative of the output in each weight.

    Its code sums one backward pass for each sample and class. A derivative is linear, so that one
    pass for the sum of them gives the same.
    """
    weights = network.follow([site.name for site in sites])
    total = network.run(torch.from_numpy(images))[network.output].sum()
    return _named(sites, _derivatives(total, weights))


def loss_sensitivity(
    network: Network, sites: Sequence[FaultSite], images: Images, labels: Labels
) -> tuple[Found, Found]:
    """The derivative of the mean cross entropy in each weight, and its mean size over samples."""
    weights = network.follow([site.name for site in sites])
    signed = [torch.zeros_like(weight) for weight in weights]
    size = [torch.zeros_like(weight) for weight in weights]
    for image, label in zip(images, labels, strict=True):
        output = network.run(torch.from_numpy(image[None]))[network.output]
        loss = functional.cross_entropy(output, torch.from_numpy(label[None]))
        for place, slope in enumerate(_derivatives(loss, weights)):
            signed[place] += slope / len(images)
            size[place] += slope.abs() / len(images)
    return _named(sites, signed), _named(sites, size)


def conductance(
    network: Network, sites: Sequence[FaultSite], images: Images, labels: Labels
) -> Found:
    """Layer conductance of the true class, its mean over samples.

    The sum over steps of (dF/dh) times the change of h to the next point, on the straight way from
    zero to the sample, points by Gauss and Legendre: one more than there are steps, as Captum
    takes them. (Dhamdhere, Sundararajan and Yan, arXiv 1805.12233.)
    """
    nodes, _ = np.polynomial.legendre.leggauss(STEPS + 1)
    points = torch.from_numpy((1 + nodes) / 2).float()
    total = {site.name: np.zeros(_shape(site)) for site in sites}
    for image, label in zip(images, labels, strict=True):
        along = points.reshape(-1, *[1] * image.ndim) * torch.from_numpy(image)
        values = network.run(along.requires_grad_())
        score = values[network.output][:, label].sum()
        for site, value, slope in _slopes(values, sites, score, len(points)):
            steps = np.diff(value, axis=0) * slope[:-1]
            total[site.name] += steps.sum(axis=0) / len(images)
    return {name: array.reshape(-1) for name, array in total.items()}


def flip_sensitivity(
    network: Network, sites: Sequence[FaultSite], images: Images, labels: Labels
) -> Found:
    """The mean over samples of |dL/dh x change of h| for each bit of each computed element."""
    total: Found = {}
    for image, label in zip(images, labels, strict=True):
        values = network.run(torch.from_numpy(image[None]).requires_grad_())
        loss = functional.cross_entropy(values[network.output], torch.from_numpy(label[None]))
        for site, value, slope in _slopes(values, sites, loss, 1):
            moved = np.abs(changes(words_of(value.reshape(-1), site.element), site.element))
            found = moved * np.abs(slope.reshape(-1, 1).astype(np.float64)) / len(images)
            total[site.name] = total.get(site.name, 0) + found
    return total


def _derivatives(score: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Derivatives in tensors; 0 in those that nothing on the way to the score reads."""
    found = torch.autograd.grad(score, tensors, allow_unused=True)
    pairs = zip(found, tensors, strict=True)
    return [torch.zeros_like(tensor) if slope is None else slope for slope, tensor in pairs]


def _slopes(
    values: dict[str, Tensor], sites: Sequence[FaultSite], score: Tensor, samples: int
) -> Iterator[tuple[FaultSite, NDArray[np.float32], NDArray[np.float32]]]:
    """Values of sites and derivatives in them, (samples, …) each."""
    missing = [site.name for site in sites if site.name not in values]
    if missing:
        raise ConfigError(f"no node of the file computes {missing[0]!r}, so it has no gradient")
    tensors = [values[site.name] for site in sites]
    for site, tensor, slope in zip(sites, tensors, _derivatives(score, tensors), strict=True):
        value = _by_sample(tensor.detach().numpy(), site, samples)
        yield site, value, _by_sample(slope.numpy(), site, samples)


def _by_sample(array: NDArray[np.float32], site: FaultSite, samples: int) -> NDArray[np.float32]:
    """The samples of a batch apart, along a new first axis."""
    layout = site.layout
    if layout is None or layout.batch_axis is None:
        raise ConfigError(
            f"site {site.name!r} has no part for each sample, so no gradient by sample"
        )
    axis, shape = layout.batch_axis, array.shape
    apart = array.reshape(*shape[:axis], samples, layout.rows, *shape[axis + 1 :])
    return np.moveaxis(apart, axis, 0)


def _shape(site: FaultSite) -> tuple[int, ...]:
    return () if site.layout is None else site.layout.shape


def _named(sites: Sequence[FaultSite], tensors: Sequence[Tensor]) -> Found:
    pairs = zip(sites, tensors, strict=True)
    return {site.name: tensor.reshape(-1).numpy().astype(np.float64) for site, tensor in pairs}

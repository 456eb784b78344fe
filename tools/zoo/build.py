"""Carries a recipe out: trains, exports, derives the variants, writes the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from torch import nn

from zoo.cnn import fold_batchnorm
from zoo.data import Dataset, Split
from zoo.errors import ZooError
from zoo.export import exported
from zoo.looped import looped
from zoo.prune import Pruning, pruned
from zoo.quantize import VARIANTS
from zoo.recipe import UNFOLDED, Recipe
from zoo.sparse import plain_zeros, sparse
from zoo.train import prepare_torch, trained


@dataclass(frozen=True)
class Folders:
    """Where downloads and trained weights are kept, and where the finished files go."""

    cache: Path
    out: Path


def build(recipes: Sequence[Recipe], only: str | None, folders: Folders) -> None:
    """Make every file of the recipes, or the network or single file named `only`."""
    wanted = _wanted(recipes, only)
    prepare_torch()
    for dataset in {recipe.dataset.name: recipe.dataset for recipe, _ in wanted}.values():
        _write_slice(dataset, folders)
    for recipe, stems in wanted:
        _make(recipe, stems, folders)


def _wanted(recipes: Sequence[Recipe], only: str | None) -> list[tuple[Recipe, list[str]]]:
    if only is None or only in {recipe.name for recipe in recipes}:
        return [(recipe, list(recipe.files)) for recipe in recipes if only in (None, recipe.name)]
    found = [(recipe, [only]) for recipe in recipes if only in recipe.files]
    if not found:
        known = sorted({name for recipe in recipes for name in (recipe.name, *recipe.files)})
        raise ZooError(f"nothing is called {only!r}; known: {', '.join(known)}")
    return found


def _write_slice(dataset: Dataset, folders: Folders) -> None:
    _, test = dataset.load(folders.cache)
    part = test.first(dataset.test_images)
    path = folders.out / dataset.test_file
    np.savez_compressed(path, image=part.image, labels=part.label)
    print(f"[{path.name}] written", flush=True)


def _make(recipe: Recipe, stems: list[str], folders: Folders) -> None:
    train, _ = recipe.dataset.load(folders.cache)
    network = trained(recipe.build, recipe.schedule, train, folders.cache / recipe.name)
    picture = train.image.shape[1:]
    base = exported(fold_batchnorm(network), picture)
    for stem in stems:
        variant = recipe.files[stem]
        if variant.startswith("pruned"):
            model = _pruned(recipe, variant, network, train, folders)
        elif variant == "loop":
            model = looped(base)
        elif variant == UNFOLDED:
            model = exported(network, picture)
        else:
            model = base if variant == "fp32" else VARIANTS[variant](base, train.image)
        path = folders.out / f"{stem}.onnx"
        onnx.save_model(model, path)
        print(f"[{path.name}] written, {path.stat().st_size:,} bytes", flush=True)


def _pruned(
    recipe: Recipe, variant: str, dense: nn.Module, train: Split, folders: Folders
) -> onnx.ModelProto:
    """A pruned variant; the sparse form holds the very same weights as the plain one."""
    percent = int(variant.removeprefix("pruned").removesuffix("_sparse"))
    pruning = Pruning(percent / 100, recipe.pruned[percent])
    cached = folders.cache / f"{recipe.name}_pruned{percent}"
    network = pruned(recipe.build, dense, pruning, train, cached)
    model = plain_zeros(exported(fold_batchnorm(network)))
    return sparse(model) if variant.endswith("_sparse") else model

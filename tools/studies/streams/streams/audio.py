"""Audio that a voice detector takes for speech: vowels with formants, syllables and pauses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
CHUNK, CONTEXT = 512, 64
# Formants of five vowels in Hz, and how loud each is.
_VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
)
_LOUDNESS = (1.0, 0.6, 0.3)
_BANDWIDTH = 80


def frames(samples: int, steps: int, seed: int = 5) -> NDArray[np.float32]:
    """Sequences of frames as the detector takes them: each with the end of the one before.

    Returns:
        float32 (samples, steps, CONTEXT + CHUNK).
    """
    rng = np.random.default_rng(seed)
    audio = np.stack([_speech(rng, steps * CHUNK) for _ in range(samples)])
    padded = np.pad(audio, ((0, 0), (CONTEXT, 0)))
    pieces = [padded[:, step * CHUNK :][:, : CONTEXT + CHUNK] for step in range(steps)]
    return np.stack(pieces, axis=1).astype(np.float32)


def _speech(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    out = rng.normal(scale=1e-3, size=length)
    at = int(rng.integers(1500, 4000))
    while at < length:
        syllable = _syllable(rng, min(int(rng.integers(2500, 6000)), length - at))
        out[at : at + len(syllable)] += syllable
        at += len(syllable) + int(rng.choice([300, 800, 6000]))
    return out


def _syllable(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    """A vowel that swells and fades, its pitch gliding and trembling."""
    time = np.arange(length)
    tremble = 1 + 0.05 * np.sin(2 * np.pi * 5 * time / RATE)
    pitch = rng.uniform(90, 220) * (tremble + rng.uniform(-0.2, 0.2) * time / length)
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0)
    vowel = _VOWELS[int(rng.integers(len(_VOWELS)))]
    parts = [
        loud * _resonance(pulses, formant) for formant, loud in zip(vowel, _LOUDNESS, strict=True)
    ]
    voice = np.sum(parts, axis=0) + 0.02 * rng.normal(size=length)
    swell = np.sqrt(np.sin(np.pi * time / length))
    return np.asarray(voice / np.abs(voice).max() * swell * rng.uniform(0.1, 0.5))


def _resonance(pulses: NDArray[np.float64], frequency: float) -> NDArray[np.float64]:
    """Pulses through a filter that rings at one frequency: its response, convolved."""
    time = np.arange(800)
    decay = np.exp(-np.pi * _BANDWIDTH * time / RATE)
    response = decay * np.sin(2 * np.pi * frequency * (time + 1) / RATE)
    return np.convolve(pulses, response / np.sin(2 * np.pi * frequency / RATE))[: len(pulses)]

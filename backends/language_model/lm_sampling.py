"""How the next code is drawn from logits, as the language models' own programs do it.

A sampler draws from one generator of random numbers per request, so that a request's codes do not depend on its
company. The logits of codes come first, those of ends after them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from lm_settings import NucleusSettings, RasSettings

Floats = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.int64]

# How often an end is drawn again where there may be none yet; upstream gives up after as many.
_TRIALS = 100


class Sampler(Protocol):
    """Draws a code, or an end."""

    def draw(
        self, logits: Floats, new: Sequence[int], prompt: Sequence[int], *, ends: bool, rng: np.random.Generator
    ) -> int:
        """An index of the logits [V] after the codes `new` and those of the `prompt`; no end where `ends` is false."""


@dataclass(frozen=True)
class Nucleus:
    """Hugging Face's order: repetition penalty, no ends before the least length, temperature, top-k, top-p."""

    settings: NucleusSettings
    codes: int

    def draw(
        self, logits: Floats, new: Sequence[int], prompt: Sequence[int], *, ends: bool, rng: np.random.Generator
    ) -> int:
        """As `Sampler` says."""
        kept, shares = self.candidates(logits, {*new, *prompt}, ends=ends)
        return int(kept[_choose(shares, rng)])

    def candidates(self, logits: Floats, seen: set[int], *, ends: bool) -> tuple[Codes, Floats]:
        """What may be drawn, the least likely first, and how likely each is."""
        settings = self.settings
        scores = logits.astype(np.float64)
        if seen and settings.repetition_penalty != 1.0:
            known = np.fromiter(seen, dtype=np.int64, count=len(seen))
            penalty = settings.repetition_penalty
            scores[known] = np.where(scores[known] < 0, scores[known] * penalty, scores[known] / penalty)
        if not ends:
            scores[self.codes :] = -np.inf
        scores /= settings.temperature
        count = min(settings.top_k, len(scores))
        # What ties with the last of them stays, too.
        best = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
        best = best[np.argsort(scores[best], kind="stable")]
        shares = _softmax(scores[best])
        kept = np.cumsum(shares) > 1.0 - settings.top_p
        kept[-1] = True
        return best[kept], shares[kept] / shares[kept].sum()


@dataclass(frozen=True)
class Ras:
    """Repetition-aware sampling (Chen et al. 2024, VALL-E 2) with CosyVoice2's nucleus.

    A code that the last `window` hold `tau · window` times is replaced by a draw from all of them.
    """

    settings: RasSettings
    codes: int

    def draw(
        self, logits: Floats, new: Sequence[int], prompt: Sequence[int], *, ends: bool, rng: np.random.Generator
    ) -> int:
        """As `Sampler` says."""
        scores = logits.astype(np.float64)
        shares = _softmax(scores)
        nucleus = self.candidates(shares)
        for _ in range(_TRIALS):
            drawn = self._draw(shares, nucleus, new, rng)
            if ends or drawn < self.codes:
                return drawn
        # Upstream fails here; nearly all that it would draw is an end.
        scores[self.codes :] = -np.inf
        shares = _softmax(scores)
        return self._draw(shares, self.candidates(shares), new, rng)

    def candidates(self, shares: Floats) -> tuple[Codes, Floats]:
        """The nucleus, the likeliest first: as many as have `top_p` together, or `top_k`; and their probabilities."""
        settings = self.settings
        count = min(settings.top_k, len(shares))
        # Only a part is sorted, and ties must be as in the sorted whole: the lowest index first.
        best = np.flatnonzero(shares >= np.partition(shares, -count)[-count])
        best = best[np.argsort(-shares[best], kind="stable")][:count]
        before = np.cumsum(shares[best]) - shares[best]
        kept = best[before < settings.top_p]
        return kept, shares[kept]

    def _draw(self, shares: Floats, nucleus: tuple[Codes, Floats], new: Sequence[int], rng: np.random.Generator) -> int:
        settings = self.settings
        kept, weights = nucleus
        drawn = int(kept[_choose(weights, rng)])
        # A window of 0 is the whole list, as Python's slices have it.
        if list(new[-settings.window :]).count(drawn) >= settings.window * settings.tau:
            drawn = _choose(shares, rng)
        return drawn


def sampler(settings: NucleusSettings | RasSettings, codes: int) -> Sampler:
    """The sampler that a config asks for; `codes` of the logits are codes."""
    return Nucleus(settings, codes) if isinstance(settings, NucleusSettings) else Ras(settings, codes)


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max())
    result: Floats = powers / powers.sum()
    return result


def _choose(weights: Floats, rng: np.random.Generator) -> int:
    """An index, as likely as its weight."""
    sums = np.cumsum(weights)
    # Not beyond the last one that can be drawn, whatever rounding makes of the sum.
    return min(int(np.searchsorted(sums, rng.random() * sums[-1], side="right")), int(np.flatnonzero(weights)[-1]))

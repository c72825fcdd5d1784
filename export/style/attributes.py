"""The four attributes of a style, and how their strength in -1..1 becomes a control of the voice."""

from __future__ import annotations

from dataclasses import dataclass

ATTRIBUTES = ("speed", "pitch", "contour", "energy")

# How far strength 1 goes: speed is multiplied by 1.6 or divided by it, the pitch moves by so many semitones, its
# movement becomes 1 ± so much, the level changes by so many dB. All within the demo voice's limits.
SPEED_REACH = 1.6
PITCH_REACH = 3.5
CONTOUR_REACH = 0.6
ENERGY_REACH = 6.0


@dataclass(frozen=True)
class Effect:
    """What a word does to one attribute: its strength in -1..1, and how clearly it says so, in 0..1."""

    strength: float
    clarity: float = 1.0

    def scaled(self, factor: float, clarity: float = 1.0) -> Effect:
        """The effect under a degree word or a negation; the strength stays within -1..1."""
        return Effect(min(max(self.strength * factor, -1.0), 1.0), self.clarity * clarity)


# Attribute → effect; attributes that a word says nothing about are absent.
Effects = dict[str, Effect]


def scaled(effects: Effects, factor: float, clarity: float = 1.0) -> Effects:
    """All effects of a word under a degree word or a negation."""
    return {name: effect.scaled(factor, clarity) for name, effect in effects.items()}

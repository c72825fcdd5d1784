"""Trains the style network: `python -m export.style.train`. Deterministic, one to two minutes.

Every character's clarity and strength is known, so the network learns from positions, not from whole instructions.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from export.style import weights
from export.style.attributes import ATTRIBUTES
from export.style.encoding import code_points, neutral_words, table, vocabulary
from export.style.grammar import Grammar
from export.style.lexicon import load
from export.style.network import StyleConfig, StyleNetwork
from export.style.pieces import Piece

SEED = 2024
# New instructions in each epoch.
INSTRUCTIONS = 60_000
EPOCHS = 10
BATCH = 128
LEARNING_RATE = 5e-3
# How far below 0 the clarity of a character that says nothing is pushed.
_MARGIN = 0.2


@dataclass(frozen=True)
class Batch:
    """instruction [B, L] int32; clarity and strength [B, L, 4]."""

    instruction: Tensor
    clarity: Tensor
    strength: Tensor


def make_batch(pieces: list[Piece]) -> Batch:
    """Pad instructions to the longest and spread their effects over the characters."""
    length = max(len(piece.text) for piece in pieces)
    instruction = torch.zeros(len(pieces), length, dtype=torch.int32)
    clarity = torch.zeros(len(pieces), length, len(ATTRIBUTES))
    strength = torch.zeros_like(clarity)
    for row, piece in enumerate(pieces):
        instruction[row, : len(piece.text)] = torch.tensor(code_points(piece.text), dtype=torch.int32)
        for position, effects in piece.marks:
            for name, effect in effects.items():
                clarity[row, position, ATTRIBUTES.index(name)] = effect.clarity
                strength[row, position, ATTRIBUTES.index(name)] = effect.strength
    return Batch(instruction, clarity, strength)


def batches(pieces: list[Piece], rng: Random) -> Iterator[Batch]:
    """Batches of instructions of about one length, in random order."""
    order = sorted(pieces, key=lambda piece: (len(piece.text), rng.random()))
    groups = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    rng.shuffle(groups)
    return map(make_batch, groups)


def loss(network: StyleNetwork, batch: Batch) -> Tensor:
    """Squared errors of clarity and, where something is said, of strength. Overshooting 0, 1 or -1 costs nothing."""
    clarity, strength = network.evidence(batch.instruction)
    silent, full = batch.clarity == 0, batch.clarity == 1
    inside = (batch.instruction > 0).unsqueeze(-1)
    error = clarity - batch.clarity
    error = torch.where(silent, F.relu(clarity + _MARGIN), error)
    error = torch.where(full, F.relu(1.1 - clarity), error)
    wrong = strength - batch.strength
    wrong = torch.where(batch.strength >= 0.99, wrong.clamp(max=0.0), wrong)
    wrong = torch.where(batch.strength <= -0.99, wrong.clamp(min=0.0), wrong)
    said = (~silent).to(error.dtype)
    # What is said is rare, one character in thirty.
    heard = (error.square() * (1.0 + 3.0 * said) * inside).sum()
    meant = (wrong.square() * said * batch.clarity).sum()
    return (heard + 10.0 * meant) / batch.instruction.shape[0]


def train(instructions: int = INSTRUCTIONS, epochs: int = EPOCHS) -> StyleNetwork:
    """Train from scratch on so many instructions in each epoch; progress goes to standard error."""
    torch.manual_seed(SEED)
    lexicon, rng = load(), Random(SEED)
    grammar = Grammar(lexicon, rng, neutral_words(lexicon))
    known = vocabulary(lexicon)
    network = StyleNetwork(StyleConfig(vocabulary=len(known) + 2))
    network.table.copy_(table(known))
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    total = epochs * -(-instructions // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=total, pct_start=0.1)
    for epoch in range(epochs):
        started, sum_, count = time.monotonic(), 0.0, 0
        for batch in batches([grammar.instruction() for _ in range(instructions)], rng):
            optimiser.zero_grad()
            value = loss(network, batch)
            torch.autograd.backward([value])
            optimiser.step()
            schedule.step()
            sum_, count = sum_ + float(value.detach()), count + 1
        seconds = time.monotonic() - started
        print(f"epoch {epoch + 1} of {epochs}: loss {sum_ / count:.4f}, {seconds:.0f} s", file=sys.stderr)
    return network.eval()


def main() -> None:
    """Train and write the weights."""
    argparse.ArgumentParser(prog="python -m export.style.train", description=__doc__).parse_args()
    # The network is too small for a second thread to be worth its synchronisation.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    weights.save(train(), seed=SEED, instructions=INSTRUCTIONS, epochs=EPOCHS)


if __name__ == "__main__":
    main()

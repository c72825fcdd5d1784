"""Distances between a generator's waveform and its teacher's."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from export.distill.discriminators import Discriminators
from export.distill.losses import (
    MelLoss,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    log_spectral_distance,
    stft_loss,
)

RATE = 24000
DISTANCES = {"stft": stft_loss, "mel": MelLoss(RATE), "lsd": log_spectral_distance}


def tone(hertz: float, level: float = 0.3) -> Tensor:
    """Two of 0.2 s."""
    return level * torch.sin(2 * math.pi * hertz / RATE * torch.arange(4800)).repeat(2, 1)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_is_nothing_between_equal_signals_and_grows_with_the_difference(name: str) -> None:
    distance = DISTANCES[name]
    same, near, far = (distance(other, tone(200)).item() for other in (tone(200), tone(210), tone(3000)))
    assert same == 0
    assert 0 < near < far


def test_the_log_spectral_distance_is_in_decibels() -> None:
    noise = 0.1 * torch.randn(2, 4800, generator=torch.Generator().manual_seed(0))
    assert log_spectral_distance(10 * noise, noise).item() == pytest.approx(20, abs=0.01)


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("start", [tone(300), torch.zeros(2, 4800)], ids=["tone", "silence"])
def test_a_gradient_of_a_distance_is_finite_and_leads_nearer(name: str, start: Tensor) -> None:
    start = (start + 1e-4 * torch.randn(start.shape, generator=torch.Generator().manual_seed(1))).requires_grad_()
    before = DISTANCES[name](start, tone(500))
    (gradient,) = torch.autograd.grad(before, start)
    assert gradient.isfinite().all()
    nearer = start.detach() - 1e-3 * gradient / gradient.norm()
    assert DISTANCES[name](nearer, tone(500)) < before


def test_silence_has_a_gradient_without_nan() -> None:
    silence = torch.zeros(1, 4800, requires_grad=True)
    for distance in DISTANCES.values():
        (gradient,) = torch.autograd.grad(distance(silence, tone(500)[:1]), silence)
        assert gradient.isfinite().all()


def test_discriminators_are_judged_by_telling_both_apart_and_a_generator_by_their_belief() -> None:
    real, fake = [[torch.zeros(1), torch.ones(2)]], [[torch.ones(1), torch.zeros(2)]]
    assert discriminator_loss(real, fake) == 0
    assert discriminator_loss(fake, real) == 2
    assert adversarial_loss(real) == 0
    assert adversarial_loss(fake) == 1
    assert feature_loss(real, fake) == 1
    assert feature_loss(real, real) == 0


def test_every_discriminator_hears_every_part_of_the_signal() -> None:
    torch.manual_seed(0)
    audio = tone(500)[:1, :3001].requires_grad_()
    for features in Discriminators(2)(audio):
        (gradient,) = torch.autograd.grad(features[-1].sum(), audio)
        # The edges of a window are faint.
        assert (gradient.unfold(1, 100, 100).abs().sum(2) > 0).all()

"""Trains a generator, first by spectral distances alone, then against discriminators as well."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.checkpoint_files import load_strict, read_checkpoint, tensors
from export.distill.discriminators import Discriminators
from export.distill.losses import MelLoss, adversarial_loss, discriminator_loss, feature_loss, stft_loss
from export.distill.settings import Settings
from export.errors import CheckpointError
from export.vocoders.hifigan import HiFiGAN, HiFiGANConfig

# HiFi-GAN's.
_BETAS = (0.8, 0.99)
# Of the moving average of the weights; in a short run, its memory is a tenth of the run so far.
_MEMORY = 0.999


class Training:
    """A generator, the moving average of its weights, the discriminators, and how far they have come.

    `seconds` are those that the run has taken so far, `losses` the last ones that were reported. With `half`,
    convolutions compute in float16, but for the generator's last one. Not in bfloat16: its rounding was 18 dB below the
    sound in the teacher's vocoder, which the losses hear, float16's 40 dB.
    """

    def __init__(
        self, settings: Settings, config: HiFiGANConfig, sample_rate: int, device: torch.device, *, half: bool = False
    ) -> None:
        self.settings = settings
        self.device = device
        self._half = half
        self.step = 0
        self.seconds = 0.0
        self.losses: dict[str, float] = {}
        torch.manual_seed(settings.seed)
        self.generator = HiFiGAN(config).to(device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.discriminators = Discriminators(settings.width).to(device)
        self._mel_loss = MelLoss(sample_rate).to(device)
        self._optimizers = {
            "generator": self._optimizer(self.generator),
            "discriminators": self._optimizer(self.discriminators),
        }
        # Small gradients would vanish in float16.
        self._scalers = {name: torch.amp.GradScaler(device.type, enabled=half) for name in self._optimizers}

    def _optimizer(self, module: nn.Module) -> torch.optim.AdamW:
        fused = self.device.type == "cuda"
        return torch.optim.AdamW(module.parameters(), self.settings.learning_rate, _BETAS, fused=fused)

    def advance(self, mel: Tensor, audio: Tensor, share: float) -> dict[str, Tensor]:
        """One step on mel [B, M, bands] and audio [B, M·hop] at that share of the run; the losses by name."""
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self.settings.rate(share)
        generated = self._generate(mel)
        losses = {"mel": self._mel_loss(generated, audio), "stft": stft_loss(generated, audio)}
        total = self.settings.mel_weight * losses["mel"] + self.settings.stft_weight * losses["stft"]
        if share >= self.settings.warm_up:
            losses["discriminators"] = self._teach_discriminators(generated.detach(), audio)
            with self._autocast():
                with torch.no_grad():
                    real = self.discriminators(audio)
                judged = self.discriminators(generated)
            losses |= {"adversarial": adversarial_loss(judged), "features": feature_loss(real, judged)}
            total = total + losses["adversarial"] + self.settings.feature_weight * losses["features"]
        self._descend("generator", total)
        self.step += 1
        memory = min(_MEMORY, self.step / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(value, 1 - memory)
        return {name: loss.detach() for name, loss in losses.items()}

    def _generate(self, mel: Tensor) -> Tensor:
        with self._autocast():
            body = self.generator.body(mel)
        audio: Tensor = self.generator.waveform(body.float())
        return audio

    def _teach_discriminators(self, generated: Tensor, audio: Tensor) -> Tensor:
        self.discriminators.requires_grad_(True)
        with self._autocast():
            loss = discriminator_loss(self.discriminators(audio), self.discriminators(generated))
        self._descend("discriminators", loss)
        # The generator's step needs no gradient of theirs.
        self.discriminators.requires_grad_(False)
        return loss

    def _descend(self, name: str, loss: Tensor) -> None:
        optimizer, scaler = self._optimizers[name], self._scalers[name]
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward([scaler.scale(loss)])
        scaler.step(optimizer)
        scaler.update()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.float16, enabled=self._half)

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, as plain values and tensors."""
        return {
            "settings": self.settings.as_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "modules": {name: module.state_dict() for name, module in self._modules().items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()},
            "scalers": {name: scaler.state_dict() for name, scaler in self._scalers.items()},
        }

    def restore(self, path: Path) -> None:
        """Go on where the run that wrote this file was. Raises `CheckpointError` for one with other settings."""
        content = read_checkpoint(path)
        modules = {name: tensors(content, "modules", name, path=path) for name in self._modules()}
        known = content.get("settings")
        wanted = self.settings.as_dict()
        if known != wanted:
            before = known if isinstance(known, dict) else {}
            name = next((key for key in wanted if before.get(key) != wanted[key]), "more")
            raise CheckpointError(
                f"{path} is of a run with other settings ({name}: {before.get(name)}, now {wanted.get(name)}): "
                "give it the same ones, or another folder"
            )
        for name, module in self._modules().items():
            load_strict(module, modules[name], f"{path}")
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(content["optimizers"][name])
            self._scalers[name].load_state_dict(content["scalers"][name])
        self.step, self.seconds, self.losses = content["step"], content["seconds"], content["losses"]

    def _modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "average": self.average, "discriminators": self.discriminators}

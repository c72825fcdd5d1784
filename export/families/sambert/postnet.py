"""The postnet of SAM-BERT: memory layers that look mostly back, and an LSTM."""

from __future__ import annotations

from torch import Tensor, nn

from export.families.sambert.config import SambertConfig
from export.families.sambert.layers import Fsmn
from export.families.sambert.recurrence import lstm


class Postnet(nn.Module):
    """Mel frames → the correction to add."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.fsmn = Fsmn(config.postnet)
        self.lstm = nn.LSTM(config.postnet.units, config.postnet_lstm, batch_first=True)
        self.fc = nn.Linear(config.postnet_lstm, config.bands)

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """mel [B, M, bands], mask [B, M, 1] → [B, M, bands]."""
        y: Tensor = self.fc(lstm(self.fsmn(mel, mask), self.lstm.all_weights[0])) * mask
        return y

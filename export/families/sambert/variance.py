"""The variance adaptor of SAM-BERT: pitch, energy and duration of every unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.families.sambert.config import SambertConfig
from export.families.sambert.layers import BidirectionalLSTM, Fsmn, Prenet
from export.families.sambert.recurrence import recur


class ContourPredictor(nn.Module):
    """One value per unit: memory layers, an LSTM each way and a linear layer."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.fsmn = Fsmn(config.predictor)
        self.blstm = BidirectionalLSTM(config.predictor.units, config.predictor_lstm)
        self.fc = nn.Linear(2 * config.predictor_lstm, 1)

    def forward(self, condition: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """condition [B, T, condition_units], lengths [B, 1], mask [B, T, 1] → [B, T, 1]."""
        y: Tensor = self.fc(self.blstm.both_ways(self.fsmn(condition, mask), lengths)) * mask
        return y


class DurationPredictor(nn.Module):
    """log(frames + 1) of every unit, each from the one before it."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.recalled = config.duration_prenet[-1]
        self.prenet = Prenet(1, config.duration_prenet)
        self.lstm = nn.LSTM(self.recalled + config.condition_units, config.duration_lstm, num_layers=2)
        self.fc = nn.Linear(config.duration_lstm, 1)

    def forward(self, condition: Tensor, mask: Tensor) -> Tensor:
        """condition [B, T, condition_units], mask [B, T, 1] → [B, T, 1]."""
        # Of each layer: weights of its input and of its last output, and a bias of both.
        (input_0, output_0, *biases_0), (input_1, output_1, *biases_1) = self.lstm.all_weights
        from_last, from_condition = input_0.tensor_split((self.recalled,), dim=1)
        # What does not depend on the value before is left out of the loop.
        fixed = F.linear(condition, from_condition, biases_0[0] + biases_0[1])
        lower, upper = torch.cat([from_last, output_0], dim=1), torch.cat([input_1, output_1], dim=1)
        bias = biases_1[0] + biases_1[1]

        def step(state: list[Tensor], inputs: list[Tensor]) -> tuple[list[Tensor], Tensor]:
            value, hidden_0, cell_0, hidden_1, cell_1 = state
            gates = inputs[0] + F.linear(torch.cat([self.prenet(value), hidden_0], dim=1), lower)
            hidden_0, cell_0 = _lstm_cell(gates, cell_0)
            gates = F.linear(torch.cat([hidden_0, hidden_1], dim=1), upper, bias)
            hidden_1, cell_1 = _lstm_cell(gates, cell_1)
            value = F.relu(self.fc(hidden_1))
            return [value, hidden_0, cell_0, hidden_1, cell_1], value.clone()

        sizes = (1, *(self.lstm.hidden_size,) * 4)
        state = [condition.new_zeros(condition.shape[0], size) for size in sizes]
        return recur(step, state, [fixed]) * mask


def _lstm_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """gates [B, 4·units] in PyTorch's order, cell [B, units] → output and next cell, [B, units] each."""
    enter, forget, value, leave = gates.chunk(4, dim=1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * value.tanh()
    return leave.sigmoid() * cell.tanh(), cell


class VarianceAdaptor(nn.Module):
    """Pitch and energy of every unit, to be added to its text, and its duration."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.pitch_predictor = ContourPredictor(config)
        self.energy_predictor = ContourPredictor(config)
        self.duration_predictor = DurationPredictor(config)
        self.pitch_emb = nn.Conv1d(1, config.text_units, 9, padding=4)
        self.energy_emb = nn.Conv1d(1, config.text_units, 9, padding=4)

    def embed(self, pitch: Tensor, energy: Tensor) -> Tensor:
        """pitch, energy [B, T, 1], 0 in the padding → what is added to the text, [B, T, text_units]."""
        y: Tensor = self.pitch_emb(pitch.transpose(1, 2)) + self.energy_emb(energy.transpose(1, 2))
        return y.transpose(1, 2)

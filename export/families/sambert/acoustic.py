"""The SAM-BERT acoustic model as its checkpoint names it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from export.checkpoint_files import load_strict
from export.families.sambert.config import SambertConfig
from export.families.sambert.pnca import PncaDecoder
from export.families.sambert.postnet import Postnet
from export.families.sambert.text_encoder import TextEncoder
from export.families.sambert.variance import VarianceAdaptor

# Positions are computed for any length; the aligner is for training only; and the "er" with which some voices fill a
# pause of their own accord (FP) is left out.
IGNORED = (
    "text_encoder.ling_enc.position_enc.",
    "variance_adaptor.dur_position_encoder.",
    "align_attention.",
    "FP_predictor.",
)


class MelDecoder(nn.Module):
    """The decoder under its name in the checkpoint."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.mel_dec = PncaDecoder(config)


class AcousticModel(nn.Module):
    """All parts of SAM-BERT (KAN-TTS, `KanTtsSAMBERT`); `Encoder` and `Decoder` run them."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        sizes = config.vocabularies
        self.config = config
        self.text_encoder = TextEncoder(config)
        if "speaker_category" in sizes:
            self.spk_tokenizer = nn.Embedding(sizes["speaker_category"], config.speaker_units)
        self.emo_tokenizer = nn.Embedding(sizes["emo_category"], config.emotion_units)
        self.variance_adaptor = VarianceAdaptor(config)
        self.mel_decoder = MelDecoder(config)
        self.mel_postnet = Postnet(config)

    @classmethod
    def load(cls, config: SambertConfig, state: Mapping[str, Tensor], what: str) -> AcousticModel:
        """The model with a checkpoint's tensors, in evaluation mode; `what` names the checkpoint in messages.

        Raises `CheckpointError` when the tensors are not exactly those of the config.
        """
        model = cls(config)
        load_strict(model, state, what, ignored=IGNORED)
        return model.eval()

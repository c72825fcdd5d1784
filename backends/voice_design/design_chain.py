"""An instruction's way to what a voice is prompted by: LLaSA speaks a sentence, and what it sounds like is measured.

llasa → codes → xcodec2 → clip ┬ whisper_mel → speech_tokenizer → speech tokens
                               ├ prompt_mel, two frames a token
                               └ kaldi_fbank → campplus → x-vector

The models are reached through a function, so that this module needs no Triton.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from design_errors import FailedDesignError
from design_features import Array, kaldi_fbank, prompt_mel, resampled, whisper_mel
from design_prompt import Ids, Prompts
from design_request import Design
from design_settings import Infer, Settings
from design_writing import write

XVECTOR = 192
FRAMES_PER_TOKEN = 2
BANDS = 80

_AGAIN = "ask with another seed or describe the voice in other words"


@dataclass(frozen=True)
class Prompt:
    """What a voice is prompted by: speech tokens [P], mel [2P, 80], x-vector [192] and the ids of its sentence [n]."""

    speech_tokens: Ids
    prompt_mel: Array
    xvector: Array
    prompt_text: Ids

    @classmethod
    def empty(cls) -> Prompt:
        """What stands beside a refusal."""
        none = np.zeros(0, dtype=np.int32)
        return cls(none, np.zeros((0, BANDS), dtype=np.float32), np.zeros(XVECTOR, dtype=np.float32), none)


class Designer:
    """Makes prompts; may be used by several threads at once."""

    def __init__(self, settings: Settings, prompts: Prompts, infer: Infer) -> None:
        self._settings = settings
        self._prompts = prompts
        self._infer = infer

    def design(self, design: Design) -> Prompt:
        """The prompt of a design. Raises `FailedDesignError` and what the calls of the models raise."""
        rates = self._settings.rates
        clip = self._clip(self._codes(design))
        mel = prompt_mel(resampled(clip, rates.codec, rates.prompt_mel), rates.prompt_mel)
        tokens = self._speech_tokens(resampled(clip, rates.codec, rates.speech_tokenizer))
        xvector = self._xvector(resampled(clip, rates.codec, rates.campplus))
        # The tokenizer pads its last window, the spectrogram drops it: upstream cuts to what both have.
        count = min(len(tokens), len(mel) // FRAMES_PER_TOKEN)
        if not count:
            raise FailedDesignError(f"{self._settings.speech_tokenizer.name} heard no speech in the clip: {_AGAIN}")
        return Prompt(tokens[:count], mel[: FRAMES_PER_TOKEN * count], xvector, self._prompts.reference)

    def _codes(self, design: Design) -> Ids:
        """The codes [T] of the sentence as the designed voice says it."""
        bounds, model = self._settings.codes, self._settings.llasa
        prompt = self._prompts.llasa(design)
        least = round(bounds.least_seconds * bounds.per_second)
        most = min(bounds.context - len(prompt), round(bounds.most_seconds * bounds.per_second))
        if most < least:
            raise FailedDesignError(
                f"{model.name} has no room for speech after a prompt of {len(prompt)} tokens: describe it shorter"
            )
        codes, end = write(self._infer, model, prompt, seed=design.seed, most=most)
        if end not in ("stop", "length"):
            raise FailedDesignError(f"{model.name} was ended after {len(codes)} speech tokens: ask again")
        if len(codes) < least:
            raise FailedDesignError(
                f"{model.name} stopped after {len(codes)} speech tokens, at least {least} are needed: {_AGAIN}"
            )
        return codes

    def _clip(self, codes: Ids) -> Array:
        """The speech [n] of codes, no longer than the bound."""
        model, rate = self._settings.xcodec2, self._settings.rates.codec
        (answer,) = self._infer(model, {model.inputs[0]: codes[None]})
        clip: Array = answer.reshape(-1)[: round(self._settings.codes.most_seconds * rate)].astype(np.float32)
        if not np.isfinite(clip).all():
            raise FailedDesignError(f"{model.name} made samples that are no numbers: serve it in float32")
        if len(clip) < self._settings.codes.least_seconds * rate:
            raise FailedDesignError(f"{model.name} made {len(clip) / rate:.2f} s of speech, too little: {_AGAIN}")
        return clip

    def _speech_tokens(self, clip: Array) -> Ids:
        settings = self._settings
        model = settings.speech_tokenizer
        mel = whisper_mel(clip, settings.rates.speech_tokenizer)[None]
        length = np.array([mel.shape[2]], dtype=np.int32)
        (answer,) = self._infer(model, dict(zip(model.inputs, (mel, length), strict=True)))
        tokens: Ids = answer.reshape(-1).astype(np.int32)
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < settings.speech_tokens:
            raise FailedDesignError(f"{model.name} made tokens of another codebook: export it again")
        return tokens

    def _xvector(self, clip: Array) -> Array:
        model = self._settings.campplus
        (answer,) = self._infer(model, {model.inputs[0]: kaldi_fbank(clip, self._settings.rates.campplus)[None]})
        xvector: Array = answer.reshape(-1).astype(np.float32)
        if xvector.shape != (XVECTOR,) or not np.isfinite(xvector).all():
            raise FailedDesignError(f"{model.name} made no vector of {XVECTOR} numbers: serve it in float32")
        return xvector

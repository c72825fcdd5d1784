"""Voice Sculptor: voices designed in words. LLaSA, xcodec2 and CosyVoice2 from their publishers' checkpoints; see
docs/voice-sculptor.md.
"""

from __future__ import annotations

from pathlib import Path

from export.bundle import Bundle, Choice
from export.errors import CheckpointError
from export.families.sculptor import cosyvoice_lm, foreign, llasa
from export.families.sculptor.cosyvoice_config import FILE_NAME, CosyVoiceConfig
from export.families.sculptor.description import DESIGN, EMOTIONS, Extent, describe
from export.families.sculptor.design import TEXT_TOKENIZER, Designer
from export.families.sculptor.f0_predictor import REACH
from export.families.sculptor.flow import load_flow
from export.families.sculptor.flow_stage import flow_stage
from export.families.sculptor.folder import BLANK, find
from export.families.sculptor.hift import load_hift
from export.families.sculptor.hift_stage import HIFT, MEL, hift_vocoder, track_of
from export.families.sculptor.tokenizers import read_llama, read_qwen, speech_codes
from export.families.sculptor.xcodec2 import load_xcodec2
from export.families.sculptor.xcodec2_stage import xcodec2_stage
from export.vocoders.vocoder import vocoder_stage


def bundle(checkpoint: Path, name: str, choice: Choice) -> Bundle:
    """Load the three checkpoints in a folder as the voice `name`. Raises `ExportError`."""
    if choice.voice is not None:
        raise CheckpointError(f"{checkpoint} has one voice, which is designed in words: leave --from-voice out")
    offered = choice.offered(EMOTIONS)
    folder = find(checkpoint)
    own = folder.cosyvoice
    config = CosyVoiceConfig.read(own / FILE_NAME)
    tokens = config.flow.vocabulary
    llama, qwen = read_llama(folder.llasa), read_qwen(own / BLANK)
    speech = speech_codes(llama)
    codec = load_xcodec2(folder.xcodec2)
    hift = load_hift(config.hift, own / "hift.pt")
    _check_fit("speech tokens: the language model writes", config.language_model.codes, "the flow reads", tokens)
    _check_fit("samples of a frame: the flow means", MEL.hop_length, "the vocoder makes", hift.hop_length)
    if speech.count > codec.codes:
        _check_fit("codes: LLaSA writes", speech.count, "xcodec2 reads", codec.codes)
    flow = load_flow(own / "flow.pt", config.flow)
    tokenizer = foreign.speech_tokenizer(own / "speech_tokenizer_v2.onnx", tokens)
    campplus = foreign.campplus(own / "campplus.onnx", config.flow.speaker)
    designer = Designer(llama, qwen, tokenizer, campplus, DESIGN, tokens)
    designer.settings(name)  # a mark that its tokenizer lacks is told now
    lm = cosyvoice_lm.part(own, config.language_model)
    designing = llasa.part(folder.llasa, speech, llama.rows)
    # What its vocoder's samples depend on is measured, which takes longer than all that can be wrong until here.
    vocoder = hift_vocoder(hift)
    extent = Extent(
        vocabulary=lm.sizes.vocabulary,
        chunk=config.flow.chunk,
        look_ahead=config.flow.encoder.look_ahead,
        lead=vocoder.lead,
        tail=vocoder.tail,
        unsettled=REACH,
    )
    voice = describe(name, extent, offered)
    stages = (xcodec2_stage(codec), flow_stage(config.flow, flow, track_of(hift)), vocoder_stage(vocoder, HIFT))
    parts = (designer, designing, tokenizer, campplus, lm)
    return Bundle(voice, stages, {}, folder.sources, parts, {TEXT_TOKENIZER: qwen.text})


def _check_fit(made: str, count: int, taken: str, wanted: int) -> None:
    """Raise `CheckpointError` where what one part makes is not what the next one takes."""
    if count != wanted:
        raise CheckpointError(f"{made} {count}, {taken} {wanted}; take both from one checkpoint")

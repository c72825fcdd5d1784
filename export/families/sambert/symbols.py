"""The symbols of a Sambert voice: what each feature of a linguistic unit can be, and its row in the embedding.

As in KAN-TTS, a symbol's id is its place in a list, and every list ends with padding, end of sentence and, unless the
model was trained without it, a mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from export.errors import CheckpointError, listed

_ENDS = ("_", "~", "@[MASK]")

_PLAIN = """
    a ai an ang ao b c ch d e ei en eng er f g h i ia ian iang iao ie ih ii in ing io iong iou j k l m n o ong ou p q r
    s sh t u ua uai uan uang uei uen ueng uo v van ve vn xx z zh w y
"""
# Stand before the vowel of a syllable that has no initial.
_ZERO_INITIALS = "ga ge go"
_ENGLISH = """
    aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh
"""
_RHOTIC = """
    air angr anr aor ar eir engr enr iangr ianr iaor iar ier ihr iir ingr inr iongr iour ir ongr or our uair uangr uanr
    uar ueir uenr uor ur vanr ver vnr vr
"""
_EMOTIONS = """
    none neutral angry disgust fear happy sad surprise calm gentle relax lyrical serious disgruntled satisfied
    disappointed excited anxiety jealousy hate pity pleasure arousal dominance
"""


def _chinese(phones: str) -> tuple[str, ...]:
    return tuple(f"{phone}_c" for phone in phones.split())


# Feature → its symbols in the order of their ids, for Mandarin ("PinYin"); a voice's speakers come from its config.
MANDARIN: Mapping[str, tuple[str, ...]] = {
    "sy": (
        *_chinese(_PLAIN),
        *_ZERO_INITIALS.split(),
        *_ENGLISH.split(),
        *_chinese(_RHOTIC),
        "pau",
        *(f"#{level}" for level in range(1, 5)),
    ),
    "tone": ("tone1", "tone_none", "tone4", "tone2", "tone3", "tone5", "tone0"),
    "syllable_flag": ("s_begin", "s_end", "s_none", "s_both", "s_middle"),
    "word_segment": ("word_begin", "word_end", "word_middle", "word_both", "word_none"),
    "emo_category": (
        *(f"emotion_{emotion}" for emotion in _EMOTIONS.split()),
        *(f"emotion_placeholder{number}" for number in range(1, 10)),
    ),
}


def tables(names: Mapping[str, Sequence[str]], vocabularies: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Feature → symbol → id, with the features in the order of `names`.

    `names` are the symbols without the ends, `vocabularies` the rows of the embeddings; a feature without embedding
    (the speaker of a voice that was cloned from a recording) has no rows to fit. Raises `CheckpointError` where symbols
    and rows are not the same number or a symbol is there twice.
    """
    found = {}
    for feature, symbols in names.items():
        if twice := [symbol for symbol in dict.fromkeys(symbols) if symbols.count(symbol) > 1]:
            raise CheckpointError(f"{feature} has the symbol {listed(twice)} twice: correct the voice's config")
        rows = vocabularies.get(feature, len(symbols) + len(_ENDS))
        if rows - len(symbols) not in (len(_ENDS) - 1, len(_ENDS)):
            raise CheckpointError(
                f"{feature} has {rows} embeddings in the checkpoint, but its {len(symbols)} symbols need "
                f"{len(symbols) + len(_ENDS)} ({len(symbols) + len(_ENDS) - 1} without mask): "
                f"{'correct speaker_list' if feature == 'speaker_category' else 'not a Mandarin voice'}"
            )
        found[feature] = {symbol: number for number, symbol in enumerate((*symbols, *_ENDS)[:rows])}
    return found

"""``phonemes``: how a text is read."""

from __future__ import annotations

from dataclasses import asdict

from ._console import emit, emit_json, note
from ._options import Dictionary, Json, Reached, Seconds, Text, TextFile, Voice, asking, connect
from ._text import read_dictionary, read_text


@asking
def phonemes(
    text: Text = None,
    file: TextFile = None,
    voice: Voice = None,
    dictionary: Dictionary = None,
    as_json: Json = False,
    *,
    reached: Reached,
    seconds: Seconds = 30.0,
) -> None:
    """Tell how a text is read: its pinyin, or what is said where the voice reads characters."""
    words, known = read_text(text, file), read_dictionary(dictionary)
    with connect(reached, seconds) as synthesizer:
        reading = synthesizer.phonemes(words, voice=voice, dictionary=known)
    if as_json:
        emit_json({"phonemes": reading.phonemes, **asdict(reading)})
        return
    for notice in reading.notices:
        note(f"note: {notice.message}")
    emit(reading.phonemes or " ".join(word.said + word.marks for word in reading.words))

"""A designed voice's stages as functions whose answers tell what they were made of."""

from __future__ import annotations

import json
import threading

import numpy as np
from calls import Caller
from vitals import Vitals

RATE, HOP, LEAD, TAIL, BUCKET = 24000, 480, 12, 10, 32
CHUNK, AHEAD, UNSETTLED, PROMPT = 25, 3, 5, 40
SOS, TASK, FIRST = 900, 901, 902
POISON = -1e6
# How many codes the language model answers at a time.
PORTION = 60
ATTRIBUTES = {"gender": ["男性", "女性"], "speed": ["语速很快", "语速较快"], "emotion": ["开心", "难过"]}
GENERATION = {
    "lm": "lm",
    "flow": "flow",
    "sos": SOS,
    "task": TASK,
    "first_code": FIRST,
    "chunk_tokens": CHUNK,
    "look_ahead_tokens": AHEAD,
    "frames_per_token": 2,
    "unsettled_frames": UNSETTLED,
    "least_per_unit": 2,
    "most_per_unit": 20,
    "max_tokens": 1000,
}
DESIGN = {
    "attributes": ATTRIBUTES,
    "instruction": "一位女性",
    "max_instruction": 20,
    "tag_of_emotion": {"happy": "开心", "sad": "难过"},
}


def strings(*texts):
    return np.array([text.encode() for text in texts], dtype=object)


def frames_of(tokens, known, held, prompt, positions):
    """What a flow with attention within chunks gives: [position, what its chunk is made of, index], poisoned where
    that is not final."""
    out = np.zeros((len(positions), 3), dtype=np.float32)
    usable = 2 * (known - held)
    for index, position in enumerate(positions):
        token = int(position) // 2
        end = (token // CHUNK + 1) * CHUNK
        final = held == 0 or (end <= known - held and position <= usable - 1 and index < len(positions) - UNSETTLED)
        seen = tokens[: min(end + AHEAD, known)]
        made = float((seen * np.arange(1, len(seen) + 1)).sum() % 9973) + float(prompt.sum())
        out[index] = (position, made, index) if final else POISON
    return out


class Voice:
    """A voice `zhi`: text is sentences with | between them, each of which is a clause of as many units as characters.

    `count` says how many codes the language model writes of a prompt's units and seed; `gate` is asked before each
    portion of them whether it is there.
    """

    def __init__(self, count=lambda units, seed: 6 * len(units), gate=None, end="stop", bundle=None, batching=True):
        self.count = count
        self.gate = gate
        self.last = end
        self.bundle = bundle or {}
        self.called = []
        self.asked = []
        self.written = []
        self.ended = []
        self.shapes = []
        self.speed = 1.0
        self.emotion = None
        self.lock = threading.RLock()
        self.most_running = 0
        self.generating = {}

    def caller(self, check=lambda: None):
        return Caller(self.infer, self.revive, lambda: 0.0, check, Vitals(lambda model, dead: None))

    def revive(self, model, since, check):
        raise AssertionError(f"{model} is well")

    def infer(self, model, inputs, outputs):
        with self.lock:
            self.called.append(model)
        try:
            answer = getattr(self, "_" + model.removeprefix("zhi_"))(inputs)
        except LookupError as error:
            return {}, str(error)
        return {name: answer[name] for name in outputs if name in answer}, ""

    def _lm(self, inputs):
        key = inputs["key"][0]
        with self.lock:
            if "abort" in inputs:
                self.ended.append(key)
                self.generating.pop(key, None)
                return {"tokens": np.zeros(0, np.int32), "end": strings("abort")}
            if "prompt" in inputs:
                self.generating[key] = self._codes(inputs)
                self.most_running = max(self.running, self.most_running)
                return {"tokens": np.zeros(0, np.int32), "end": strings("")}
            if key not in self.generating:
                raise LookupError("NOT_FOUND: no generation has this key")
            codes = self.generating[key]
        if self.gate is not None and not self.gate():
            return {"tokens": codes[:0], "end": strings("")}
        over = codes.size <= PORTION
        with self.lock:
            self.generating[key] = codes[PORTION:]
            if over:
                del self.generating[key]
        return {"tokens": codes[:PORTION], "end": strings(self.last if over else "")}

    @property
    def running(self):
        """How many generations the language model has."""
        return len(self.generating)

    def _codes(self, inputs):
        self.written.append({name: value.tolist() for name, value in inputs.items() if name != "key"})
        prompt, seed = inputs["prompt"].tolist(), int(inputs["seed"][0])
        units = prompt[prompt.index(SOS) + 3 : prompt.index(TASK)]
        count = min(self.count(units, seed), int(inputs["most"][0]))
        return np.random.default_rng(seed).integers(0, 6561, count).astype(np.int32)

    def _text_frontend(self, inputs):
        if "TEXT" in inputs:
            return {"problem": strings(""), "plan": strings(*map(json.dumps, self._plan(inputs)))}
        block = json.loads(inputs["block"][0])
        texts = block["text"].split("/")
        abouts = [
            {"voice": "zhi", "unit_bucket": 1, "frame_bucket": BUCKET, "frame_step": 1, "frame_lead": LEAD}
            | {"frame_tail": TAIL, "hop_length": HOP, "sample_rate": RATE, "vocoders": {"high": "hift"}, "pause": 0.1}
            | {"text": text, "notices": [], "marks": [["a", 0], ["z", len(text)]], "words": [], "phones": []}
            for text in texts
        ]
        rows, longest = len(texts), max(map(len, texts))
        units = np.zeros((rows, longest, 1), dtype=np.int32)
        for row, text in zip(units, texts, strict=True):
            row[: len(text), 0] = [ord(char) % 800 for char in text]
        one = np.ones((rows, 1), dtype=np.float32)
        return {
            "problem": strings(""),
            "units": units,
            "unit_lengths": np.array([[len(text)] for text in texts], dtype=np.int32),
            "speed": self.speed * one,
            **dict.fromkeys(("pitch", "contour", "energy"), 0 * one),
            "clauses": np.array([[json.dumps(about).encode()] for about in abouts], dtype=object),
        }

    def _plan(self, inputs):
        for text in inputs["TEXT"][0].decode().split("|"):
            yield {
                "voice": "zhi",
                "style": "style",
                "stages": [],
                "sample_rate": RATE,
                "characters": len(text) + 1,
                "text": text,
                "generation": GENERATION,
                "design": DESIGN,
                "manner": {"emotion": self.emotion},
            }

    def _style(self, inputs):
        self.asked.append({name: value[0, 0] for name, value in inputs.items()})
        made = {
            "speech_tokens": np.arange(PROMPT, dtype=np.int32)[None],
            "prompt_mel": np.ones((1, 2 * PROMPT, 80), dtype=np.float32),
            "xvector": np.ones((1, 192), dtype=np.float32),
            "prompt_text": np.array([[7, 8]], dtype=np.int32),
            "problem": strings("")[None],
        }
        return made | self.bundle

    def _flow(self, inputs):
        assert all(len(value) == 1 for value in inputs.values()), "a batch axis of one"
        numbers = {name: int(inputs[name][0, 0]) for name in ("token_lengths", "held", "prompt_lengths", "chunk")}
        assert numbers["chunk"] == CHUNK
        self.shapes.append((inputs["tokens"].shape[1], inputs["prompt_mel"].shape[1], inputs["positions"].shape[1]))
        positions = inputs["positions"][0]
        shown = int((positions >= 0).sum())
        assert (positions[:shown] >= 2 * PROMPT).all(), "the prompt is not spoken"
        mel = np.full((1, len(positions), 3), POISON, dtype=np.float32)
        prompt = inputs["prompt_mel"][0, : numbers["prompt_lengths"]]
        known = numbers["token_lengths"]
        mel[0, :shown] = frames_of(inputs["tokens"][0], known, numbers["held"], prompt, positions[:shown])
        return {"mel": mel}

    def _hift(self, inputs):
        mel = inputs["mel"]
        assert mel.shape[1] % BUCKET == 0
        assert (mel != POISON).all(), "no frame is vocoded that is not final"
        return {"audio": np.repeat(mel[:, :, 2], HOP, axis=1)}

    def _postprocess(self, inputs):
        about = json.loads(inputs["timings"][0, 0])
        assert about["frames"] * HOP == inputs["audio"].shape[1], "whole frames"
        return {"AUDIO": inputs["audio"][0].astype(np.int16)}

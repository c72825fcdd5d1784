"""The profiles themselves. docs/profiles.md is made of this: `python -m export profiles`."""

from __future__ import annotations

from export.profiles import Profile, Serving
from export.specs import Precision

GIB = 1 << 30

_RTX3090 = Profile(
    name="rtx3090",
    hardware="GeForce RTX 3090, 24 GB",
    encoder=Serving(1, 16, (4, 8), 500),
    decoder=Serving(2, 16, (4, 8), 1000),
    vocoder=Serving(2, 8, (2, 4), 1000),
    style=Serving(1, 8, (), 500),
    language_model=Serving(1, 8),
    text_frontend_instances=2,
    precision=Precision.FP16,
    # 1 is HEURISTIC and kSameAsRequested.
    session={"cudnn_conv_algo_search": "1", "arena_extend_strategy": "1"},
    batching=True,
    qualities=("high", "balanced", "fast"),
    max_in_flight=6,
    max_waiting=64,
    first_chunk_frames=32,
    max_chunk_frames=256,
    idle_unload_seconds=1800,
    max_loaded_voices=3,
    default_deadline_seconds=600,
    small_free_bytes=4 * GIB,
    small_used_fraction=0.8,
    light_free_bytes=3 * GIB,
    light_used_fraction=0,
    shed_free_bytes=GIB // 2,
    shed_used_fraction=0,
    queue_wait_seconds=2,
    recover_seconds=10,
    why={
        "encoder": "milliseconds long and light: one instance is never the bottleneck, so it collects larger batches",
        "decoder": "the longest stage: a second instance computes while the first one copies",
        "vocoder": "its activations are the largest tensors, so batches stay small; two instances overlap copies",
        "style": "one short run per request that has an instruction: nothing to overlap",
        "language_model": "a step reads all weights once, whatever the number of texts: six requests and two designs",
        "text_frontend_instances": "one process analyses about a hundred sentences a second: two feed six requests",
        "precision": "tensor cores; half the memory, and audibly the same. A stage that lacks it is served as it is",
        "session": "clause lengths vary, and an exhaustive search of convolution algorithms would be repeated for each "
        "new shape; the arena grows by what is asked for and not to the next power of two, which holds twice the peak",
        "batching": "a batch takes a card hardly longer than one clause",
        "qualities": "memory and speed for every vocoder",
        "max_in_flight": "the concurrency table of the system this service replaces: at most 6 on this card",
        "max_waiting": "at about a second a request and six at once, ten seconds of waiting: enough for anyone",
        "first_chunk_frames": "0.4 s of audio at hop 300: sounds at once and is longer than the next chunk takes",
        "max_chunk_frames": "3.2 s of audio: past that, overlap costs under a fifth and a chunk only delays others",
        "idle_unload_seconds": "half an hour: a workstation's card has other uses",
        "max_loaded_voices": "three large voices of about 7 GB fill the card",
        "default_deadline_seconds": "long enough for a chapter, short enough that a forgotten client does not stay",
        "small_free_bytes": "one step before the light path",
        "small_used_fraction": "as the system this service replaces: over 80 % used, work is cut smaller",
        "light_free_bytes": "as the system this service replaces: under 3 GB free, the light path",
        "light_used_fraction": "off: what a request needs is bytes, not a share of the card",
        "shed_free_bytes": "less than the activations of one batch: another request would fail and take others along",
        "shed_used_fraction": "off, for the same reason",
        "queue_wait_seconds": "a listener notices two seconds",
        "recover_seconds": "longer than a clause, so that one gap between requests does not switch back and forth",
    },
)

_RTX3060 = _RTX3090.like(
    "rtx3060",
    "GeForce RTX 3060, 12 GB",
    encoder=(Serving(1, 8, (2, 4), 500), "three requests bring few clauses at a time: smaller sizes are met sooner"),
    decoder=(Serving(1, 8, (2, 4), 1000), "a second instance would take memory for a card that one keeps busy"),
    vocoder=(Serving(1, 8, (2,), 1000), "a third of the 3090's bandwidth: larger batches only add waiting"),
    language_model=(Serving(1, 4), "three requests and a design; each text keeps up to 50 MB of keys and values"),
    text_frontend_instances=(1, "three requests do not keep one busy"),
    max_in_flight=(3, "the concurrency table of the system this service replaces: at most 3 on this card"),
    max_waiting=(32, "half as fast as the 3090: the same time of waiting"),
    idle_unload_seconds=(900, "a quarter of an hour: the memory is scarcer"),
    max_loaded_voices=(2, "with three, 12 GB would live at the threshold of the light path"),
)

_A4000 = _RTX3090.like(
    "a4000",
    "RTX A4000, 16 GB",
    encoder=(Serving(1, 8, (2, 4), 500), "four requests bring few clauses at a time: smaller sizes are met sooner"),
    decoder=(Serving(1, 8, (2, 4), 1000), "140 W and half the 3090's bandwidth: one instance keeps it busy"),
    vocoder=(Serving(2, 8, (2,), 1000), "memory for two instances, bandwidth for small batches"),
    language_model=(Serving(1, 6), "four requests and two designs"),
    max_in_flight=(4, "the concurrency table of the system this service replaces: at most 4 on this card"),
    max_waiting=(48, "between the 3060 and the 3090: the same time of waiting"),
    max_loaded_voices=(2, "two large voices of about 7 GB fill the card"),
)

_LAPTOP3060 = _RTX3060.like(
    "laptop3060",
    "GeForce RTX 3060 Laptop, 6 GB",
    encoder=(Serving(1, 8), "one request at a time: its own clauses are all that can meet, so nothing waits"),
    decoder=(Serving(1, 8), "the same"),
    vocoder=(Serving(1, 8), "the same"),
    style=(Serving(1, 8), "one request at a time"),
    language_model=(Serving(1, 2), "one request and a design"),
    qualities=(("balanced", "fast"), "the high tier's activations do not fit beside a large voice"),
    max_in_flight=(1, "the concurrency table of the system this service replaces: one at a time, the others queue"),
    max_waiting=(16, "one at a time: more would wait longer than anyone stays"),
    max_chunk_frames=(128, "half the activations of the vocoder"),
    idle_unload_seconds=(300, "five minutes: screen and games share the memory, and an idle card saves the battery"),
    max_loaded_voices=(1, "6 GB hold one large voice"),
    small_free_bytes=(3 * GIB // 2, "3 GB free would be half of the card: scaled to 6 GB"),
    light_free_bytes=(GIB, "3 GB free would be half of the card: scaled to 6 GB"),
    shed_free_bytes=(GIB // 4, "smaller batches, smaller activations"),
    queue_wait_seconds=(5, "queueing is the rule here and no sign of distress"),
)

_L4 = _RTX3090.like(
    "l4",
    "L4, 24 GB",
    decoder=(Serving(1, 16, (4, 8), 1000), "300 GB/s: a second instance would wait for the memory"),
    vocoder=(Serving(2, 8, (2, 4), 1000), "as the 3090: large on-chip cache, small batches"),
    language_model=(Serving(1, 6), "four requests and two designs"),
    max_in_flight=(4, "72 W and a third of the 3090's bandwidth: as the A4000"),
    idle_unload_seconds=(0, "a server's card has no other use: loading again would only delay someone"),
)

_H100 = _RTX3090.like(
    "h100",
    "H100, 80 GB",
    encoder=(Serving(2, 32, (8, 16), 1000), "kernels of one small batch leave most of the card idle"),
    decoder=(Serving(4, 32, (8, 16), 2000), "the same; a longer wait pays where a batch of 16 costs as one of 4"),
    vocoder=(Serving(4, 16, (4, 8), 2000), "the same; 80 GB hold the activations"),
    style=(Serving(2, 16, (4,), 1000), "instructions of many requests meet"),
    language_model=(Serving(1, 32), "32 requests at once, and memory for all their keys and values"),
    text_frontend_instances=(4, "a hundred sentences a second and process"),
    max_in_flight=(32, "enough clauses to fill the preferred batches of every stage"),
    max_waiting=(256, "the same ten seconds of waiting"),
    max_chunk_frames=(512, "large chunks fill the card, and the overlap costs half as much"),
    idle_unload_seconds=(0, "a server's card has no other use: loading again would only delay someone"),
    max_loaded_voices=(0, "80 GB hold every voice there is"),
    small_used_fraction=(0.9, "a fifth of 80 GB is not short"),
)

_CPU = Profile(
    name="cpu",
    hardware="any machine without a GPU, from two cores up",
    encoder=Serving(1, 8),
    decoder=Serving(1, 8),
    vocoder=Serving(2, 8),
    style=Serving(1, 8),
    language_model=Serving(1, 4),
    text_frontend_instances=1,
    precision=Precision.INT8,
    session={"enable_mem_pattern": "0"},
    batching=False,
    qualities=("high", "balanced", "fast"),
    max_in_flight=8,
    max_waiting=64,
    first_chunk_frames=32,
    max_chunk_frames=256,
    idle_unload_seconds=1800,
    max_loaded_voices=4,
    default_deadline_seconds=600,
    small_free_bytes=GIB,
    small_used_fraction=0.95,
    light_free_bytes=3 * GIB // 4,
    light_used_fraction=0,
    shed_free_bytes=GIB // 4,
    shed_used_fraction=0,
    queue_wait_seconds=5,
    recover_seconds=10,
    why={
        "encoder": "a few milliseconds a clause",
        "decoder": "the same",
        "vocoder": "two thirds of the work: two windows, of one or of two requests, are vocoded at once, each by half "
        "of the cores",
        "style": "the same",
        "language_model": "a step reads all weights once: four texts are hardly slower than one",
        "text_frontend_instances": "150 MB of dictionaries a process, and the stages are the bottleneck",
        "precision": "several times as fast where processors have instructions for it, and each stage that has it was "
        "judged by ear; float16 would be emulated",
        "session": "a clause is as long as it is, and ONNX Runtime would keep a plan for every length there ever was",
        "batching": "a batch takes as long as its clauses one after the other, and the padding comes on top; while "
        "requests of different lengths wait, Triton's batcher also keeps a core busy",
        "qualities": "whatever the voice has",
        "max_in_flight": "two cores are busy from two on; more lets short requests pass long ones, but with 16 all of "
        "them were late together under overload",
        "max_waiting": "at 25 s of audio a second, some ten seconds of waiting",
        "first_chunk_frames": "0.4 s of audio in about 15 ms of vocoding",
        "max_chunk_frames": "3.2 s of audio: larger activations leave the caches, smaller ones repeat more overlap",
        "idle_unload_seconds": "half an hour: gives the voice's 0.4 GB back, and loading again takes under a second",
        "max_loaded_voices": "four small voices are about 2 GB of memory",
        "default_deadline_seconds": "long enough for a chapter, short enough that a forgotten client does not stay",
        "small_free_bytes": "one step before the light path",
        "small_used_fraction": "80 % is everyday on a machine with other tenants, and what is free counts",
        "light_free_bytes": "about the whole service once more: its host memory is small beside a card's",
        "light_used_fraction": "off: what a request needs is bytes, not a share of the machine",
        "shed_free_bytes": "the largest peak of one request; below it the kernel starts to kill processes",
        "shed_used_fraction": "off, for the same reason",
        "queue_wait_seconds": "with 16 at once on two cores, seconds of waiting are load and not distress",
        "recover_seconds": "longer than a clause, so that one gap between requests does not switch back and forth",
    },
)

PLAIN = _CPU
PROFILES = {p.name: p for p in (_CPU, _RTX3090, _RTX3060, _A4000, _LAPTOP3060, _L4, _H100)}

"""What every system is asked to say: sentences of 10 to 30 characters, each one clause."""

from __future__ import annotations

from bench.texts import CLOSED_LOOP, TEXTS

SENTENCES = (
    TEXTS["short"],
    CLOSED_LOOP[0],
    TEXTS["medium"],
    CLOSED_LOOP[1],
    "请把窗户关上，外面风大。",
    CLOSED_LOOP[2],
    "从这里走到图书馆，大概需要二十分钟，路上会经过一座小桥。",
    CLOSED_LOOP[4],
    "晚饭以后我们一起去散步吧。",
    "医生建议他每天早睡早起，多吃水果，少喝咖啡。",
    CLOSED_LOOP[6],
    "雨停了，空气变得格外清新。",
)

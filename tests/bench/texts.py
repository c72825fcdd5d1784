"""What the benchmarks have spoken."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count

TEXTS = {
    "short": "你好，很高兴认识你。",
    "medium": "今天天气晴朗，气温二十五度，非常适合出门散步和朋友聊天。",
    "long": "人工智能正在改变我们的生活方式，从智能手机到自动驾驶汽车，从在线教育到远程医疗，"
    "新的技术不断涌现，为人们带来了前所未有的便利和机遇。",
}
# Of similar length, so that they meet in the same buckets.
CLOSED_LOOP = (
    "今天天气真好，我们去公园散步吧。",
    "明天上午九点，大家在会议室集合。",
    "这本书写得很有意思，很值得一读。",
    "他昨天晚上没有睡好，今天很疲倦。",
    "请问去火车站应该怎么走比较快呢？",
    "周末的时候，我喜欢在家里看电影。",
    "孩子们在院子里面高兴地唱着歌曲。",
    "这家餐厅的菜做得又好吃又很便宜。",
)
_PLACES = ("山脚下的村子", "河边的小镇", "老城的巷子", "海边的渔港", "林场的木屋", "车站旁的旅店")
_PEOPLE = ("老师傅", "邮递员", "小姑娘", "卖茶的老人", "年轻的医生", "修表匠", "船长")
_DEEDS = (
    "慢慢地推开了窗户，望着远处的灯火",
    "从口袋里取出一封旧信，读了又读",
    "在灯下翻开那本发黄的地图",
    "一边哼着歌，一边把院子打扫干净",
    "收拾好行李，准备第二天一早出发",
    "问起了十年前的那场大雪",
)
_TIMES = ("清晨", "黄昏", "那一年的秋天", "下雨的夜里", "新年的前一天", "集市散了以后")
_ENDS = ("。", "！", "，心里却想着别的事情。", "，谁也没有说话。", "，风吹得树叶沙沙作响。")


def prose(characters: int, seed: int = 0) -> str:
    """A text of exactly that many characters, of which no sentence is like its neighbours."""
    choose = random.Random(seed).choice
    text = ""
    while len(text) < characters:
        text += f"{choose(_TIMES)}，{choose(_PLACES)}里，{choose(_PEOPLE)}{choose(_DEEDS)}{choose(_ENDS)}"
        if choose(range(6)) == 0:
            text += "\n"
    return text[: max(0, characters - 1)].rstrip("，。！\n").ljust(characters - 1, "啊") + "。"


def instructions(seed: int = 0) -> Iterator[str]:
    """Ways to ask for a manner of speaking, each once."""
    choose = random.Random(seed).choice
    for index in count(1):
        manner = choose(("温柔", "欢快", "低沉", "平静", "急切", "慵懒"))
        pace = choose(("慢一点", "快一点", "不紧不慢", "稍微慢些", "稍微快些"))
        height = choose(("声音高一点", "声音低一点", "音调起伏大一些", "音调平一些"))
        yield f"请用{manner}的语气说，{pace}，{height}，像第{index}次讲这个故事那样"

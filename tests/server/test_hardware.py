"""The hardware profile that a machine gets by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.hardware import GIB, Choice, Gpu, choose, detect, flags, visible

ALL = ("cpu", "amx", "rtx3090", "rtx3060", "a4000", "laptop3060", "l4", "h100")


def gpu(name: str, mib: int, uuid: str = "") -> Gpu:
    return Gpu(name, mib << 20, uuid)


@pytest.mark.parametrize(
    ("name", "mib", "profile"),
    [
        ("NVIDIA GeForce RTX 3090", 24576, "rtx3090"),
        ("NVIDIA GeForce RTX 3090 Ti", 24564, "rtx3090"),
        ("NVIDIA GeForce RTX 3060", 12288, "rtx3060"),
        ("NVIDIA RTX A4000", 16376, "a4000"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", 6144, "laptop3060"),
        ("NVIDIA L4", 23034, "l4"),
        ("NVIDIA H100 80GB HBM3", 81559, "h100"),
        ("NVIDIA H100 PCIe", 81559, "h100"),
        # by memory
        ("NVIDIA GeForce RTX 4090", 24564, "rtx3090"),
        ("NVIDIA L40S", 46068, "rtx3090"),
        ("NVIDIA H200", 143771, "h100"),
        ("NVIDIA A100-SXM4-80GB", 81920, "h100"),
        ("NVIDIA A100-PCIE-40GB", 40960, "rtx3090"),
        ("NVIDIA GeForce RTX 4080", 16376, "a4000"),
        ("NVIDIA GeForce RTX 3060 Ti", 8192, "laptop3060"),
        ("NVIDIA GeForce RTX 3060", 8192, "laptop3060"),  # the smaller of two cards with that name
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16376, "laptop3060"),
        ("NVIDIA RTX A4000 Laptop GPU", 8192, "laptop3060"),
        ("NVIDIA GeForce GTX 1650", 4096, "cpu"),
        ("NVIDIA H100 80GB HBM3", 9856, "laptop3060"),  # a part of a divided card
    ],
)
def test_a_card_is_known_by_its_name_or_else_gets_the_nearest_smaller_profile(
    name: str, mib: int, profile: str
) -> None:
    choice = choose([gpu(name, mib)], ALL)
    assert choice.profile == profile
    assert name in choice.reason


def test_a_machine_without_a_gpu_gets_the_plain_profile() -> None:
    choice = choose([], ALL)
    assert (choice.profile, choice.reason) == ("cpu", "no NVIDIA GPU was found")


def test_the_smallest_of_several_cards_decides() -> None:
    cards = [gpu("NVIDIA GeForce RTX 3090", 24576), gpu("NVIDIA GeForce RTX 3060", 12288)]
    assert choose(cards, ALL).profile == "rtx3060"


def test_only_a_profile_that_the_repository_has_is_chosen() -> None:
    assert choose([gpu("NVIDIA H100 PCIe", 81559)], ("cpu", "a4000", "rtx3060")).profile == "a4000"
    assert choose([gpu("NVIDIA H100 PCIe", 81559)], ("cpu",)).profile == "cpu"


def test_a_processor_with_products_in_bfloat16_has_a_profile_of_its_own_where_there_is_no_card() -> None:
    able, unable = {"avx2", "amx_tile", "amx_bf16"}, {"avx2", "amx_tile"}
    assert choose([], ALL, able) == Choice("amx", "no NVIDIA GPU was found, and the processor has AMX")
    assert choose([], ALL, unable).profile == choose([], ("cpu",), able).profile == "cpu"
    assert choose([gpu("NVIDIA L4", 23034)], ALL, able).profile == "l4"


def test_a_processors_flags_are_read_where_the_system_tells_them(tmp_path: Path) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nflags\t\t: fpu sse amx_bf16\n\nprocessor\t: 1\nflags\t\t: fpu sse amx_bf16\n")
    assert flags(told) == {"fpu", "sse", "amx_bf16"}
    assert flags(tmp_path / "missing") == set()


@given(st.lists(st.builds(Gpu, st.text(max_size=40), st.integers(0, 300 * GIB))), st.sets(st.sampled_from(ALL)))
def test_every_machine_gets_a_profile_that_its_smallest_card_can_hold(cards: list[Gpu], available: set[str]) -> None:
    sizes = {"cpu": 0, "amx": 0, "laptop3060": 6, "rtx3060": 12, "a4000": 16, "l4": 24, "rtx3090": 24, "h100": 80}
    choice = choose(cards, available)
    assert choice.profile in available | {"cpu"}
    assert choice.profile == "cpu" or min(card.memory for card in cards) >= 0.88 * sizes[choice.profile] * GIB


def test_cards_that_cuda_does_not_see_do_not_count() -> None:
    cards = [gpu("a", 1, "GPU-11"), gpu("b", 2, "GPU-22"), gpu("c", 3, "GPU-33")]
    assert visible(cards, {}) == cards
    assert visible(cards, {"CUDA_VISIBLE_DEVICES": "2, 0"}) == [cards[2], cards[0]]
    assert visible(cards, {"CUDA_VISIBLE_DEVICES": "GPU-2"}) == [cards[1]]
    assert visible(cards, {"CUDA_VISIBLE_DEVICES": "1,9,0"}) == [cards[1]]
    assert visible(cards, {"CUDA_VISIBLE_DEVICES": ""}) == []
    assert visible(cards, {"CUDA_VISIBLE_DEVICES": "-1"}) == []


def test_looking_for_cards_is_no_error_on_any_machine() -> None:
    assert all(card.memory > 0 for card in detect({}))
    assert detect({"CUDA_VISIBLE_DEVICES": ""}) == []

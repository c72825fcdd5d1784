"""Files that nobody trusts: what is read of them, and the sentence for everything else."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from export.archives import unpack_zip
from export.checkpoint_files import (
    fuse_weight_norm,
    load_strict,
    read_array,
    read_arrays,
    read_checkpoint,
    read_json,
    read_safetensors,
    read_yaml,
    tensors,
)
from export.errors import CheckpointError, listed


class Malice:
    """Unpickled by Python itself, this would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def saved(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("as_archive", [True, False])
def test_a_checkpoint_of_either_format_is_read(tmp_path: Path, as_archive: bool) -> None:
    path = saved(
        tmp_path / "a.pth", {"model": {"w": torch.arange(3.0)}, "steps": 7}, _use_new_zipfile_serialization=as_archive
    )
    content = read_checkpoint(path)
    assert content["steps"] == 7
    assert tensors(content, "model", path=path)["w"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("as_archive", [True, False])
@pytest.mark.parametrize("kept", [0, 1, 30, 0.5, 0.99])
def test_a_checkpoint_cut_short_says_fetch_it_again(tmp_path: Path, as_archive: bool, kept: float) -> None:
    path = saved(tmp_path / "a.pth", {"w": torch.ones(500)}, _use_new_zipfile_serialization=as_archive)
    whole = path.read_bytes()
    written(path, whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(CheckpointError, match="fetch it again"):
        read_checkpoint(path)


@pytest.mark.parametrize("as_archive", [True, False])
def test_code_in_a_checkpoint_is_named_and_not_run(tmp_path: Path, as_archive: bool) -> None:
    target = tmp_path / "made"
    path = saved(tmp_path / "a.pth", {"model": Malice(target)}, _use_new_zipfile_serialization=as_archive)
    with pytest.raises(CheckpointError, match=r"Python object \w+\.mkdir, which could run code"):
        read_checkpoint(path)
    assert not target.exists()


def test_code_in_a_bare_pickle_is_not_run(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with pytest.raises(CheckpointError):
        read_checkpoint(written(tmp_path / "a.pkl", pickle.dumps(Malice(target))))
    assert not target.exists()


@pytest.mark.parametrize(
    "content", [b"", b"hello, world\n" * 9, b"<html>", b"\x89PNG\r\n\x1a\n" + bytes(99), b"PK\x03\x04"]
)
def test_what_is_no_checkpoint_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CheckpointError, match="no PyTorch checkpoint"):
        read_checkpoint(written(tmp_path / "a.pth", content))


def test_a_git_lfs_pointer_says_how_to_get_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pth", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(CheckpointError, match="git lfs pull"):
        read_checkpoint(path)


@pytest.mark.parametrize("read", [read_checkpoint, read_yaml, read_json, read_array])
def test_a_missing_file_and_a_folder_are_told(tmp_path: Path, read: Any) -> None:
    with pytest.raises(CheckpointError, match="cannot read"):
        read(tmp_path / "none")
    with pytest.raises(CheckpointError, match="cannot read"):
        read(tmp_path)


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path: Path) -> None:
    source = saved(tmp_path / "a.pth", {"w": torch.zeros(100_000)})
    bomb = tmp_path / "b.pth"
    with zipfile.ZipFile(source) as plain, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(CheckpointError, match="compressed"):
        read_checkpoint(bomb)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data(), as_archive=st.booleans())
def test_a_damaged_checkpoint_is_read_or_refused_but_never_crashes(
    tmp_path: Path, data: st.DataObject, as_archive: bool
) -> None:
    path = saved(tmp_path / "a.pth", {"w": torch.ones(20)}, _use_new_zipfile_serialization=as_archive)
    damaged = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    with suppress(CheckpointError):
        tensors(read_checkpoint(written(path, bytes(damaged))), path=path)


def test_a_state_dict_that_is_not_there_is_told_with_what_is(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with pytest.raises(CheckpointError, match=r'has no "model" but generator, steps'):
        tensors({"generator": {}, "steps": 1}, "model", path=path)
    with pytest.raises(CheckpointError, match=r'a.pth\["model"\] has no "generator" but w:'):
        tensors({"model": {"w": torch.ones(1)}}, "model", "generator", path=path)
    with pytest.raises(CheckpointError, match="an int as steps where only tensors are expected"):
        tensors({"w": torch.ones(1), "steps": 1}, path=path)
    for nothing in ({}, [], 3):
        with pytest.raises(CheckpointError, match="instead of named tensors"):
            tensors(nothing, path=path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_tensor_that_is_not_finite_is_named(value: float) -> None:
    with pytest.raises(CheckpointError, match=r"layer\.weight of a\.pth holds NaN"):
        tensors({"fine": torch.ones(2), "layer.weight": torch.tensor([1.0, value])}, path=Path("a.pth"))


def test_tensors_that_are_no_dense_real_numbers_are_refused() -> None:
    for value in (torch.ones(3).to_sparse(), torch.ones(3, device="meta"), torch.ones(3, dtype=torch.complex64)):
        with pytest.raises(CheckpointError, match="not a dense tensor"):
            tensors({"w": value}, path=Path("a.pth"))
    with pytest.raises(CheckpointError, match="fewer values"):
        tensors({"w": torch.ones(1).expand(1 << 40)}, path=Path("a.pth"))


@pytest.mark.parametrize("layer", [nn.Conv1d(3, 5, 7), nn.ConvTranspose1d(3, 5, 7), nn.Linear(3, 5)])
def test_both_ways_of_weight_normalisation_multiply_out_to_torchs_weight(layer: nn.Module) -> None:
    torch.manual_seed(1)
    new = nn.utils.parametrizations.weight_norm(layer)
    with torch.no_grad():
        new.parametrizations.weight.original0.uniform_(0.5, 2.0)
    state = new.state_dict()
    old = {
        "weight_g": state["parametrizations.weight.original0"],
        "weight_v": state["parametrizations.weight.original1"],
        "bias": state["bias"],
    }
    for form in (state, old):
        fused = fuse_weight_norm(form)
        assert set(fused) == {"weight", "bias"}
        torch.testing.assert_close(fused["weight"], new.weight)


def test_half_a_weight_normalisation_is_told() -> None:
    direction, magnitude = torch.ones(2, 3), torch.ones(2, 1)
    with pytest.raises(CheckpointError, match=r"a\.weight is there in part only, weight_g"):
        fuse_weight_norm({"a.weight_v": direction})
    with pytest.raises(CheckpointError, match=r"a\.weight is there in part only, weight_v"):
        fuse_weight_norm({"a.weight_g": magnitude})
    with pytest.raises(CheckpointError, match=r"direction \[2, 3\] and a magnitude \[3, 1\]"):
        fuse_weight_norm({"a.weight_v": direction, "a.weight_g": torch.ones(3, 1)})
    with pytest.raises(CheckpointError, match="direction is zero"):
        fuse_weight_norm({"a.weight_v": direction * 0, "a.weight_g": magnitude})


def test_a_module_gets_exactly_the_tensors_of_its_checkpoint() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    state = {name: torch.randn_like(value) for name, value in module.state_dict().items()}
    load_strict(module, state | {"table.inverse": torch.ones(1)}, "a.pth", ignored=("table.",))
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_missing_unexpected_and_reshaped_tensors_are_listed_and_nothing_is_loaded() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = {
        "0.weight": torch.ones(2, 3),
        "0.bias": torch.ones(2),
        "1.weight": torch.ones(1, 2),
        "extra": torch.ones(1),
    }
    with pytest.raises(CheckpointError) as caught:
        load_strict(module, state, "a.pth")
    assert str(caught.value) == (
        "a.pth does not fit its config: missing: 1.bias; unexpected: extra; "
        "of another shape: 0.weight [2, 3] instead of [2, 2]"
    )
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_long_list_is_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == ""
    assert listed([f"name{i}" for i in range(20)], 20) == "name0, name1, name2 and 17 more"
    assert len(listed(["x" * 500, "y"], 50)) < 70
    module = nn.Sequential(*(nn.Linear(1, 1) for _ in range(99)))
    with pytest.raises(CheckpointError) as caught:
        load_strict(module, {f"a.rather.long.name.of.a.tensor.{i}": torch.ones(1) for i in range(99)}, "a.pth")
    assert len(str(caught.value)) < 300


def test_yaml_that_names_python_objects_is_refused(tmp_path: Path) -> None:
    for tag in ("!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!!python/tuple [1]", "!own 1"):
        with pytest.raises(CheckpointError, match=r"Python object .*could run code"):
            read_yaml(written(tmp_path / "a.yaml", f"a: {tag}\n"))


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [", "1: 2\n", "a: !!timestamp x", "[" * 5000, "\x00", "a: !!int ''"])
def test_yaml_that_is_no_mapping_of_settings_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match="fetch it again"):
        read_yaml(written(tmp_path / "a.yaml", text))


def test_yaml_and_json_settings_are_read(tmp_path: Path) -> None:
    assert read_yaml(written(tmp_path / "a.yaml", "a: 1\nb: [x, {c: 2.5}]\n")) == {"a": 1, "b": ["x", {"c": 2.5}]}
    assert read_json(written(tmp_path / "a.json", '{"a": [1]}')) == {"a": [1]}


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 200_000])
def test_json_that_is_no_object_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CheckpointError, match="fetch it again"):
        read_json(written(tmp_path / "a.json", content))


def test_a_config_of_megabytes_is_not_parsed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="too long for a config"):
        read_yaml(written(tmp_path / "a.yaml", b"#" * (2 << 20)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(text=st.text(alphabet="ab01-:!&*[]{}'\"|>%@\n \t#,?~", max_size=60))
def test_any_text_is_settings_or_refused(tmp_path: Path, text: str) -> None:
    for read in (read_yaml, read_json):
        with suppress(CheckpointError):
            assert isinstance(read(written(tmp_path / "a", text)), dict)


def array_bytes(value: Any, *, compressed: bool | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    if compressed is None:
        np.save(buffer, value, **options)
    else:
        (np.savez_compressed if compressed else np.savez)(buffer, **value)
    return buffer.getvalue()


@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_are_read(tmp_path: Path, compressed: bool) -> None:
    values = {"mean": np.arange(3.0), "scale": np.ones(3, np.float32)}
    assert read_array(written(tmp_path / "a.npy", array_bytes(values["mean"]))).tolist() == [0.0, 1.0, 2.0]
    read = read_arrays(written(tmp_path / "a.npz", array_bytes(values, compressed=compressed)))
    assert {name: value.tolist() for name, value in read.items()} == {n: v.tolist() for n, v in values.items()}


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "made"
    objects = np.array([Malice(target)], dtype=object)
    with pytest.raises(CheckpointError, match="could run code"):
        read_array(written(tmp_path / "a.npy", array_bytes(objects, allow_pickle=True)))
    with pytest.raises(CheckpointError, match="could run code"):
        read_arrays(written(tmp_path / "a.npz", array_bytes({"mean": objects}, compressed=False)))
    with pytest.raises(CheckpointError):
        read_array(written(tmp_path / "b.npy", pickle.dumps(Malice(target))))
    assert not target.exists()


def test_arrays_that_are_damaged_or_no_numbers_are_told(tmp_path: Path) -> None:
    whole = array_bytes(np.arange(100.0))
    for content in (b"", whole[:5], whole[:60], whole[:-8], b"{}", whole.replace(b"(100,)", b"(9e9,)")):
        with pytest.raises(CheckpointError, match=r"is damaged, or is no NumPy array"):
            read_array(written(tmp_path / "a.npy", content))
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        read_array(written(tmp_path / "a.npy", array_bytes(np.array([1.0, np.nan]))))
    with pytest.raises(CheckpointError, match="instead of numbers"):
        read_array(written(tmp_path / "a.npy", array_bytes(np.array(["text"]))))
    archive = written(tmp_path / "a.npz", array_bytes({"mean": np.ones(1000)}, compressed=False))
    with pytest.raises(CheckpointError, match="one array is expected"):
        read_array(archive)
    with pytest.raises(CheckpointError, match="a single array"):
        read_arrays(written(tmp_path / "b.npz", whole))
    for compressed in (True, False):
        damaged = bytearray(array_bytes({"mean": np.arange(1000.0)}, compressed=compressed))
        damaged[500:520] = bytes(20)
        with pytest.raises(CheckpointError, match="is damaged"):
            read_arrays(written(archive, bytes(damaged)))


def archive_of(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.zip", ("F7/", b""), ("F7/am/x.bin", b"1"), ("./y", b"2"))
    unpack_zip(path, tmp_path / "out")
    assert (tmp_path / "out/F7/am/x.bin").read_bytes() == b"1"
    assert (tmp_path / "out/y").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "\\evil"])
def test_a_path_out_of_the_archives_folder_is_refused_before_anything_is_unpacked(tmp_path: Path, name: str) -> None:
    path = archive_of(tmp_path / "a.zip", ("fine", b"1"), (name, b"2"))
    with pytest.raises(CheckpointError, match="outside its own folder"):
        unpack_zip(path, tmp_path / "out")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.zip"]


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with pytest.raises(CheckpointError, match="a link or a device"):
        unpack_zip(archive_of(tmp_path / "a.zip", ("fine", b"1"), (link, b"/etc/passwd")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_says_it_is_huge_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.archives.MAX_BYTES", 1000)
    with pytest.raises(CheckpointError, match="it is not unpacked"):
        unpack_zip(archive_of(tmp_path / "a.zip", ("zeros", bytes(2000))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.zip", ("zeros", bytes(70_000)))
    true, said = (70_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    written(path, path.read_bytes().replace(true, said))
    with pytest.raises(CheckpointError, match="damaged"):
        unpack_zip(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_archive_is_told_before_anything_is_unpacked(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.zip", ("first", b"1" * 100), ("second", bytes(range(256))))
    whole = path.read_bytes()
    place = whole.index(b"second") + 20
    for content in (b"", b"PK\x03\x04", whole[:-30], whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :]):
        with pytest.raises(CheckpointError, match="damaged or no ZIP archive"):
            unpack_zip(written(path, content), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_a_safetensors_file_is_read_by_name(tmp_path: Path) -> None:
    save_file({"a": torch.arange(3.0), "b": torch.ones(2, dtype=torch.float16)}, tmp_path / "x.safetensors")
    state = read_safetensors(tmp_path / "x.safetensors")
    assert state["a"].tolist() == [0, 1, 2]
    assert state["b"].dtype == torch.float16


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged, cut short or no safetensors file; fetch it again"),
        (b"\xff" * 64, "damaged, cut short or no safetensors file; fetch it again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "only a Git LFS pointer"),
        (None, "cannot read"),
    ],
)
def test_what_is_no_safetensors_file_is_one_sentence(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_safetensors(path)


def test_safetensors_with_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.tensor([1.0, torch.nan])}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        read_safetensors(tmp_path / "x.safetensors")

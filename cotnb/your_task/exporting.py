"""Folders of a user's: claimed before anything is written, students put there."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from cotnb.errors import UserError
from cotnb.files import refusals_told, write_whole
from cotnb.first_layers import split_name
from cotnb.paths import cache_folder
from cotnb.students import Student

CLAIM = "settings.json"  # says that a folder is ours to write to
STUDENT = "student"  # the folder of the tuned student
PREDICTIONS = "predictions"  # the folder of what students answered
REPORT, FIGURE = "report.md", "accuracy.png"
EARLIER, FILLING = "earlier", ".earlier.new"  # what other settings made before
# what a call puts into a folder, the report last
MADE = ("train.jsonl", "test.jsonl", "rationales.jsonl", PREDICTIONS, STUDENT)
MADE += (FIGURE, REPORT)


def claim_folder(folder: Path, settings: Mapping, read: Iterable[Path] = ()) -> Path:
    """Makes a folder ours; one that holds anything else is left alone.

    settings: JSON values, kept in it; "questions" is one of them. One that an earlier
    call made for the same questions is written to again, and what students answered
    then is cleared; what a finished call with other settings made goes to EARLIER
    first, in place of what is there. read: what is still to be read. Raises UserError
    where the folder holds files of others or another task's, where something that is
    still to be read is what would be written, or where it cannot be written.
    """
    folder = Path(folder).expanduser()
    if folder.is_file():
        raise UserError(f"{folder}: this is a file; name a folder for what comes out")
    kept = _settings_of(folder / CLAIM)
    questions = kept.get("questions")
    if folder.is_dir() and any(folder.iterdir()) and questions is None:
        raise UserError(f"{folder}: holds other files; name a new or an empty folder")
    if questions not in (None, settings["questions"]):
        raise UserError(
            f"{folder}: holds what came out of {questions}; name another folder with "
            "--output"
        )
    made = [(folder / name).resolve() for name in MADE]
    for path in read:
        if any(path.resolve().is_relative_to(place) for place in made):
            raise UserError(f"{path}: would be written anew; copy it elsewhere first")
    with refusals_told(f"{folder / EARLIER}: not written", "make room and run again"):
        _finish_putting_aside(folder)
        if (folder / REPORT).is_file() and kept != json.loads(json.dumps(settings)):
            _put_aside(folder)
    shutil.rmtree(folder / PREDICTIONS, ignore_errors=True)
    write_whole(folder / CLAIM, json.dumps(settings, indent=1) + "\n")
    return folder


def _settings_of(path: Path) -> dict:
    """What a folder was claimed with; empty where it was not."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _put_aside(folder: Path) -> None:
    """What a finished call made, to EARLIER in its folder: two settings never mix."""
    filling = folder / FILLING
    filling.mkdir(exist_ok=True)
    shutil.copy2(folder / CLAIM, filling)  # without it the folder is nobody's
    for name in MADE:
        if (folder / name).exists():
            os.replace(folder / name, filling / name)
    _finish_putting_aside(folder)


def _finish_putting_aside(folder: Path) -> None:
    """Also where a kill stopped it: all is in FILLING once the last of MADE is.

    Before that, what is there goes back to where it was.
    """
    earlier, filling = folder / EARLIER, folder / FILLING
    if not filling.is_dir():
        return
    if (filling / MADE[-1]).exists():
        shutil.rmtree(earlier, ignore_errors=True)
        os.replace(filling, earlier)
        return
    for name in MADE:
        if (filling / name).exists() and not (folder / name).exists():
            os.replace(filling / name, folder / name)
    shutil.rmtree(filling)


def export_student(student: Student, folder: Path) -> Path:
    """Copies a tuned student out of the cache to folder/student, and gives the path.

    Full weights load with `AutoModel….from_pretrained`, an adapter with
    `PeftModel.from_pretrained` on the untuned student.
    Raises UserError where the disk refuses; what was there before then stays.
    """
    source = cache_folder() / "students" / student.fingerprint
    place = folder / STUDENT
    new, old = folder / f".{STUDENT}.new", folder / f".{STUDENT}.old"
    try:
        if old.is_dir() and not place.is_dir():  # a kill left it so
            os.replace(old, place)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(source, new)
        if place.is_dir():
            os.replace(place, old)
        os.replace(new, place)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, shutil.Error) as error:
        raise UserError(
            f"{place}: the student could not be copied ({error}); make room and run "
            "again: nothing is tuned twice"
        ) from error
    return place


def loading_code(
    student: Student, place: Path, prompt: str, max_new_tokens: int
) -> str:
    """Python that loads an exported student and asks it, without this package.

    prompt: of one question, as it was tuned to read it. max_new_tokens: of a text.
    """
    family = "Seq2SeqLM" if student.is_encoder_decoder else "CausalLM"
    lines = [f"from transformers import AutoModelFor{family}, AutoTokenizer", ""]
    adapter = place / "adapter_config.json"
    if adapter.is_file():
        told = json.loads(adapter.read_text(encoding="utf-8"))
        base, layers = told["base_model_name_or_path"], split_name(student.name)[1]
        lines.insert(0, "from peft import PeftModel")
        lines.append(f'base = AutoModelFor{family}.from_pretrained("{base}")')
        if layers is not None:
            lines += [
                f"del base.get_decoder().layers[{layers}:]  # what was tuned is cut",
                f"base.config.num_hidden_layers = {layers}",
            ]
        lines.append(f'model = PeftModel.from_pretrained(base, "{STUDENT}")')
    else:
        lines.append(f'model = AutoModelFor{family}.from_pretrained("{STUDENT}")')
    skipped = "" if student.is_encoder_decoder else "[:, asked.input_ids.shape[1] :]"
    plain = "" if student.is_encoder_decoder else ", add_special_tokens=False"
    lines += [
        f'tokenizer = AutoTokenizer.from_pretrained("{STUDENT}")',
        "",
        "# a question in the form that it was tuned on",
        f"prompt = {prompt!r}",
        f'asked = tokenizer(prompt, return_tensors="pt"{plain})',
        f"written = model.generate(**asked, max_new_tokens={max_new_tokens})",
        f"print(tokenizer.decode(written{skipped}[0], skip_special_tokens=True))",
    ]
    return "\n".join(lines)

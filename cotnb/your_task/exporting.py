"""Folders of a user's: claimed before anything is written, students put there."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.paths import cache_folder
from cotnb.students import Student

CLAIM = "settings.json"  # says that a folder is ours to write to
STUDENT = "student"  # the folder of the tuned student


def claim_folder(folder: Path, settings: Mapping) -> Path:
    """Makes a folder ours; one that holds anything else is left alone.

    settings: JSON values, kept in it. Raises UserError where it holds files of others,
    or cannot be written.
    """
    folder = Path(folder).expanduser()
    if folder.is_file():
        raise UserError(f"{folder}: this is a file; name a folder for what comes out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CLAIM).is_file():
        raise UserError(f"{folder}: holds other files; name a new or an empty folder")
    write_whole(folder / CLAIM, json.dumps(settings, indent=1) + "\n")
    return folder


def export_student(student: Student, folder: Path) -> Path:
    """Copies a tuned student out of the cache to folder/student, and gives the path.

    Full weights load with `AutoModel….from_pretrained`, an adapter with
    `PeftModel.from_pretrained` on the untuned student.
    Raises UserError where the disk refuses; what was there before then stays.
    """
    source = cache_folder() / "students" / student.fingerprint
    place = folder / STUDENT
    new = folder / f".{STUDENT}.new"
    try:
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(source, new)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(new, place)
    except (OSError, shutil.Error) as error:
        raise UserError(
            f"{place}: the student could not be copied ({error}); make room and run "
            "again: nothing is tuned twice"
        ) from error
    return place


def loading_code(student: Student, place: Path) -> str:
    """Python that loads an exported student, without this package."""
    family = "Seq2SeqLM" if student.is_encoder_decoder else "CausalLM"
    lines = [f"from transformers import AutoModelFor{family}, AutoTokenizer", ""]
    adapter = place / "adapter_config.json"
    if adapter.is_file():
        base = json.loads(adapter.read_text())["base_model_name_or_path"]
        lines.insert(0, "from peft import PeftModel")
        lines += [
            f'base = AutoModelFor{family}.from_pretrained("{base}")',
            f'model = PeftModel.from_pretrained(base, "{STUDENT}")',
        ]
    else:
        lines.append(f'model = AutoModelFor{family}.from_pretrained("{STUDENT}")')
    lines.append(f'tokenizer = AutoTokenizer.from_pretrained("{STUDENT}")')
    return "\n".join(lines)

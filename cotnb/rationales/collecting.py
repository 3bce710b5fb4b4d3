"""Asking a teacher; every reply is kept as it comes, and none is paid for twice."""

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from cotnb.answers import canonical, is_correct
from cotnb.errors import UserError
from cotnb.files import locked_file
from cotnb.paths import cache_folder
from cotnb.progress import Progress
from cotnb.rationales.endpoint_teacher import EndpointTeacher
from cotnb.rationales.record import Rationale, read_reply, read_row
from cotnb.rationales.teachers import Asked, Reply, Sampling, Teacher
from cotnb.tasks.example import Example


@dataclass(frozen=True)
class Wanted:
    """A sample that a teacher is to write for a question."""

    example: Example
    asked: Asked


def kept_replies(teacher: Teacher, prefix: str, folder: str | Path = "") -> Path:
    """The file of a teacher's replies: whoever asks again pays for nothing.

    prefix: what they are for. folder: where it lies; empty: in the cache. Another
    endpoint's model of the same name is another teacher.
    """
    told = teacher.name
    if isinstance(teacher, EndpointTeacher):
        told += f"@{teacher.host}"
    name = "".join(c if c.isalnum() or c in ".-+" else "-" for c in told)
    return Path(folder or cache_folder() / "rationales") / f"{prefix}-{name}.jsonl"


def collect(
    teacher: Teacher,
    wanted: Sequence[Wanted],
    path: Path,
    sampling: Sampling,
    style: str,
    prices: tuple[float, float] | None = None,
) -> list[Rationale]:
    """The rationales that are wanted, in order; what the file has is not asked again.

    path: a JSONL file, a record a line, written to as replies come. style: the name of
    how the teacher is asked. prices: dollars per million tokens read and written, for
    the line that says what this call cost.
    Raises UserError where the teacher fails, the disk refuses, or a line of the file is
    no record (the last one, cut by a kill, is dropped).
    """
    # runs at the same time may want the same: the second waits, and finds it there
    with locked_file(path):
        kept = {_key(r): r for r in _read_kept(path) if _serves(r, sampling)}
        keys = [_key(_unwritten(teacher, w, sampling, style)) for w in wanted]
        missing = {k: w for k, w in zip(keys, wanted, strict=True) if k not in kept}
        before = len(set(keys)) - len(missing)
        new = _ask(teacher, list(missing.values()), path, sampling, style)
        kept |= {_key(r): r for r in new}
    print(_cost(teacher, new, before, prices))
    pairs = zip(keys, wanted, strict=True)
    return [_judged(kept[key], one.example) for key, one in pairs]


def _judged(kept: Rationale, example: Example) -> Rationale:
    """A reply by the example's answer as it is now: it may have been mended since."""
    said = canonical(kept.prediction, example.answer_type)
    right = is_correct(said, example.answer, example.answer_type)
    return replace(kept, answer=example.answer, correct=right)


def _ask(
    teacher: Teacher, wanted: list[Wanted], path: Path, sampling: Sampling, style: str
) -> list[Rationale]:
    new: list[Rationale] = []
    if not wanted:
        return new
    progress = Progress(len(wanted), f"asking {teacher.name}, replies")
    try:
        replies = teacher.replies([w.asked for w in wanted], sampling)
        with path.open("a", encoding="utf-8") as file, closing(replies):
            for number, reply in replies:
                new.append(_judge(teacher, wanted[number], reply, sampling, style))
                file.write(json.dumps(new[-1].row(), ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
                progress.advance(1)
    except UserError as error:
        raise UserError(
            f"{error}; {len(new)} of {len(wanted)} new replies are kept in {path}: run "
            "again to ask for the others"
        ) from None
    except OSError as error:
        raise UserError(
            f"{path}: not written ({error.strerror}); {max(0, len(new) - 1)} new "
            "replies are kept: make room and run again"
        ) from error
    finally:
        progress.close()
    return new


def _judge(
    teacher: Teacher, wanted: Wanted, reply: Reply, sampling: Sampling, style: str
) -> Rationale:
    rationale, prediction, correct = read_reply(_sound(reply.text), wanted.example)
    likeliest = reply.top_logprobs and [
        [(_sound(token), logprob) for token, logprob in place]
        for place in reply.top_logprobs
    ]
    return replace(
        _unwritten(teacher, wanted, sampling, style),
        rationale=rationale,
        prediction=prediction,
        correct=correct,
        prompt_tokens=reply.prompt_tokens,
        new_tokens=reply.new_tokens,
        top_logprobs=likeliest,
    )


def _sound(text: str) -> str:
    """A text that can be written: half a character that was cut becomes a "?"."""
    return text.encode("utf-8", "replace").decode()


def _unwritten(
    teacher: Teacher, wanted: Wanted, sampling: Sampling, style: str
) -> Rationale:
    """The record of a sample as far as it is known before it is written."""
    return Rationale(
        question=wanted.example.question,
        rationale="",
        prediction="",
        answer=wanted.example.answer,
        correct=False,
        teacher=teacher.name,
        style=style,
        id=wanted.example.id,
        prompt=wanted.asked.prompt,
        temperature=sampling.temperature,
        max_new_tokens=sampling.max_new_tokens,
        sample=wanted.asked.sample,
    )


def _key(r: Rationale) -> tuple:
    """What makes a sample itself: asked for again, it is not paid again."""
    how = (r.temperature, r.max_new_tokens, r.sample)
    return r.teacher, r.style, r.id, r.prompt, *how


def _serves(kept: Rationale, sampling: Sampling) -> bool:
    """Whether it tells log-probabilities where they are asked for."""
    return not sampling.top_logprobs or kept.top_logprobs is not None


def _read_kept(path: Path) -> Iterable[Rationale]:
    """What the file holds; a last line that a kill cut short is taken off it."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("rb+") as file:
            file.truncate(len(whole))
    rows = []
    for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
        try:
            rows.append(read_row(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{path}, line {number}: no record of a reply; mend or remove the line"
            ) from None
    return rows


def _cost(
    teacher: Teacher,
    new: Sequence[Rationale],
    before: int,
    prices: tuple[float, float] | None,
) -> str:
    read = sum(r.prompt_tokens for r in new)
    written = sum(r.new_tokens for r in new)
    line = (
        f"{teacher.name}: {len(new)} replies asked for, {before} from the file; "
        f"{read:,} tokens read, {written:,} written"
    )
    return line + (f", ${dollars(new, prices):.2f}" if prices else "")


def dollars(written: Iterable[Rationale], prices: tuple[float, float]) -> float:
    """What rationales cost, at dollars per million tokens read and written."""
    return (
        sum(r.prompt_tokens * prices[0] + r.new_tokens * prices[1] for r in written)
        / 1e6
    )

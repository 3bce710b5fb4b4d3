"""The command python -m cotnb tune: options to wishes, and nothing else."""

import math
from pathlib import Path
from typing import Annotated

import typer

from cotnb.errors import UserError


def tune(
    questions: Annotated[
        Path, typer.Argument(help="JSONL: question, answer, and rationale if there is")
    ],
    output: Annotated[
        Path, typer.Option(help="a new folder for what comes out")
    ] = Path("your_task"),
    student: Annotated[
        str, typer.Option(help="a name, a folder with a model, or a hub id")
    ] = "SmolLM2-135M",
    teacher: Annotated[
        str,
        typer.Option(help="a model of OPENAI_BASE_URL's, or local: and a student"),
    ] = "",
    rationale_file: Annotated[str, typer.Option(help="JSONL of rationales")] = "",
    answer_type: Annotated[
        str, typer.Option(help="number, choice, yes_no, text, ...; empty: detected")
    ] = "",
    split: Annotated[
        str, typer.Option(help="template: no template on both sides; or random")
    ] = "template",
    test_questions: Annotated[int, typer.Option(min=1, help="at most")] = 200,
    samples: Annotated[
        int | None, typer.Option(min=1, help="rationales a question")
    ] = None,
    most_asked: Annotated[
        int, typer.Option(min=1, help="questions that the teacher is asked, at most")
    ] = 1000,
    teacher_tokens: Annotated[
        int, typer.Option(min=1, help="the longest text that the teacher writes")
    ] = 256,
    prices: Annotated[
        str, typer.Option(help="dollars per million tokens read,written: 0.15,0.60")
    ] = "",
    teach: Annotated[str | None, typer.Option(help="cot or answer_only")] = None,
    method: Annotated[str | None, typer.Option(help="full or lora")] = None,
    epochs: Annotated[float | None, typer.Option(help="passes over the data")] = None,
    batch_size: Annotated[int | None, typer.Option(help="pairs a step")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="its peak")] = None,
    replayed: Annotated[
        float | None, typer.Option(help="share of general data mixed in, such as 0.1")
    ] = None,
    replayed_task: Annotated[
        str, typer.Option(help="whose training questions these are")
    ] = "micro_bbh",
    precision: Annotated[str, typer.Option(help="of tuning: bf16 or fp32")] = "bf16",
    demonstrations: Annotated[
        int, typer.Option(min=0, help="in few-shot prompts; 0: none are asked")
    ] = 3,
    general: Annotated[
        str, typer.Option(help="test sets of general ability; empty: none")
    ] = "micro_bbh:test",
    general_questions: Annotated[int, typer.Option(min=1, help="of each")] = 150,
    seed: Annotated[int, typer.Option(help="of the split and of training")] = 0,
    check: Annotated[bool, typer.Option(help="check and split, and no more")] = False,
) -> None:
    """Questions of your own in, a tuned student and a one-page report out."""
    from cotnb.your_task.wishes import Wishes, check_and_split, check_settings

    wishes = Wishes(
        student=student,
        teacher=teacher,
        rationale_file=rationale_file,
        answer_type=answer_type,
        split=split,
        test_questions=test_questions,
        samples=samples,
        most_asked=most_asked,
        teacher_tokens=teacher_tokens,
        prices=_prices(prices),
        teach=teach,
        method=method,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        replayed=replayed,
        replayed_task=replayed_task,
        precision=precision,
        demonstrations=demonstrations,
        general=general,
        general_questions=general_questions,
        seed=seed,
    )
    if check:
        _, parts = check_and_split(questions, wishes)
        check_settings(wishes, len(parts.train))
        return
    from cotnb.your_task.flow import tune_your_task  # torch takes seconds to import

    tune_your_task(questions, wishes, output)


def _prices(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        read, written = map(float, text.split(","))
    except ValueError:
        raise UserError(f"--prices {text!r}: expected such as 0.15,0.60") from None
    if not (0 <= read < math.inf and 0 <= written < math.inf):
        raise UserError(f"--prices {text!r}: expected 0 or more dollars")
    return read, written

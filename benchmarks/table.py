"""The table of benchmarks/README.md, written from benchmarks/results."""

import json
from pathlib import Path

import pandas as pd

from benchmarks.paired import RESULTS, median
from cotnb.files import write_whole

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"
OTHERS = {
    ("smollm2", "defaults"): "TRL's SFTTrainer, its defaults",
    ("smollm2", "by hand"): "TRL's SFTTrainer, set up for speed",
    ("t5", "defaults"): "Seq2SeqTrainer, its defaults",
    ("t5", "by hand"): "Seq2SeqTrainer, set up for speed",
    ("evaluation", "defaults"): "lm-evaluation-harness, its defaults (fp32)",
    ("evaluation", "by hand"): "lm-evaluation-harness in bf16",
    ("grid", "one at a time"): "a shell loop of papermill",
    ("grid", "two at a time"): "the same loop, two at a time",
    ("alignment", "loops"): "the published recurrence in plain Python loops",
}


def write_table() -> None:
    """Put the tables between README's marks."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    write_whole(README, f"{before}{BEGIN}\n{tables()}\n{END}{after}")


def tables() -> str:
    """Every measured section, in Markdown."""
    found = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}
    parts = [
        _ratios(found),
        _products_and_memory(found),
        _decoding(found),
        _agreement(found),
        _grid(found),
        _alignment(found),
        *(_gpu(found[name]) for name in sorted(found) if name.startswith("gpu-")),
    ]
    parts += [f"{name}: {_about(section)}" for name, section in sorted(found.items())]
    return "\n\n".join(part for part in parts if part)


def _ratios(found: dict) -> str:
    rows = []
    for name, section in sorted(found.items()):
        if "against" not in section:
            continue
        kind = name.split("-")[1] if name.startswith("tuning") else name
        what = _what(name, section)
        for other, ratio in section["against"].items():
            rows.append(
                {
                    "measured": what,
                    "against": OTHERS[kind, other],
                    "times as fast": f"**{ratio['median']:.2f}**",
                    "range": f"{ratio['least']:.2f} to {ratio['most']:.2f}",
                    "pairs": str(ratio["pairs"]),
                }
            )
    return _markdown(rows) if rows else ""


def _what(name: str, section: dict) -> str:
    if name.startswith("tuning"):
        return f"tuning, {section['method']}: {section['problem']}"
    if name == "evaluation":
        return f"asking {section['questions']} questions in bf16: {section['problem']}"
    if name == "alignment":
        return f"aligning two tokenizations of {section['texts']:,} rationales"
    return "a grid of 24 short runs"


def _products_and_memory(found: dict) -> str:
    rows = []
    for name, section in sorted(found.items()):
        if not name.startswith("tuning"):
            continue
        turns = section["turns"]
        row = {"tuning": f"{section['problem']}, {section['method']}"}
        for contestant in ("cotnb", "defaults", "by hand"):
            speed = median(turns[contestant], "tokens_a_second")
            targets = median(turns[contestant], "target_tokens_a_second")
            memory = section["peak_gib"][contestant]
            called = {"by hand": "set up for speed"}.get(contestant, contestant)
            row[called] = f"{speed:,.0f} / {targets:,.0f}, {memory:.1f} GiB"
        row["of the rate of products"] = f"{100 * section['of_products']:.0f}%"
        rows.append(row)
    if not rows:
        return ""
    losses = [
        {
            "tuning": f"{section['problem']}, {section['method']}",
            "contestant": who,
            "losses of the first steps on the same batches": " ".join(
                f"{value:.2f}" for value in values
            ),
        }
        for name, section in sorted(found.items())
        if name.startswith("tuning")
        for who, values in (
            *section["losses_on_the_same_batches"].items(),
            ("set up for speed", section["turns"]["by hand"][0]["losses"]),
        )
    ]
    return (
        f"All / target tokens a second, and peak memory:\n\n{_markdown(rows)}\n\n"
        f"{_markdown(losses)}"
    )


def _decoding(found: dict) -> str:
    if "evaluation" not in found:
        return ""
    section = found["evaluation"]
    rows = [
        {
            "rows": str(row["rows"]),
            "ms a step": f"{1e3 * row['seconds_a_step']:.0f}",
            "ms of reading weights and cache once": f"{1e3 * row['bound']:.0f}",
            "of that bound": f"{100 * row['bound'] / row['seconds_a_step']:.0f}%",
        }
        for row in section["decoding"]
    ]
    same = [
        f"{name}: {x['texts']} texts and {x['answers']} answers of {x['of']}"
        for name, x in section["same_answers"].items()
    ]
    agreement = f"The same, {'; '.join(same)}."
    return f"Decoding in bf16:\n\n{_markdown(rows)}\n\n{agreement}"


def _agreement(found: dict) -> str:
    """Verdicts of the harness's two filters beside ours, and why they differ."""
    if "agreement" not in found:
        return ""
    section = found["agreement"]
    asked, right = section["questions"], section["right"]
    rows = [
        {
            "lm-evaluation-harness reads": name,
            "right, theirs": f"{right[name]} of {asked}",
            "right, ours": f"{right['cotnb']} of {asked}",
            "verdicts that differ": str(sum(reasons.values())),
            "why": "; ".join(f"{count}: {why}" for why, count in reasons.items()),
        }
        for name, reasons in section["verdicts_apart"].items()
    ]
    return (
        f"Scores of one student by both, {section['problem']}, both in fp32; "
        f"{section['same_texts']} of {asked} texts are the same:\n\n{_markdown(rows)}"
    )


def _grid(found: dict) -> str:
    if "grid" not in found:
        return ""
    section = found["grid"]
    again = "; ".join(f"{name}: {x:.1f} s" for name, x in section["again"].items())
    own = section["own_seconds_a_run"]
    return f"A run takes {own:.2f} s beyond its notebook's cells. {again}."


def _alignment(found: dict) -> str:
    if "alignment" not in found:
        return ""
    section = found["alignment"]
    ours, theirs = (section["misplaced"][x] for x in ("cotnb", "recurrence"))
    shares = [f"{name}: {100 * x:.1f}%" for name, x in section["share"].items()]
    return (
        f"Of {section['pairs']:,} pairs on the recurrence's paths {theirs:,} are of "
        f"tokens that share no character; of ours {ours:,}. Tokens with a partner, "
        f"{'; '.join(shares)}."
    )


def _gpu(section: dict) -> str:
    """Tuning and asking by batch size, and how busy the GPU was."""
    stated = section["stated_tflops"]
    tuned = [
        {
            "rows a step": str(row["rows"]),
            "all / target tokens a second": (
                f"{row['tokens_a_second']:,.0f} / {row['target_tokens_a_second']:,.0f}"
            ),
            "of the rate of products": f"{100 * row['of_products']:.0f}%",
            "of the stated rate": f"{100 * row['of_stated']:.0f}%" if stated else "",
            "GiB": f"{row['peak_gib']:.1f}",
        }
        for row in section["tuning"]
    ]
    asked = [
        {
            "rows at a time": str(row["rows"]),
            "questions a second": f"{row['questions_a_second']:.1f}",
            "new tokens a second": f"{row['new_tokens_a_second']:,.0f}",
            "GiB": f"{row['peak_gib']:.1f}",
        }
        for row in section["asking"]
    ]
    busy = section["busy"]
    return (
        f"On a GPU, {section['problem']}, tuning in bf16:\n\n{_markdown(tuned)}\n\n"
        f"With {busy['rows']} rows the host waits {busy['waits_a_step']:.1f} times a "
        f"step, and the GPU works {100 * busy['busy']:.0f}% of the time. "
        f"Asking in bf16:\n\n{_markdown(asked)}"
    )


def _about(section: dict) -> str:
    versions = ", ".join(
        f"{name} {version}"
        for name, version in section["versions"].items()
        if version != "not installed"
    )
    return (
        f"{section['machine']}; {versions}; commit `{section['commit'][:7]}`, "
        f"{section['date']}."
    )


def _markdown(rows: list[dict]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)

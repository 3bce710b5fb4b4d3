"""Progress: a bar in a notebook or terminal, a plain line now and then in a log."""

import os
import sys
import time

from tqdm.auto import tqdm

SECONDS_BETWEEN_LINES = 15


class Progress:
    """Counts up to `total`; a bar where somebody watches, else a line every 15 s.

    shown: False to count in silence.
    """

    def __init__(self, total: int, label: str, shown: bool = True):
        self.total, self.label, self.done, self.shown = total, label, 0, shown
        self.last = time.monotonic()
        bar = shown and _watched()
        self.bar = tqdm(total=total, desc=label, leave=False) if bar else None

    def advance(self, count: int, note: str = "") -> None:
        self.done += count
        if self.bar is not None:
            self.bar.set_postfix_str(note, refresh=False)
            self.bar.update(count)
        elif self.shown and time.monotonic() - self.last >= SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            print(f"{self.label}: {self.done}/{self.total} {note}", flush=True)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _watched() -> bool:
    """Whether a person sees this as it goes: a terminal, or an opened notebook.

    A batch run sets COTNB_BATCH, since its kernel looks like an opened notebook.
    """
    if os.environ.get("COTNB_BATCH"):
        return False
    return sys.stderr.isatty() or "ipykernel" in sys.modules

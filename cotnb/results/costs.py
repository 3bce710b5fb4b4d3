"""What a profile's runs cost, and what sharing tuned students saved of it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TuningCosts:
    """Tunings that runs asked for, and of these the ones that a run trained.

    asked, trained: counts. asked_seconds: of training, had each been trained where it
    was asked for; trained_seconds: of those that were.
    """

    asked: int
    trained: int
    asked_seconds: float
    trained_seconds: float

    @property
    def saved(self) -> float:
        """The share of training time that the cache saved, 0 to 1."""
        if not self.asked_seconds:
            return 0.0
        return 1 - self.trained_seconds / self.asked_seconds

    def line(self) -> str:
        """For a terminal."""
        hours = self.asked_seconds / 3600
        return (
            f"tunings: {self.asked} asked for, {self.trained} trained; the cache saved "
            f"{100 * self.saved:.0f}% of {hours:.2f} h"
        )


def tuning_costs(records: Sequence[dict]) -> TuningCosts:
    """Of records as `records.read_records` gives them; older ones say nothing of it."""
    asked = [x for record in records for x in record["extra"].get("tunings", ())]
    trained = [x for x in asked if x["trained"]]
    return TuningCosts(
        asked=len(asked),
        trained=len(trained),
        asked_seconds=sum(x["seconds"] for x in asked),
        trained_seconds=sum(x["seconds"] for x in trained),
    )

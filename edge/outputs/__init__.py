"""Ways back into the plant: what the edge found, offered to the systems that operators already watch.

Each output keeps the newest result of every asset and every open alarm, and shows it in its own way. It is handed results after
they have entered the journal, and never holds up the pipeline.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from edge.contracts.alarm import Alarm
from edge.contracts.assessment import Assessment
from edge.contracts.command import AlarmCommand, AlarmVerb

# what carries out a command; raises `KullagerError` with the reason why it cannot be
OnAlarmCommand = Callable[[AlarmVerb, AlarmCommand], None]


class Output(Protocol):
    """`run` serves until it is cancelled; it never ends by itself, and never raises for what others do to it."""

    async def run(self) -> None: ...

    def show(self, assessments: Sequence[Assessment], alarms: Sequence[Alarm]) -> None:
        """Take what is new; returns at once."""
        ...

    @property
    def problem(self) -> str | None:
        """Why it does not serve now, in a sentence; None while it does."""
        ...

"""What to do about a fault, until when at the latest, on which evidence and how surely."""

from collections.abc import Mapping
from typing import Final

from edge.contracts.alarm import BilingualText
from edge.contracts.assessment import Diagnosis, FaultMode, RemainingLife
from edge.contracts.case import Advice
from edge.knowledge import ClassKnowledge

NS_PER_H: Final = 3_600_000_000_000

UNKNOWN_NAME: Final = BilingualText(sv="Okänd orsak", en="Unknown cause")
UNKNOWN_ACTION: Final = BilingualText(
    sv="Se efter vid maskinen, och börja med de signaler som avviker mest.",
    en="Look at the machine, beginning with the signals that deviate most.",
)


def advise(
    time: int, fault: FaultMode | None, knowledge: ClassKnowledge, life: RemainingLife | None, facts: BilingualText
) -> Advice:
    """The advice of `time` [ns UTC]. facts: what was measured, in words.

    The lower end of the remaining life is the latest moment: acting later than that is a bet at one to nine. Without one it is
    what the table says of the fault mode; without that, nobody knows.
    """
    known = knowledge.faults.get(fault.name) if fault is not None else None
    within_h = life.p10 if life is not None else known.within_h if known is not None else None
    until = time + round(within_h * NS_PER_H) if within_h is not None else None
    sources: Mapping[Diagnosis, BilingualText] = {
        Diagnosis.MODEL: BilingualText(sv="modellen känner igen felet", en="the model knows the fault"),
        Diagnosis.SIGNATURE: BilingualText(sv="liknar felets kännetecken", en="is like what the fault does"),
    }
    because = facts
    if fault is not None:
        source = sources[fault.by]
        because = BilingualText(
            sv="; ".join(filter(None, (facts.sv, source.sv))), en="; ".join(filter(None, (facts.en, source.en)))
        )
    if known is None:
        name = UNKNOWN_NAME if fault is None else BilingualText(sv=fault.name, en=fault.name)
        return Advice(name=name, action=UNKNOWN_ACTION, because=because, until=until, sureness=_sureness(fault))
    return Advice(
        name=known.name,
        action=known.action,
        because=because,
        mode=known.mode,
        mechanism=known.mechanism,
        cause=known.cause,
        until=until,
        sureness=_sureness(fault),
    )


def _sureness(fault: FaultMode | None) -> float | None:
    return round(float(fault.probability), 3) if fault is not None else None

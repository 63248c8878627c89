"""How well the alarm system serves those who watch it, after ISA-18.2 (16.5) and EEMUA 191: figures for each 10 minutes.

Only what an operator is told counts: an alarm that becomes active and is not suppressed, shelved or out of service.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.contracts.alarm import Alarm, AlarmState, Priority

NS: Final = 1_000_000_000
PERIOD_NS: Final = 600 * NS
# alarms in 10 minutes: a flood is more, and ends with fewer than the second
FLOOD_BEGINS, FLOOD_ENDS = 10, 5
CHATTER_NS: Final = 60 * NS
CHATTERS: Final = 3
FLEETING_NS: Final = 10 * NS
STALE_NS: Final = 24 * 3600 * NS
MOST_NAMED: Final = 10
ACTIVE: Final = (AlarmState.ACTIVE_UNACKNOWLEDGED, AlarmState.ACTIVE_ACKNOWLEDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCount:
    asset: str
    rule: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPerformance:
    """Over whole periods of 10 minutes from `first` to before `last` [ns since 1970 UTC].

    alarms:       that became active; per_period: how many periods had 0, 1, 2 … of them (the last: 20 or more)
    mean, most:   alarms in a period; acceptable: share of the periods with at most 1 (very likely acceptable), manageable: with
                  at most 2; over_10: with more than 10
    floods:       periods of flood that began; flood_share: share of the periods that were a part of one
    chattering:   alarms that became active 3 times or more within a minute; fleeting: back within 10 s without a hand
    stale:        active for more than 24 h; standing: active at the end
    frequent:     the most frequent, with their counts; by_priority: share of each
    suppressed:   alarms that were suppressed by design
    """

    first: int
    last: int
    periods: int
    alarms: int
    per_period: tuple[int, ...]
    mean: float
    most: int
    acceptable: float
    manageable: float
    over_10: float
    floods: int
    flood_share: float
    chattering: tuple[NamedCount, ...] = ()
    fleeting: int = 0
    stale: int = 0
    standing: int = 0
    suppressed: int = 0
    frequent: tuple[NamedCount, ...] = ()
    by_priority: dict[str, float] = field(default_factory=dict)


def alarm_performance(changes: Iterable[Alarm], first: int, last: int) -> AlarmPerformance:
    """From all changes of alarms up to `last`, in the order of their time; those before `first` tell what stood then.

    `first` is put back so that the periods are whole: a longer one would look worse than it is.
    """
    periods = max(-((first - last) // PERIOD_NS), 1)
    first = last - periods * PERIOD_NS
    begun: list[Alarm] = []
    since: dict[str, int] = {}
    states: dict[str, AlarmState] = {}
    fleeting = 0
    stale: set[str] = set()
    suppressed: set[str] = set()
    for alarm in changes:
        if alarm.changed >= last:
            continue
        before = states.get(alarm.alarm_id, AlarmState.NORMAL)
        states[alarm.alarm_id] = alarm.state
        inside = first <= alarm.changed
        if alarm.state in ACTIVE:
            # where an acknowledged one is the first that is known of it, it tells itself since when
            since.setdefault(alarm.alarm_id, alarm.changed if alarm.state is ACTIVE[0] else alarm.raised)
            if inside and alarm.state is ACTIVE[0] and before not in ACTIVE:
                begun.append(alarm)
            continue
        if inside and alarm.state is AlarmState.SUPPRESSED:
            suppressed.add(alarm.alarm_id)
        started = since.pop(alarm.alarm_id, None)
        if started is not None and inside:
            # what a hand or the design has silenced is not back
            fleeting += alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED and alarm.changed - started < FLEETING_NS
            if alarm.changed - started > STALE_NS:
                stale.add(alarm.alarm_id)
    stale |= {alarm_id for alarm_id, started in since.items() if last - started > STALE_NS}
    counts = [0] * periods
    for alarm in begun:
        counts[(alarm.changed - first) // PERIOD_NS] += 1
    floods, in_flood = _floods(counts)
    distribution = Counter(min(count, 20) for count in counts)
    names = Counter((alarm.asset, alarm.rule) for alarm in begun)
    priorities = Counter(alarm.priority for alarm in begun)
    return AlarmPerformance(
        first=first,
        last=last,
        periods=periods,
        alarms=len(begun),
        per_period=tuple(distribution[n] for n in range(21)),
        mean=len(begun) / periods,
        most=max(counts),
        acceptable=sum(count <= 1 for count in counts) / periods,
        manageable=sum(count <= 2 for count in counts) / periods,
        over_10=sum(count > FLOOD_BEGINS for count in counts) / periods,
        floods=floods,
        flood_share=in_flood / periods,
        chattering=_chattering(begun),
        fleeting=fleeting,
        stale=len(stale),
        standing=len(since),
        suppressed=len(suppressed),
        frequent=tuple(
            NamedCount(asset=asset, rule=rule, count=count) for (asset, rule), count in names.most_common(MOST_NAMED)
        ),
        by_priority={priority.value: priorities[priority] / len(begun) for priority in Priority} if begun else {},
    )


def _floods(counts: Sequence[int]) -> tuple[int, int]:
    """How many floods began, and how many periods were a part of one."""
    began = inside = 0
    flood = False
    for count in counts:
        if not flood and count > FLOOD_BEGINS:
            flood = True
            began += 1
        elif flood and count < FLOOD_ENDS:
            flood = False
        inside += flood
    return began, inside


def _chattering(begun: Sequence[Alarm]) -> tuple[NamedCount, ...]:
    times: dict[tuple[str, str], list[int]] = {}
    for alarm in begun:
        times.setdefault((alarm.asset, alarm.rule), []).append(alarm.changed)
    found = []
    for (asset, rule), each in times.items():
        runs = sum(later - earlier <= CHATTER_NS for earlier, later in zip(each, each[CHATTERS - 1 :], strict=False))
        if runs:
            found.append(NamedCount(asset=asset, rule=rule, count=runs))
    return tuple(sorted(found, key=lambda named: -named.count)[:MOST_NAMED])

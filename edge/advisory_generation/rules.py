"""What can raise an alarm at an asset: the anomaly score, too much energy, and the fixed limits that the plant has today."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.contracts.alarm import Priority
from edge.groups import NS, Group

ANOMALY: Final = "anomaly"
ENERGY: Final = "energy"
_LEVELS: Final = (("warning", Priority.LOW), ("alarm", None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`signal` and `level` are None for what is no limit of a signal; `priority` None takes that of the asset."""

    name: str
    signal: str | None = None
    level: str | None = None
    priority: Priority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    """The rules of one group, arrays (n_assets, n_rules); a NaN limit means that the rule does not apply.

    limit:     the condition begins at or above it
    returned:  the condition ends below it (hysteresis)
    on_delay, off_delay: (n_assets, 1) int64 ns
    """

    rules: tuple[Rule, ...]
    limit: NDArray[np.float64]
    returned: NDArray[np.float64]
    on_delay: NDArray[np.int64]
    off_delay: NDArray[np.int64]


def rule_table(group: Group) -> RuleTable:
    """The anomaly rule, that of energy, and one for each fixed limit that some asset of the group has."""
    metered = [asset.production is not None and asset.production.energy is not None for asset in group.settings]
    rules = [Rule(name=ANOMALY), Rule(name=ENERGY, priority=Priority.LOW)]
    limits = [np.ones(len(group.assets)), np.where(metered, 0.5, np.nan)]
    for name in group.names:
        for level, priority in _LEVELS:
            column = [getattr(asset.signals[name].limits, level) if name in asset.signals else None for asset in group.settings]
            if any(limit is not None for limit in column):
                rules.append(Rule(name=f"limit-{level}-{name}".replace("_", "-"), signal=name, level=level, priority=priority))
                limits.append(np.array([np.nan if limit is None else limit for limit in column], np.float64))
    limit = np.column_stack(limits)
    hysteresis = np.array([[asset.alarm.hysteresis] for asset in group.settings])
    return RuleTable(
        rules=tuple(rules),
        limit=limit,
        returned=limit - np.abs(limit) * hysteresis,
        on_delay=np.array([[round(asset.alarm.on_delay_s * NS)] for asset in group.settings], np.int64),
        off_delay=np.array([[round(asset.alarm.off_delay_s * NS)] for asset in group.settings], np.int64),
    )

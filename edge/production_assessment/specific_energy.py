"""Energy for each unit of product, recipe by recipe, against what the same recipe usually takes.

Energy and product are counted over lots. A lot of a counted product begins and ends where the counter steps, so that no part
is cut in two, and lasts for at least `LOT_S`; that of a flow lasts just so long. It is broken by a change of recipe, a counter
that goes back, and a gap. The logarithm of each lot's energy for a unit is compared with mean and spread of the lots before it:

    z = (ln e - mean) / max(spread, LEAST_SPREAD)          anomalous: z > 3 and e > 1.05 · expected, in two lots running
"""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Final

from edge.contracts.performance import SpecificEnergy

LOT_S: Final = 600.0
LEAST_LOTS: Final = 5
# lots after which a share 1/e of what was usual is left
MEMORY: Final = 200
LEAST_SPREAD: Final = 0.01
SIGNIFICANT: Final = 3.0
LEAST_EXCESS: Final = 1.05
IN_A_ROW: Final = 2


@dataclass(slots=True)
class _Usual:
    """Mean and mean square deviation of ln e of one recipe."""

    lots: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def learn(self, value: float) -> None:
        self.lots += 1
        weight = 1.0 / min(self.lots, MEMORY)
        before = self.mean
        self.mean += weight * (value - before)
        self.variance += weight * ((value - before) * (value - self.mean) - self.variance)


@dataclass(slots=True)
class EnergyLots:
    """The lots of one asset. stepwise: the product is counted in whole pieces."""

    stepwise: bool
    usual: dict[str, _Usual] = field(default_factory=dict)
    began: int | None = None
    recipe: str | None = None
    energy: float = 0.0
    amount: float = 0.0
    above: int = 0
    healthy: bool = True

    def step(
        self, time: int, recipe: str | None, energy: float, amount: float, *, healthy: bool
    ) -> tuple[int, float, float, float | None, bool] | None:
        """One instant: what it took and made since the last, NaN where that is unknown.

        A complete lot: when it began, its energy, its amount, the expected energy for a unit, and whether it is anomalous.
        healthy: whether the machine was free of anomalies; only lots that were so all along teach
        """
        if not (energy >= 0 and amount >= 0):
            self.began = None
            return None
        if self.began is not None and recipe != self.recipe:
            self.began = None
        if self.began is None:
            if not self.stepwise or amount > 0:
                self.began, self.recipe, self.energy, self.amount, self.healthy = time, recipe, 0.0, 0.0, True
            return None
        self.healthy &= healthy
        self.energy += energy
        self.amount += amount
        if (time - self.began) / 1e9 < LOT_S or (self.stepwise and amount == 0):
            return None
        began, used, made = self.began, self.energy, self.amount
        teaches, self.healthy = self.healthy, True
        self.began, self.energy, self.amount = time, 0.0, 0.0
        return (began, used, made, *self._judge(used / made, healthy=teaches)) if made > 0 and used > 0 else None

    def _judge(self, value: float, *, healthy: bool) -> tuple[float | None, bool]:
        usual = self.usual.setdefault(self.recipe or "", _Usual())
        expected = math.exp(usual.mean) if usual.lots >= LEAST_LOTS else None
        if expected is None:
            if healthy:
                usual.learn(math.log(value))
            self.above = 0
            return None, False
        spread = max(math.sqrt(max(usual.variance, 0.0)), LEAST_SPREAD)
        excessive = math.log(value) - usual.mean > SIGNIFICANT * spread and value > LEAST_EXCESS * expected
        self.above = self.above + 1 if excessive else 0
        if healthy and not excessive:
            usual.learn(math.log(value))
        return expected, self.above >= IN_A_ROW

    @property
    def is_anomalous(self) -> bool:
        return self.above >= IN_A_ROW

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str, *, stepwise: bool) -> "EnergyLots":
        raw = json.loads(text)
        usual = {name: _Usual(**found) for name, found in raw.pop("usual").items()}
        return cls(**{**raw, "usual": usual, "stepwise": stepwise})


def specific_energy(
    lot: tuple[int, float, float, float | None, bool], recipe: str | None, energy_unit: str, product: str, product_unit: str
) -> SpecificEnergy:
    """A lot as the contract has it."""
    began, used, made, expected, anomalous = lot
    return SpecificEnergy(
        since=began,
        recipe=recipe,
        energy=used,
        energy_unit=energy_unit,
        amount=made,
        product_unit=product_unit,
        product=product,
        value=used / made,
        expected=expected,
        ratio=used / made / expected if expected else None,
        anomalous=anomalous,
    )

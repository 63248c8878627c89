"""A model that scores beside the one in service, on the same windows, and has no say: what it would have said is counted."""

from dataclasses import dataclass

import numpy as np

from edge.state_detection.detector import SCORED, Detection, Detector, Observation


@dataclass(slots=True)
class Comparison:
    """Instants of assets that a shadow was compared at, and how they came out.

    scored: where both gave a score; agreed: of these, where both or neither found an anomaly
    anomalous, champion_anomalous: where each found one; difference: sum of the scores' differences, shadow less champion
    """

    instants: int = 0
    scored: int = 0
    agreed: int = 0
    anomalous: int = 0
    champion_anomalous: int = 0
    difference: float = 0.0

    def add(self, champion: Detection, shadow: Detection) -> None:
        self.instants += len(champion.score)
        self.anomalous += int(shadow.anomalous.sum())
        self.champion_anomalous += int(champion.anomalous.sum())
        both = (champion.reason == SCORED) & (shadow.reason == SCORED)
        self.scored += int(both.sum())
        self.agreed += int((champion.anomalous == shadow.anomalous)[both].sum())
        self.difference += float(np.sum((shadow.score - champion.score)[both], dtype=np.float64))

    def plus(self, other: "Comparison") -> "Comparison":
        return Comparison(*(getattr(self, name) + getattr(other, name) for name in Comparison.__dataclass_fields__))


class Shadow:
    """A detector beside another. `compare` after the champion has scored the same observation."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.comparison = Comparison()

    def begin_anew(self) -> None:
        """It is compared with another one from now on."""
        self.comparison = Comparison()

    def compare(self, seen: Observation, champion: Detection) -> None:
        self.comparison.add(champion, self.detector.detect(seen))

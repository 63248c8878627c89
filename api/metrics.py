"""What the api tells Prometheus of itself, in its text format. Logic alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """`kind` is `gauge` or `counter`; a value for each set of labels."""

    name: str
    kind: str
    about: str
    values: Iterable[tuple[Mapping[str, str], float]]


def exposition(families: Iterable[MetricFamily]) -> str:
    r"""
    >>> print(exposition([MetricFamily("kullager_x", "gauge", "How x it is", [({"edge": 'a"b'}, 1.0)])]), end="")
    # HELP kullager_x How x it is
    # TYPE kullager_x gauge
    kullager_x{edge="a\"b"} 1.0
    """
    lines = []
    for family in families:
        lines += [f"# HELP {family.name} {family.about}", f"# TYPE {family.name} {family.kind}"]
        for labels, value in family.values:
            told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            lines.append(f"{family.name}{{{told}}} {float(value)}" if told else f"{family.name} {float(value)}")
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

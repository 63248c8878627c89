"""What parent and child of a trial say to each other, as JSON; the model itself goes through standard input."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`path` is what messages call the model; `n_assets` are scored at once; limits as in `examine`."""

    path: str
    n_assets: int
    memory_bytes: int
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a trial found. `spec` is the model's own JSON, `problem` the reason to refuse it; see `Examination`."""

    spec: str | None = None
    latency_s: float | None = None
    operators: tuple[str, ...] = ()
    opsets: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str | None = None

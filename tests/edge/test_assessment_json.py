"""A table of assessments on the wire: byte for byte what each of them would be by itself."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.contracts.assessment import Diagnosis, FaultMode, ModelIdentity, Reason, RemainingLife, Zone
from edge.contracts.assessment_table import AssessmentTable
from edge.formats.assessment_json import encode_table
from edge.formats.json_message import Identity, decode_identity, encode, load_object

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
NUMBERS = st.floats(width=32)
SECOND = 1_000_000_000


def floats(draw: st.DrawFn, *shape: int) -> NDArray[np.float32]:
    n = int(np.prod(shape))
    return np.array(draw(st.lists(NUMBERS, min_size=n, max_size=n)), np.float32).reshape(shape)


@st.composite
def tables(draw: st.DrawFn) -> AssessmentTable:
    n, n_signals, n_sources = draw(st.integers(1, 5)), draw(st.integers(0, 4)), draw(st.integers(0, 4))
    sources = tuple(draw(st.lists(NAMES, min_size=n_sources, max_size=n_sources, unique=True)))
    # a model may give more or fewer columns than it has names
    width = draw(st.integers(0, 5))

    def maybe(value: Any) -> Any:
        return value if draw(st.booleans()) else None

    fault = st.builds(FaultMode, name=NAMES, probability=st.floats(0, 1), by=st.sampled_from(Diagnosis))
    life = st.builds(RemainingLife, p10=st.floats(0, 1e6), p50=st.floats(0, 1e6), p90=st.floats(0, 1e6))
    rows = st.integers(0, n - 1)
    return AssessmentTable(
        assets=tuple(draw(st.lists(NAMES, min_size=n, max_size=n, unique=True))),
        told=sorted(draw(st.sets(rows))),
        time=draw(st.integers(0, 4_000_000_000)) * SECOND + draw(st.sampled_from([0, 20_000_000])),
        reasons=draw(st.lists(st.one_of(st.none(), st.sampled_from(Reason)), min_size=n, max_size=n)),
        anomalous=draw(st.lists(st.booleans(), min_size=n, max_size=n)),
        score=floats(draw, n),
        coverage=floats(draw, n),
        health=floats(draw, n),
        signals=tuple(draw(st.lists(NAMES, min_size=n_signals, max_size=n_signals, unique=True))),
        measured=floats(draw, n, n_signals),
        has=maybe(
            np.array(draw(st.lists(st.booleans(), min_size=n * n_signals, max_size=n * n_signals))).reshape(n, n_signals)
        ),
        sources=sources,
        contribution=maybe(floats(draw, n, width)),
        expected=maybe(floats(draw, n, width)),
        known=maybe(floats(draw, n)),
        zones=draw(st.lists(st.one_of(st.none(), st.sampled_from(Zone)), min_size=n, max_size=n)),
        vibration_zones=draw(st.lists(st.one_of(st.none(), st.sampled_from(Zone)), min_size=n, max_size=n)),
        faults=draw(st.dictionaries(rows, fault)),
        lives=draw(st.dictionaries(rows, life)),
        model=maybe(ModelIdentity(name=draw(NAMES), version=draw(NAMES))),
    )


@settings(max_examples=300, deadline=None)
@given(table=tables(), edge=NAMES, journal=NAMES, first=st.integers(1, 2**40))
def test_a_table_is_written_as_its_assessments_are(table: AssessmentTable, edge: str, journal: str, first: int) -> None:
    lines = encode_table(table, edge, journal, first)
    assert len(lines) == len(table) == len(table.told)
    for seq, (line, each) in enumerate(zip(lines, table, strict=True), first):
        identity = Identity(edge=edge, journal=journal, seq=seq)
        assert line == encode(each, identity)
        assert decode_identity(load_object(line, "written"), "written") == identity


@given(table=tables())
def test_a_row_is_the_same_however_it_is_asked_for(table: AssessmentTable) -> None:
    by_row = [encode(table.of(row)) for row in table.told]
    assert [encode(each) for each in table] == [encode(table[place]) for place in range(len(table))] == by_row
    assert [encode(each) for each in table[::2]] == by_row[::2]
    assert [each.asset for each in table] == [table.assets[row] for row in table.told]

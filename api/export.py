"""The same lists for people who calculate: CSV and Parquet, by `?format=` in a link or by the Accept header."""

import csv
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from api.parquet import Column, Kind, parquet
from api.problems import Problem, ProblemType
from api.shapes.answer import content
from edge.formats.json_message import format_time

AT_THE_SAME_TIME: Final = 2
_running: Final = threading.BoundedSemaphore(AT_THE_SAME_TIME)


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES: Final = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
}
AskedFormat = Annotated[
    Format | None, Query(alias="format", description="default: as the Accept header says, and JSON where it says nothing")
]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column, and how a value of it is found in a thing."""

    name: str
    kind: Kind
    value: Callable[[Any], Any]


def wanted(request: Request, asked: Format | None) -> Format:
    if asked is not None:
        return asked
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return next((form for media in accepted for form, known in MEDIA_TYPES.items() if media == known), Format.JSON)


def contents(model: type, json_example: Any, csv_example: str) -> dict[str, Any]:
    """The three answers for a route's documentation."""
    binary = {"schema": {"type": "string", "format": "binary"}, "example": "(binary)"}
    return {
        MEDIA_TYPES[Format.JSON]: content(model, json_example),
        MEDIA_TYPES[Format.CSV]: {"schema": {"type": "string"}, "example": csv_example},
        MEDIA_TYPES[Format.PARQUET]: binary,
    }


def table_answer(
    form: Format, name: str, columns: Sequence[TableColumn], parts: Iterable[Iterable[Mapping[str, Any]]]
) -> StreamingResponse:
    """A file in parts, made while it is sent. Raises `Problem` where as many are on their way as may be."""
    if not _running.acquire(blocking=False):
        text = f"{AT_THE_SAME_TIME} files are being written for others, which is the most at a time; try again soon"
        raise Problem(ProblemType.BUSY, text, {"Retry-After": "5"})
    content = _counted(_csv(columns, parts) if form is Format.CSV else _parquet(columns, parts))
    # begun here: what goes wrong at the first look is an answer in words and no file that breaks off
    next(content)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"', "Vary": "Accept"}
    return StreamingResponse(content, media_type=MEDIA_TYPES[form], headers=headers)


def head_answer(request: Request, asked: Format | None) -> Response:
    """What HEAD is told: DuckDB asks before it reads a link, and takes the whole file where its length is not said."""
    answer = Response(media_type=MEDIA_TYPES[wanted(request, asked)], headers={"Vary": "Accept"})
    del answer.headers["content-length"]
    return answer


def _counted(content: Iterator[bytes]) -> Iterator[bytes]:
    try:
        first = next(content)
        yield b""
        yield first
        yield from content
    finally:
        _running.release()


def _csv(columns: Sequence[TableColumn], parts: Iterable[Iterable[Mapping[str, Any]]]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.name for column in columns])
    for part in parts:
        for each in part:
            values = ((column.kind, column.value(each)) for column in columns)
            writer.writerow(
                [format_time(value) if kind is Kind.TIME and value is not None else value for kind, value in values]
            )
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _parquet(columns: Sequence[TableColumn], parts: Iterable[Iterable[Mapping[str, Any]]]) -> Iterator[bytes]:
    def groups() -> Iterator[Sequence[Sequence[Any]]]:
        for part in parts:
            rows = list(part)
            yield [[column.value(row) for row in rows] for column in columns]

    written = parquet([Column(column.name, column.kind) for column in columns], groups())
    # the first bytes are there before anything is read: they go with the first row group
    magic = next(written)
    yield magic + next(written)
    yield from written

"""What many answers have in common: every key is always there, and null only where it is said; and how a route tells of one."""

import re
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import BaseModel, Field

JSON: Final = "application/json"
REFER: Final = "#/components/schemas/{model}"
T = TypeVar("T")

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339 in UTC")]


class Items(BaseModel, Generic[T]):
    """Every list. `next` is the address of the following page, relative to this one; null when there is none."""

    items: list[T]
    next: str | None


class CommandAnswer(BaseModel):
    """A command was taken; what comes of it is told elsewhere."""

    command_id: str


class Reference(str):
    """Where the schema of `model` stands in the document.

    FastAPI would take a model, too, and work out all of its fields anew for every route: half a second more at each start.
    """

    __slots__ = ("model",)
    model: type

    def __new__(cls, model: type) -> "Reference":
        made = super().__new__(cls, REFER.format(model=re.sub(r"\W", "_", model.__name__)))
        made.model = model
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> str:
        """FastAPI's copy is text."""
        return str(self)


def content(model: type, body: Any) -> dict[str, Any]:
    """What an answer in JSON is like, and an example of it."""
    return {"schema": {"$ref": Reference(model)}, "example": body}


def example(
    model: type, body: Any, description: str = "Successful Response", *, status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """An answer of a route for its documentation: `example(Items[Alarm], {"items": [ALARM], "next": None})`."""
    return {status: {"description": description, "content": {JSON: content(model, body)}}}

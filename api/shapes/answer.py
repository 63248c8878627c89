"""What many answers have in common: every key is always there, and null only where it is said; and how a route tells of one."""

from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import BaseModel, Field

JSON: Final = "application/json"
T = TypeVar("T")

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339 in UTC")]


class Items(BaseModel, Generic[T]):
    """Every list. `next` is the address of the following page, relative to this one; null when there is none."""

    items: list[T]
    next: str | None


class CommandAnswer(BaseModel):
    """A command was taken; what comes of it is told elsewhere."""

    command_id: str


def example(
    model: Any, body: Any, description: str = "Successful Response", *, status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """An answer of a route for its documentation: `example(Items[Alarm], {"items": [ALARM], "next": None})`."""
    return {status: {"model": model, "description": description, "content": {JSON: {"example": body}}}}

"""What is told of who may do what, and of who has done what."""

from typing import Any, Literal

from pydantic import BaseModel

from api.roles import Role
from api.shapes.answer import Moment


class SessionAnswer(BaseModel):
    """Nobody is signed in where `name` and `csrf` are null."""

    name: str | None
    role: Role
    csrf: str | None


class TokenAnswer(BaseModel):
    """`made` and `made_by` are null of a token of the environment, `used` of one that nobody has used."""

    id: str
    name: str
    role: Role
    kind: Literal["made", "first-start", "environment"]
    made: Moment | None
    made_by: str | None
    used: Moment | None


class NewTokenAnswer(TokenAnswer):
    """`token` is told this once."""

    token: str


class AuditEntryAnswer(BaseModel):
    """A change that was asked for; `status` is that of the HTTP answer, `details` what was asked, without secrets."""

    id: int
    time: Moment
    by: str
    role: Role
    action: str
    subject: str | None
    details: dict[str, Any]
    status: int
    problem: str | None
    outcome: Literal["done", "refused", "failed"]

"""Who may do what: four roles, each of which may do all that the ones before it may. Logic alone."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """In the order of what they may do.

    visitor   reads; breaks and repairs the simulator's machines where the plant file says that its site is a demo
    operator  acts on alarms
    engineer  acts on models and labels
    admin     makes and revokes tokens

    >>> Role.ENGINEER.may(Role.OPERATOR), Role.OPERATOR.may(Role.ENGINEER)
    (True, False)
    """

    VISITOR = "visitor"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks: the name under which a change is made, and the role."""

    name: str
    role: Role


VISITOR = Identity(name="visitor", role=Role.VISITOR)

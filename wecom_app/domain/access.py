"""Who may reach which customers: roles, purposes, and the tree of departments, on plain values.

`services.access` turns these rules into conditions on the tables.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

WHOLE_COMPANY = 0
"""Stands for every department in a member's scope; WeCom's own numbers begin at 1."""


class Role(StrEnum):
    """What somebody may do; whose customers he may do it to is told by relations and departments."""

    REP = "rep"
    """Every member; his own customers."""
    LEADER = "leader"
    """Looks at the customers of his departments; who leads a department at WeCom is one."""
    SERVICE = "service"
    """Customer service: looks at the customers of his departments while he serves them."""
    ADMIN = "admin"
    AUDITOR = "auditor"
    """Looks at everything, changes nothing."""
    OPS = "ops"
    """Runs the system; sees no customer for that."""


GIVEN_ROLES = (Role.LEADER, Role.SERVICE, Role.ADMIN, Role.AUDITOR, Role.OPS)
"""Those that an administrator gives to a member."""
SCOPED_ROLES = frozenset({Role.LEADER, Role.SERVICE})
"""Those that reach only as far as the member's scope."""
ROLE_WORDS: Mapping[Role, str] = {
    Role.REP: "导购",
    Role.LEADER: "主管",
    Role.SERVICE: "客服",
    Role.ADMIN: "管理员",
    Role.AUDITOR: "审计",
    Role.OPS: "运维",
}


class Purpose(StrEnum):
    """What a customer is wanted for."""

    VIEW = "view"
    EDIT = "edit"
    SERVE = "serve"
    """To answer him as customer service."""


@dataclass(frozen=True)
class Reach:
    """Which roles reach a customer for one purpose, by what they reach him."""

    everywhere: frozenset[Role]
    in_scope: frozenset[Role]
    half_relation: bool
    """Whether a relation that the member has not confirmed yet is enough."""


REACH: Mapping[Purpose, Reach] = {
    Purpose.VIEW: Reach(frozenset({Role.ADMIN, Role.AUDITOR}), frozenset({Role.LEADER}), half_relation=True),
    Purpose.SERVE: Reach(frozenset({Role.ADMIN, Role.AUDITOR}), SCOPED_ROLES, half_relation=True),
    Purpose.EDIT: Reach(frozenset({Role.ADMIN}), frozenset(), half_relation=False),
}
"""A member with a live relation reaches its customer for every purpose."""


def below(parents: Mapping[int, int], roots: Iterable[int]) -> frozenset[int]:
    """Return the departments given with everything below them; `parents` maps each department to the one above.

    A tree that WeCom tells us in pieces may for a moment hold a ring: each department is entered once.
    """
    children: dict[int, list[int]] = {}
    for department, parent in parents.items():
        children.setdefault(parent, []).append(department)
    found, waiting = set[int](), list(roots)
    while waiting:
        department = waiting.pop()
        if department not in found:
            found.add(department)
            waiting += children.get(department, [])
    return frozenset(found)

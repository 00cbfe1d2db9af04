"""What befell the station: gate, kill, link, session and faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class GateChanged:
    type: ClassVar[str] = "control.gate"
    v: ClassVar[int] = 1
    state: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class KillChanged:
    type: ClassVar[str] = "control.kill"
    v: ClassVar[int] = 1
    on: bool
    flatten: bool
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitBreached:
    type: ClassVar[str] = "risk.limit"
    v: ClassVar[int] = 1
    rule: str
    value: str
    limit: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A symbol is locked for entries (`on`) or free again; open positions stay protected."""

    type: ClassVar[str] = "risk.quarantine"
    v: ClassVar[int] = 1
    symbol: str
    on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One reconciliation: how many orders, executions and positions were compared, what was found."""

    type: ClassVar[str] = "reconciliation"
    v: ClassVar[int] = 1
    reason: str
    orders: int
    executions: int
    positions: int
    discrepancies: tuple[str, ...]
    clean: bool


@dataclass(frozen=True, slots=True)
class LinkChanged:
    type: ClassVar[str] = "link"
    v: ClassVar[int] = 1
    up: bool
    data_kept: bool
    reason: str


@dataclass(frozen=True, slots=True)
class SessionMarked:
    """The engine started, resumed, stopped or ended a session; `what` says which."""

    type: ClassVar[str] = "session"
    v: ClassVar[int] = 1
    what: str
    session: str
    detail: str


@dataclass(frozen=True, slots=True)
class Alerted:
    """Something the trader must see. `severity` is info, warning or critical."""

    type: ClassVar[str] = "alert"
    v: ClassVar[int] = 1
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class HandlerFailed:
    """An exception in a task or handler: caught, counted, and a rule about what stops trading."""

    type: ClassVar[str] = "fault.handler"
    v: ClassVar[int] = 1
    task: str
    error: str

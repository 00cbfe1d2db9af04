"""The configuration in force: shipped rows seeded into the database, read back, parsed, kept fresh."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from config.catalogue import load_scanners, load_strategies, load_switches
from config.files import ConfigError
from config.plans import plan_path
from station.domain.errors import BadInput, VigilError
from station.domain.specs import ConfigRow, Desired, ScannerSpec, StrategySpec, Switches
from station.domain.specs_parse import parse_scanner, parse_strategy
from station.engine.tuning import SETTING, check_setting
from station.scanners import check
from station.store import ConfigRepository
from station.strategy.schedule import allows

SCANNER: Final = "scanner"
STRATEGY: Final = "strategy"
SWITCH: Final = "switch"


def shipped_rows() -> tuple[tuple[str, str, str], ...]:
    """The shipped defaults as (kind, key, JSON body)."""
    return (
        *((SCANNER, str(row["name"]), _body(row)) for row in load_scanners()),
        *((STRATEGY, str(row["strategy_id"]), _body(row)) for row in load_strategies()),
        *((SWITCH, name, _body({"on": on})) for name, on in sorted(load_switches().items())),
    )


def shipped() -> Desired:
    """The shipped defaults, parsed, for verbs that need no database."""
    rows = (ConfigRow(kind, key, body, 1, "shipped", 0) for kind, key, body in shipped_rows())
    return parse(rows)


def validate(kind: str, key: str, body: str) -> None:
    """Raises BadInput, one line, for a body that the station could not run."""
    try:
        row = json.loads(body)
    except ValueError as error:
        raise BadInput(f"{kind} {key}: the body is no JSON: {error}") from None
    if not isinstance(row, dict):
        raise BadInput(f"{kind} {key}: the body is no JSON object")
    if kind == SCANNER:
        check(parse_scanner(row))
    elif kind == STRATEGY:
        _check_strategy(parse_strategy(row))
    elif kind == SETTING:
        check_setting(key, row)
    elif kind == SWITCH and (key not in Switches.__dataclass_fields__ or not isinstance(row.get("on"), bool)):
        raise BadInput(f'switch {key}: {body} is not {{"on": true}} or {{"on": false}} of a known switch')


def _check_strategy(spec: StrategySpec) -> None:
    """What only the rooms know: the plans there are, and how a schedule reads."""
    allows(spec.schedule, 0)
    try:
        plan_path(spec.wealth_plan)
    except ConfigError as bad:
        raise BadInput(f"strategy {spec.strategy_id}: {bad}") from None


def parse(rows: Iterable[ConfigRow]) -> Desired:
    """Rows to values; a strategy's version is its row's, so that each trade records what it ran under."""
    scanners: list[ScannerSpec] = []
    strategies: list[StrategySpec] = []
    switches: dict[str, bool] = {}
    for row in rows:
        body: Mapping[str, Any] = json.loads(row.body)
        if row.kind == SCANNER:
            scanners.append(parse_scanner(body))
        elif row.kind == STRATEGY:
            strategies.append(replace(parse_strategy(body), version=row.version))
        elif row.kind == SWITCH:
            switches[row.key] = bool(body["on"])
    return Desired(tuple(scanners), tuple(strategies), Switches(**switches))


class DesiredCache:
    """What the rooms read on every decision: a plain attribute, refreshed on edits and on a beat."""

    def __init__(
        self, repository: ConfigRepository, on_change: Callable[[Desired], None],
        plans: Callable[[], Collection[str]],
    ) -> None:  # fmt: skip
        self._repository = repository
        self._on_change = on_change
        self._plans = plans
        self.value = Desired()

    async def seed(self) -> None:
        """Bring untouched rows to the shipped defaults, then read everything."""
        await self._repository.seed(shipped_rows())
        await self.refresh()

    async def refresh(self) -> None:
        fresh = parse(await self._repository.rows())
        if fresh != self.value:
            self.value = fresh
            self._on_change(fresh)

    async def edit(self, kind: str, key: str, body: str, version: int, by: str) -> ConfigRow:
        """A validated, versioned edit, in force on return. Raises Refused or BadInput; the old value stays.
        The rooms try it before it is stored, so that nothing is kept that they could not run."""
        validate(kind, key, body)
        if kind == STRATEGY:
            self._check_plan(parse_strategy(json.loads(body)))
        rows = await self._repository.rows()
        self._on_change(parse(replace(r, body=body) if (r.kind, r.key) == (kind, key) else r for r in rows))
        try:
            row = await self._repository.edit(kind, key, body, version=version, by=by)
        except VigilError:
            self._on_change(self.value)
            raise
        await self.refresh()
        return row

    async def revert(self, kind: str, key: str, version: int, by: str) -> ConfigRow:
        """The shipped default again, in force on return. Raises Refused; the old value stays."""
        row = await self._repository.revert(kind, key, version=version, by=by)
        await self.refresh()
        return row

    def _check_plan(self, spec: StrategySpec) -> None:
        """Plans are read at the start: one that was added since is not there yet."""
        known = self._plans()
        if spec.wealth_plan not in known:
            raise BadInput(
                f"strategy {spec.strategy_id}: wealth plan {spec.wealth_plan!r} was not there when the station "
                f"started: use one of {', '.join(sorted(known))}, or start it again"
            )


def _body(row: Mapping[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, separators=(",", ":"))

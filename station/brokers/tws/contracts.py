"""Contracts between the wire and the domain: what a client describes, found at the broker behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice, product

from station.brokers.tws import answers
from station.brokers.tws.order_request import WireContract
from station.calendars import Calendar, et_date, series_hours
from station.domain.broker import Broker
from station.domain.clock import Clock, to_datetime
from station.domain.instruments import (
    Contract,
    Instrument,
    Right,
    SecType,
    TickRule,
    underlying_contract,
)

NO_SECURITY = "No security definition has been found for the request"
MAX_MATCHES = 600
SESSIONS_SHOWN = 5
_OPTIONS = (SecType.OPTION, SecType.FUTURE_OPTION)


class ContractRoom:
    """Finds, remembers and describes contracts. Con ids are the broker's."""

    def __init__(
        self, broker: Broker, clock: Clock, calendar: Calendar, instruments: Mapping[str, Instrument]
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._calendar = calendar
        self._instruments = instruments
        self._by_id: dict[int, Contract] = {}
        self._rules: list[TickRule] = []

    def instrument(self, contract: Contract) -> Instrument | None:
        return self._instruments.get(contract.symbol)

    def remember(self, contract: Contract) -> Contract:
        if contract.con_id:
            self._by_id.setdefault(contract.con_id, contract)
        return contract

    async def find(self, wanted: WireContract) -> tuple[Contract, ...]:
        """Every contract that fits the description, with con ids; empty where nothing does."""
        known = self._by_id.get(wanted.con_id)
        if known is not None:
            return (known,)
        instrument = self._instruments.get(wanted.symbol)
        sec_type = next((kind for kind in SecType if kind.value == wanted.sec_type), None)
        if instrument is None or sec_type is None:
            return ()
        if sec_type in _OPTIONS:
            found = await self._broker.qualify(await self._option_candidates(wanted, instrument, sec_type))
        else:
            found = await self._underlying(wanted, instrument, sec_type)
        return tuple(self.remember(contract) for contract in found)

    async def one(self, wanted: WireContract) -> Contract | None:
        """The only contract that fits, or None where none or several do."""
        found = await self.find(wanted)
        return found[0] if len(found) == 1 else None

    async def _underlying(
        self, wanted: WireContract, instrument: Instrument, sec_type: SecType
    ) -> tuple[Contract, ...]:
        if instrument.sec_type is not sec_type:
            return ()
        found = await self._broker.resolve(instrument)
        if wanted.expiry and not found.expiry.startswith(wanted.expiry):
            return await self._broker.qualify((underlying_contract(instrument, wanted.expiry),))
        return (found,)

    async def _option_candidates(
        self, wanted: WireContract, instrument: Instrument, sec_type: SecType
    ) -> tuple[Contract, ...]:
        future = instrument.sec_type is SecType.FUTURE
        if not instrument.has_options or future is not (sec_type is SecType.FUTURE_OPTION):
            return ()
        rights = tuple(right for right in Right if wanted.right[:1] in ("", right.value))
        if wanted.expiry and wanted.strike:
            classes = [wanted.trading_class or instrument.option_class]
            listed = [(classes[0], wanted.expiry, wanted.strike)]
        else:
            listed = [
                (row.trading_class, expiry, strike)
                for row in await self._broker.chain(instrument)
                if wanted.trading_class in ("", row.trading_class)
                for expiry, strike in product(row.expiries, row.strikes)
                if expiry.startswith(wanted.expiry) and wanted.strike in (0, strike)
            ]
        base = Contract(
            instrument.symbol, sec_type, multiplier=instrument.option_multiplier,
            exchange=instrument.exchange,
        )  # fmt: skip
        every = (
            replace(base, trading_class=cls, expiry=expiry, strike=strike, right=right)
            for (cls, expiry, strike), right in product(listed, rights)
        )
        return tuple(islice(every, MAX_MATCHES))

    async def details(self, req_id: int, contract: Contract) -> answers.Message:
        rule = await self._broker.tick_rule(contract)
        instrument = self.instrument(contract)
        hours = self._hours(instrument) if instrument is not None else ""
        underlying = 0
        if contract.is_option and instrument is not None:
            underlying = self.remember(await self._broker.resolve(instrument)).con_id
        tick = min(increment for _, increment in rule.steps)
        return answers.contract_details(req_id, contract, self.rule_id(rule), tick, underlying, (hours, hours))

    def rule_id(self, rule: TickRule) -> int:
        """The number of a market rule, given out in the order rules are first asked for."""
        if rule not in self._rules:
            self._rules.append(rule)
        return self._rules.index(rule) + 1

    def rule(self, rule_id: int) -> TickRule | None:
        return self._rules[rule_id - 1] if 0 < rule_id <= len(self._rules) else None

    def _hours(self, instrument: Instrument) -> str:
        """`20261118:0930-20261118:1600;…`: the sessions from the present one on, as TWS prints them."""
        kept, now = series_hours(instrument), self._clock.now()
        span = self._calendar.at(kept, now) or self._calendar.next_after(kept, now)
        spans = [span]
        while len(spans) < SESSIONS_SHOWN:
            spans.append(self._calendar.next_after(kept, spans[-1].open_ns))
        return ";".join(f"{_minute(span.open_ns)}-{_minute(span.close_ns)}" for span in spans)


def _minute(at_ns: int) -> str:
    moment = to_datetime(at_ns).astimezone(answers.ZONE)
    return f"{et_date(at_ns):%Y%m%d}:{moment:%H%M}"

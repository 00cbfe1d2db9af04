"""Reference data: contract details and market rules, cached, and option listings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import ib_async
from ib_async.wrapper import RequestError

from station.brokers.ibkr.asking import Asker
from station.brokers.ibkr.tap import TappedIB
from station.brokers.ibkr.values import ContractBook, number
from station.calendars import et_date
from station.domain.broker import ChainListing, ScanRequest
from station.domain.clock import DAY, Clock
from station.domain.errors import BrokerUnavailable
from station.domain.instruments import (
    Contract,
    Instrument,
    SecType,
    TickRule,
    underlying_contract,
)

NOT_FOUND = 200
SCAN_LOCATION = "STK.US.MAJOR"
FUTURES_KEPT, OTHERS_KEPT = DAY, 30 * DAY


class Reference:
    """What does not change while we look: asked once, then remembered (futures a day, others a month)."""

    def __init__(
        self, clock: Clock, asker: Asker, contracts: ContractBook, link: Callable[[], TappedIB]
    ) -> None:
        self._clock = clock
        self._asker = asker
        self._contracts = contracts
        self._link = link
        self._details: dict[Contract, tuple[int, tuple[ib_async.ContractDetails, ...]]] = {}
        self._rules: dict[int, TickRule] = {}

    async def details(self, contract: Contract) -> tuple[ib_async.ContractDetails, ...]:
        """Every listing that fits; empty where TWS knows none. Raises BrokerUnavailable."""
        kept = FUTURES_KEPT if contract.sec_type is SecType.FUTURE else OTHERS_KEPT
        held = self._details.get(contract)
        if held is not None and self._clock.now() - held[0] < kept:
            return held[1]

        def ask() -> Awaitable[list[ib_async.ContractDetails]]:
            return self._link().reqContractDetailsAsync(self._contracts.theirs(contract))

        try:
            rows = await self._asker.ask(f"contract details of {contract.label}", ask, has_id=True)
        except RequestError as error:
            if error.code != NOT_FOUND:
                raise BrokerUnavailable(f"contract details of {contract.label}: {error}") from error
            rows = []
        found = tuple(row for row in rows if row.contract and row.contract.secType == contract.sec_type.value)
        if found:
            self._details[contract] = (self._clock.now(), found)
        return found

    async def qualify(self, contracts: Sequence[Contract]) -> tuple[Contract, ...]:
        """The same contracts with con ids; unknown and ambiguous ones are left out."""
        found = await asyncio.gather(*(self._qualified(contract) for contract in contracts))
        return tuple(contract for contract in found if contract is not None)

    async def _qualified(self, contract: Contract) -> Contract | None:
        con_id = self._contracts.con_id(contract)
        if not con_id:
            rows = await self.details(contract)
            ids = sorted({row.contract.conId for row in rows if row.contract is not None})
            if len(ids) != 1:
                return None
            con_id = ids[0]
        return self._contracts.remember(replace(contract, con_id=con_id))

    async def resolve(self, instrument: Instrument) -> Contract:
        """The instrument's contract; of a future the first that has not expired."""
        contract = underlying_contract(instrument)
        rows = await self.details(contract)
        listed = sorted(
            (row.contract.lastTradeDateOrContractMonth[:8], row.contract.conId)
            for row in rows
            if row.contract is not None
        )
        if instrument.sec_type is SecType.FUTURE:
            today = f"{et_date(self._clock.now()):%Y%m%d}"
            listed = [row for row in listed if row[0] > today]
        if not listed:
            raise BrokerUnavailable(f"TWS lists no contract for {instrument.symbol} on {instrument.exchange}")
        expiry, con_id = listed[0]
        expiry = expiry if instrument.sec_type is SecType.FUTURE else ""
        return self._contracts.remember(replace(contract, expiry=expiry, con_id=con_id))

    async def chain(self, instrument: Instrument) -> tuple[ChainListing, ...]:
        """Every trading class listed on the instrument's exchange; TWS answers class × exchange."""
        underlying = await self.resolve(instrument)
        futures_exchange = instrument.exchange if instrument.sec_type is SecType.FUTURE else ""

        def ask() -> Awaitable[list[ib_async.OptionChain]]:
            return self._link().reqSecDefOptParamsAsync(
                instrument.symbol, futures_exchange, instrument.sec_type.value, underlying.con_id
            )

        try:
            rows = await self._asker.ask(f"option chain of {instrument.symbol}", ask, has_id=True)
        except RequestError as error:
            raise BrokerUnavailable(f"option chain of {instrument.symbol}: {error}") from error
        return tuple(
            ChainListing(
                instrument.symbol, row.tradingClass, row.exchange, int(float(row.multiplier or 1)),
                tuple(sorted(row.expirations)),
                tuple(sorted(number(strike) or Decimal(0) for strike in row.strikes)),
            )
            for row in sorted(rows, key=lambda row: row.tradingClass)
            if row.exchange == instrument.exchange
        )  # fmt: skip

    async def tick_rule(self, contract: Contract) -> TickRule:
        """The market rule of the contract on its exchange."""
        rows = await self.details(contract)
        if not rows:
            raise BrokerUnavailable(f"TWS knows no contract {contract.label}: no tick rule")
        exchanges = rows[0].validExchanges.split(",")
        rules = rows[0].marketRuleIds.split(",")
        at = exchanges.index(contract.exchange) if contract.exchange in exchanges else 0
        return await self._rule(int(rules[min(at, len(rules) - 1)]))

    async def _rule(self, rule_id: int) -> TickRule:
        held = self._rules.get(rule_id)
        if held is not None:
            return held

        def ask() -> Awaitable[list[ib_async.PriceIncrement]]:
            link = self._link()
            future = link.wrapper.startReq(f"marketRule-{rule_id}")
            link.client.reqMarketRule(rule_id)
            return future

        rows = await self._asker.ask(f"market rule {rule_id}", ask, has_id=True)
        steps = tuple(
            (number(row.lowEdge) or Decimal(0), number(row.increment) or Decimal("0.01")) for row in rows
        )
        if not steps:
            raise BrokerUnavailable(f"market rule {rule_id} came without price steps")
        self._rules[rule_id] = TickRule(steps)
        return self._rules[rule_id]

    async def scan(self, request: ScanRequest) -> tuple[str, ...]:
        """Symbols of US stocks by TWS's market scanner, best first."""
        asked = ib_async.ScannerSubscription(
            numberOfRows=request.rows, instrument="STK", locationCode=SCAN_LOCATION, scanCode=request.code
        )
        if request.above_price is not None:
            asked.abovePrice = float(request.above_price)
        if request.above_volume is not None:
            asked.aboveVolume = request.above_volume

        def ask() -> Awaitable[list[ib_async.ScanData]]:
            return self._link().reqScannerDataAsync(asked)

        try:
            rows = await self._asker.ask(f"market scan {request.code}", ask, has_id=True)
        except RequestError as error:
            raise BrokerUnavailable(f"market scan {request.code}: {error.code} {error.message}") from error
        return tuple(row.contractDetails.contract.symbol for row in rows if row.contractDetails.contract)

"""Accounts and positions on the wire."""

from __future__ import annotations

from decimal import Decimal

from station.brokers.tws import answers
from station.brokers.tws.answers import Message
from station.brokers.tws.order_answer import OrderIds, open_order
from station.brokers.tws.session import ClientSession
from station.domain.broker import Account, Broker, Margin, Position
from station.domain.clock import Clock
from station.domain.errors import Refused
from station.domain.instruments import Contract
from station.domain.orders import Ticket


class AccountDesk:
    def __init__(self, broker: Broker, clock: Clock) -> None:
        self.accounts: tuple[str, ...] = ()
        self._broker = broker
        self._clock = clock
        self._shown: dict[tuple[int, str], dict[tuple[str, Contract], Position]] = {}

    def checked(self, account: str) -> str:
        """The account an order is for. Raises Refused for one that is not managed here."""
        if account in ("", *self.accounts):
            return account or self.accounts[0]
        raise Refused("321", f"account {account!r} is not one of {', '.join(self.accounts)}")

    async def positions(self, session: ClientSession) -> None:
        """Every position; one that the client was shown and is gone is sent once more, with nothing in it."""
        held = {(p.account, p.contract): p for p in await self._broker.positions()}
        before = self._shown.get((session.client_id, "positions"), {})
        self._shown[session.client_id, "positions"] = dict(held)
        for position in held.values():
            session.send(_position(position, position.qty))
        for key, gone in before.items():
            if key not in held:
                session.send(_position(gone, Decimal(0)))

    async def updates(self, session: ClientSession, account: str, *, subscribe: bool) -> None:
        session.account_updates = (account or self.accounts[0]) if subscribe else ""
        if subscribe:
            await self._tell_values(session)
            session.send(answers.account_download_end(session.account_updates))

    async def updates_multi(self, session: ClientSession, req_id: int, account: str) -> None:
        session.multi_updates[req_id] = account
        await self._tell_multi(session, req_id)
        session.send(answers.account_update_multi_end(req_id))

    async def summary(self, session: ClientSession, req_id: int, tags: tuple[str, ...]) -> None:
        values = _values(await self._broker.account())
        wanted = {*tags, *(_LEDGER if any(tag.startswith("$LEDGER") for tag in tags) else ())}
        account = self.accounts[0]
        rows = [answers.account_summary(req_id, account, tag, values[tag]) for tag in values if tag in wanted]
        session.send(*rows, answers.account_summary_end(req_id))

    async def pnl(self, session: ClientSession, req_id: int, account: str) -> None:
        session.pnl[req_id] = account
        state = await self._broker.account()
        daily = state.realised + state.unrealised
        session.send(answers.pnl(req_id, daily, state.unrealised, state.realised))

    async def changed(self, session: ClientSession) -> None:
        """After a fill: what this client subscribed to, again."""
        if session.wants_positions:
            await self.positions(session)
        if session.account_updates:
            await self._tell_values(session)
        for req_id in tuple(session.multi_updates):
            await self._tell_multi(session, req_id)
        for req_id, account in tuple(session.pnl.items()):
            await self.pnl(session, req_id, account)

    def what_if(self, ticket: Ticket, client_id: int, order_id: int, margin: Margin) -> Message:
        return open_order(ticket, OrderIds(order_id, client_id, 0), "PreSubmitted", margin)

    async def _tell_values(self, session: ClientSession) -> None:
        account = session.account_updates
        values = _values(await self._broker.account())
        session.send(*(answers.account_value(tag, value, account) for tag, value in values.items()))
        for position in await self._broker.positions():
            session.send(
                answers.portfolio(
                    account, position.contract, position.qty, position.avg_cost, position.avg_cost, Decimal(0)
                )
            )
        session.send(answers.account_time(self._clock.now()))

    async def _tell_multi(self, session: ClientSession, req_id: int) -> None:
        account = session.multi_updates[req_id] or self.accounts[0]
        values = _values(await self._broker.account())
        session.send(*(answers.account_update_multi(req_id, account, t, v) for t, v in values.items()))


def _position(position: Position, qty: Decimal) -> Message:
    """IBKR's average cost of a derivative includes its multiplier."""
    cost = position.avg_cost * position.contract.multiplier
    return answers.position(position.account, position.contract, qty, cost)


_LEDGER = ("CashBalance", "RealizedPnL", "UnrealizedPnL")


def _values(account: Account) -> dict[str, Decimal | str]:
    free = account.net_liquidation - account.maintenance
    return {
        "AccountType": "INDIVIDUAL",
        "NetLiquidation": account.net_liquidation,
        "TotalCashValue": account.cash,
        "SettledCash": account.cash,
        "BuyingPower": account.buying_power,
        "EquityWithLoanValue": account.net_liquidation,
        "GrossPositionValue": account.net_liquidation - account.cash,
        "InitMarginReq": account.maintenance,
        "MaintMarginReq": account.maintenance,
        "AvailableFunds": free,
        "ExcessLiquidity": free,
        "CashBalance": account.cash,
        "RealizedPnL": account.realised,
        "UnrealizedPnL": account.unrealised,
    }

"""Orders on the wire: placing, changing, cancelling, and what the broker holds and has executed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from station.brokers.tws import answers
from station.brokers.tws.account_desk import AccountDesk
from station.brokers.tws.contracts import NO_SECURITY, ContractRoom
from station.brokers.tws.faults import WireFaults
from station.brokers.tws.order_desk import OrderDesk, WireOrder, reference, ticket_of
from station.brokers.tws.order_request import PlaceOrder
from station.brokers.tws.requests import Executions
from station.brokers.tws.session import ClientSession
from station.domain.broker import Broker
from station.domain.clock import Clock
from station.domain.errors import Refused, VigilError
from station.domain.instruments import Contract
from station.domain.orders import Execution, OrderState


class TradingDesk:
    """Order requests of every client, in the order they came. `lost` holds references that the server
    pretends never to have had."""

    def __init__(
        self, broker: Broker, clock: Clock, contracts: ContractRoom, account: AccountDesk, faults: WireFaults
    ) -> None:
        self.orders = OrderDesk()
        self.lost: set[str] = set()
        self._broker = broker
        self._clock = clock
        self._contracts = contracts
        self._account = account
        self._faults = faults
        self._untransmitted: dict[int, list[WireOrder]] = {}

    async def cancel_all(self) -> None:
        for order in tuple(self.orders.by_ref.values()):
            if order.state.is_working:
                await self._broker.cancel(order.ticket.order_ref)

    async def place(self, session: ClientSession, request: PlaceOrder) -> None:
        try:
            await self._take(session, request)
        except Refused as error:
            code = int(error.code) if error.code.isdigit() else 201
            session.send(answers.error(request.order_id, code, f"Order rejected - reason:{error}"))
        except VigilError as error:
            session.send(answers.error(request.order_id, 201, f"Order rejected - reason:{error}"))

    async def _take(self, session: ClientSession, request: PlaceOrder) -> None:
        contract = await self._contracts.one(request.contract)
        if contract is None:
            raise Refused("200", NO_SECURITY)
        known = self.orders.get(session.client_id, request.order_id)
        if request.what_if:
            await self._what_if(session, request, contract)
        elif known is not None and known not in self._held(session):
            await self._modify(session, known, request, contract)
        else:
            await self._new(session, request, contract, known)

    async def _new(
        self, session: ClientSession, request: PlaceOrder, contract: Contract, known: WireOrder | None
    ) -> None:
        if known is None and (
            request.order_id < self.orders.first_free(session.client_id) or request.order_id <= 0
        ):
            raise Refused("103", "Duplicate order id")
        parent = self.orders.get(session.client_id, request.parent_id) if request.parent_id else None
        if request.parent_id and parent is None:
            raise Refused("135", f"Can't find order with id ={request.parent_id}")
        ref = known.ticket.order_ref if known else self._reference(session, request)
        parent_ref = parent.ticket.order_ref if parent else ""
        ticket = ticket_of(request, contract, ref, self._account.checked(request.account), parent_ref)
        order = WireOrder(ticket, session.client_id, request.order_id, request.order_ref, request.parent_id)
        held = self._held(session)
        held[:] = [other for other in held if other.order_id != order.order_id]
        self.orders.add(order)
        if not request.transmit:
            held.append(order)
            return
        family = {request.parent_id or request.order_id}
        group = [o for o in held if o.order_id in family or o.parent_id in family] + [order]
        held[:] = [other for other in held if other not in group]
        await self._send_group(session, sorted(group, key=lambda o: o.parent_id != 0))

    async def _send_group(self, session: ClientSession, group: Sequence[WireOrder]) -> None:
        try:
            await self._broker.place([order.ticket for order in group])
        except VigilError as error:
            for order in group:
                order.state = OrderState.REJECTED
                text = f"Order rejected - reason:{error}"
                session.send(answers.error(order.order_id, 201, text), *order.messages())

    def _reference(self, session: ClientSession, request: PlaceOrder) -> str:
        return reference(request, session.client_id, self.orders, self._clock.now())

    async def _modify(
        self, session: ClientSession, order: WireOrder, request: PlaceOrder, contract: Contract
    ) -> None:
        if order.state.is_terminal:
            raise Refused("104", f"Can't modify a {order.state.value.lower()} order.")
        if contract != order.ticket.contract or request.action != order.ticket.action.value:
            raise Refused("105", "Order being modified does not match original order.")
        asked = ticket_of(
            request, contract, order.ticket.order_ref, order.ticket.account, order.ticket.parent_ref
        )
        if self._faults.refuse_type_changes and asked.kind is not order.ticket.kind:
            raise Refused("329", "Order modify failed. Cannot change to the new order type.")
        before = order.ticket
        order.before_change, order.ticket = before, replace(asked, purpose=before.purpose)
        try:
            await self._broker.modify(order.ticket)
        except BaseException:
            order.before_change, order.ticket = None, before
            raise

    async def _what_if(self, session: ClientSession, request: PlaceOrder, contract: Contract) -> None:
        ref = f"what-if-{session.client_id}-{request.order_id}"
        ticket = ticket_of(request, contract, ref, self._account.checked(request.account), "")
        margin = await self._broker.what_if(ticket)
        session.send(self._account.what_if(ticket, session.client_id, request.order_id, margin))

    async def cancel(self, session: ClientSession, order_id: int) -> None:
        order = self.orders.get(session.client_id, order_id)
        held = self._held(session)
        if order is None or order.ticket.order_ref in self.lost:
            text = f"OrderId {order_id} that needs to be cancelled is not found."
            session.send(answers.error(order_id, 10147, text))
        elif order in held:
            held.remove(order)
            order.state = OrderState.CANCELLED
            session.send(*order.messages(), answers.error(order_id, 202, "Order Canceled - reason:"))
        else:
            await self._broker.cancel(order.ticket.order_ref)

    def _held(self, session: ClientSession) -> list[WireOrder]:
        return self._untransmitted.setdefault(session.client_id, [])

    async def open_orders(self, session: ClientSession, *, every: bool) -> None:
        for found in await self._broker.open_orders():
            order = self.orders.adopt(found)
            if order is not None and found.order_ref not in self.lost:
                mine = order.client_id == session.client_id
                if every or mine or session.client_id == 0:
                    session.send(*order.messages())
        session.send(answers.open_order_end())

    async def executions(self, session: ClientSession, request: Executions) -> None:
        fees: list[answers.Message] = []
        for execution in await self._broker.executions():
            self.orders.executed(execution)
            order = self.orders.by_ref.get(execution.order_ref)
            client = max(order.client_id, 0) if order else 0
            side = request.side.upper()
            if (
                (request.client_id and request.client_id != client)
                or request.symbol not in ("", execution.contract.symbol)
                or request.sec_type not in ("", execution.contract.sec_type.value)
                or request.account not in ("", execution.account)
                or side not in ("", execution.action.value)
            ):
                continue
            self._contracts.remember(execution.contract)
            order_id = order.order_id if order else 0
            total, average = (order.filled, order.average) if order else (execution.qty, execution.price)
            session.send(
                answers.exec_details(request.req_id, order_id, client, self.echoed(execution), total, average)
            )
            if execution.commission is not None:
                fees.append(answers.commission_report(execution.exec_id, execution.commission))
        session.send(answers.exec_details_end(request.req_id), *fees)

    def echoed(self, execution: Execution) -> Execution:
        """The execution under the reference that its client wrote."""
        order = self.orders.by_ref.get(execution.order_ref)
        return execution if order is None else replace(execution, order_ref=order.echo)

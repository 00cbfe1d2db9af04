"""The client library with our ears at its decoder.

The library drops fills and statuses of orders it does not know, flips orders to Cancelled on warnings, and
swallows what a handler raises. So what TWS says of orders, executions and positions is heard here as it was
said, and the library keeps no books of them; connection, coding, requests and tickers stay its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from ib_async import IB, Contract, Execution, Order, OrderState
from ib_async.client import Client
from ib_async.objects import CommissionReport
from ib_async.wrapper import Wrapper

from station.brokers.ibkr.lanes import SendLanes
from station.domain.clock import Clock

DEPTH_RESET = 317

log = logging.getLogger(__name__)
# What the library logs, we report; without a handler of its own Python prints its errors over the screen.
logging.getLogger("ib_async").addHandler(logging.NullHandler())


class Ears(Protocol):
    """Who listens. Whatever one of these raises is reported through `failed` and goes no further."""

    def heard(self) -> None: ...

    def order_status(
        self, order_id: int, status: str, filled: float, remaining: float, average: float, perm_id: int,
        client_id: int, why_held: str,
    ) -> None: ...  # fmt: skip

    def open_order(self, contract: Contract, order: Order, state: OrderState) -> None: ...

    def executed(self, req_id: int, contract: Contract, execution: Execution) -> None: ...

    def commission(self, report: CommissionReport) -> None: ...

    def position(self, account: str, contract: Contract, qty: float, cost: float) -> None: ...

    def account_row(self, req_id: int, account: str, tag: str, value: str, currency: str) -> None: ...

    def error(self, req_id: int, code: int, text: str) -> None: ...

    def grade(self, req_id: int, data_type: int) -> None: ...

    def halted(self, req_id: int, value: float) -> None: ...

    def next_id(self, order_id: int) -> None: ...

    def closed(self) -> None: ...

    def failed(self, what: str, error: Exception) -> None: ...


class Tap(Wrapper):
    """The library's message handler, telling ours."""

    def __init__(self, ib: IB, ears: Ears) -> None:
        self._ears = ears
        super().__init__(ib)

    def _tell(self, listen: Callable[..., None], *args: Any) -> None:
        try:
            listen(*args)
        except Exception as error:
            log.exception("handler %s failed", listen.__name__)
            self._ears.failed(listen.__name__, error)

    def tcpDataArrived(self) -> None:  # noqa: N802
        self._tell(self._ears.heard)
        super().tcpDataArrived()

    def nextValidId(self, reqId: int) -> None:  # noqa: N802, N803
        self._tell(self._ears.next_id, reqId)

    def openOrder(  # noqa: N802
        self,
        orderId: int,  # noqa: N803
        contract: Contract,
        order: Order,
        orderState: OrderState,  # noqa: N803
    ) -> None:
        if order.whatIf:
            super().openOrder(orderId, contract, order, orderState)
            return
        self._tell(self._ears.open_order, contract, order, orderState)
        self.ib.client.updateReqId(orderId + 1)

    def orderStatus(  # noqa: N802
        self,
        orderId: int,  # noqa: N803
        status: str,
        filled: float,
        remaining: float,
        avgFillPrice: float,  # noqa: N803
        permId: int,  # noqa: N803
        parentId: int,  # noqa: N803
        lastFillPrice: float,  # noqa: N803
        clientId: int,  # noqa: N803
        whyHeld: str,  # noqa: N803
        mktCapPrice: float = 0.0,  # noqa: N803
    ) -> None:
        said = (orderId, status, filled, remaining, avgFillPrice, permId, clientId, whyHeld)
        self._tell(self._ears.order_status, *said)

    def execDetails(self, reqId: int, contract: Contract, execution: Execution) -> None:  # noqa: N802, N803
        self._tell(self._ears.executed, reqId, contract, execution)

    def commissionReport(self, commissionReport: CommissionReport) -> None:  # noqa: N802, N803
        self._tell(self._ears.commission, commissionReport)

    def position(self, account: str, contract: Contract, posSize: float, avgCost: float) -> None:  # noqa: N803
        self._tell(self._ears.position, account, contract, posSize, avgCost)

    def accountSummary(  # noqa: N802
        self,
        _reqId: int,  # noqa: N803
        account: str,
        tag: str,
        value: str,
        currency: str,
    ) -> None:
        self._tell(self._ears.account_row, _reqId, account, tag, value, currency)

    def marketDataType(self, reqId: int, marketDataId: int) -> None:  # noqa: N802, N803
        super().marketDataType(reqId, marketDataId)
        self._tell(self._ears.grade, reqId, marketDataId)

    def tickGeneric(self, reqId: int, tickType: int, value: float) -> None:  # noqa: N802, N803
        if tickType in (49, 90):
            self._tell(self._ears.halted, reqId, value)
        super().tickGeneric(reqId, tickType, value)

    def error(self, reqId: int, errorCode: int, errorString: str, advancedOrderRejectJson: str) -> None:  # noqa: N803
        self._tell(self._ears.error, reqId, errorCode, errorString)
        if reqId in self._futures or errorCode == DEPTH_RESET:
            super().error(reqId, errorCode, errorString, advancedOrderRejectJson)

    def connectionClosed(self) -> None:  # noqa: N802
        super().connectionClosed()
        self._tell(self._ears.closed)


class LaneClient(Client):
    """The library's socket client, sending through our lanes."""

    MaxRequests = 0

    def __init__(self, wrapper: Wrapper, clock: Clock) -> None:
        self.lanes = SendLanes(clock, self._write)
        self.on_end: Callable[[], None] | None = None
        super().__init__(wrapper)

    def _onSocketDisconnected(self, msg: str) -> None:  # noqa: N802
        """The library sits out its time limit when the socket ends during the handshake; we need not."""
        super()._onSocketDisconnected(msg)
        if self.on_end is not None:
            self.on_end()

    def sendMsg(self, msg: str) -> None:  # noqa: N802
        self.lanes.offer(msg)

    def _write(self, message: str) -> None:
        transport = self.conn.transport
        if transport is None or transport.is_closing():
            raise ConnectionError("the connection to TWS has ended")
        self.conn.sendMsg(self._prefix(message.encode()))


class TappedIB(IB):
    """One connection's worth of the library: made for it, thrown away after it."""

    RaiseRequestErrors = True

    def __init__(self, ears: Ears, clock: Clock, tws_zone: str) -> None:
        super().__init__()
        self.TimezoneTWS = tws_zone
        self.wrapper = Tap(self, ears)
        self.client: LaneClient = LaneClient(self.wrapper, clock)
        self.client.apiEnd += self.disconnectedEvent
        # At 1102 the library would subscribe to an account summary that nobody here reads.
        self.errorEvent.clear()

    def __del__(self) -> None:
        """The library would disconnect here, whenever the garbage collector likes; ours is closed by then."""

    def abort(self) -> None:
        """End the connection now, without a farewell that a dead peer would never take."""
        transport = self.client.conn.transport
        if transport is not None:
            transport.abort()

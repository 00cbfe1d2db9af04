"""Interactive Brokers behind the Broker port, through ib_async 2.1."""

from station.brokers.ibkr.broker import IbkrBroker

__all__ = ["IbkrBroker"]

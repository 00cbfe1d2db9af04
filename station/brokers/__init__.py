"""Who fulfils the Broker port: the paper exchange, recorded replay, IBKR, and the TWS wire emulator."""

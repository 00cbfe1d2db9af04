"""The exception tree: a caller needs to know only whether to retry, refuse or stop."""


class VigilError(Exception):
    """Base of every error the station raises on purpose; its text is one line fit for a trader."""


class Refused(VigilError):
    """The request was understood and denied; nothing changed. `code` is the machine-readable reason."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Retryable(VigilError):
    """It may work later: link down, database locked, query timed out. Nothing may be concluded from it."""


class BrokerUnavailable(Retryable):
    """A broker query had no complete answer. It never means "none": positions may exist."""


class StorageUnavailable(Retryable):
    """A commit did not happen (locked, disk full); the effect that needed it must not happen either."""


class Fatal(VigilError):
    """The station must not start or go on: corrupt database, wrong account, held lease."""


class IllegalTransition(VigilError):
    """An event that the lifecycle does not allow in this state; the state is unchanged."""


class BadInput(VigilError):
    """Bad usage, file or configuration; the text names the thing, the value, the limit and the mend."""

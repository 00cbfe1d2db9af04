"""The catalogue of instruments, completed from the configuration before anything reads it."""

from __future__ import annotations

from decimal import Decimal

from config.catalogue import load_instruments
from config.files import ConfigError
from station.domain.errors import BadInput
from station.domain.instruments import enlist, equity


def enlist_configured() -> None:
    """Put the configured equities into the catalogue; again changes nothing. Raises BadInput in one line."""
    try:
        rows = load_instruments()
    except ConfigError as error:
        raise BadInput(str(error)) from None
    enlist(
        equity(
            row["symbol"],
            options=row.get("options", False),
            strike_step=Decimal(str(row.get("strike_step", 1))),
        )
        for row in rows
    )

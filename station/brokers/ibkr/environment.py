"""Which account may be reached through which port. A mistake here trades real money; so it never retries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from station.domain.errors import Fatal

PAPER_PORTS: Final = (7497, 4002)
LIVE_PORTS: Final = (7496, 4001)
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def check_port(environment: str, host: str, port: int, emulator_port: int | None) -> None:
    """Raises Fatal unless the port is the environment's, or the emulator's on this host."""
    if environment not in ("paper", "live"):
        raise Fatal(f"environment {environment!r} is not paper or live")
    if environment == "live":
        if port not in LIVE_PORTS:
            raise Fatal(f"port {port} is not a live one (7496 TWS, 4001 Gateway): use it, or environment paper")
        return
    if port in PAPER_PORTS:
        return
    if port != emulator_port:
        raise Fatal(f"port {port} is not a paper one (7497 TWS, 4002 Gateway): use it, or name the emulator's")
    if host not in LOOPBACK:
        raise Fatal(f"emulator host {host!r} is not this machine: use 127.0.0.1")


def chosen_account(environment: str, accounts: Sequence[str], wanted: str | None) -> str:
    """The account to trade. Raises Fatal where it is missing, ambiguous, or not of the environment."""
    listed = ", ".join(accounts) or "none"
    if wanted is not None and wanted not in accounts:
        raise Fatal(f"account {wanted} is not managed by this login (it has {listed}): check the login")
    if wanted is None and len(accounts) != 1:
        raise Fatal(f"the login has accounts {listed}: name the one to trade")
    account = wanted or accounts[0]
    if (environment == "paper") is not account.startswith("D"):
        kind = "a paper account (D…)" if account.startswith("D") else "a live account"
        raise Fatal(f"account {account} is {kind} but the environment is {environment}: nothing was sent")
    if environment == "live" and not account.startswith("U"):
        raise Fatal(f"account {account} is not an individual live account (U…): nothing was sent")
    return account

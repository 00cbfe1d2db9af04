"""`verify`: an auditor with its own eyes.

It reads the databases by plain SQL, shares with the engine only the pure rules of the domain, and holds each
law of the books against the rows."""

from station.store.verification.audit import verify
from station.store.verification.report import Check, VerifyReport

__all__ = ["Check", "VerifyReport", "verify"]

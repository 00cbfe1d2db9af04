"""Framing and field text of the TWS wire: a 4-byte big-endian length, then NUL-terminated text fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

HANDSHAKE = b"API\0"
MAX_FRAME = 256 * 1024
MAX_DIGITS = 18

Field = str | int | float | bool | Decimal | None


class WireError(Exception):
    """Bytes or fields that no TWS client sends; the connection they came from is closed."""


def text(value: Field) -> str:
    """A field as the wire writes it: booleans 0/1, None empty, decimals without exponent."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value).replace("\0", " ")


def frame(fields: Iterable[Field]) -> bytes:
    """One message: every field NUL-terminated, the whole prefixed with its length."""
    body = "".join(text(field) + "\0" for field in fields).encode(errors="replace")
    return len(body).to_bytes(4, "big") + body


class Framer:
    """Cuts a byte stream into messages. The first thing a client sends is `API\\0`, then its versions."""

    def __init__(self, *, greeted: bool = False) -> None:
        self._buffer = bytearray()
        self._greeted = greeted

    def feed(self, data: bytes) -> list[tuple[str, ...]]:
        """Every message completed by `data`. Raises WireError for what is not this protocol."""
        self._buffer += data
        if not self._greeted and not self._greet():
            return []
        found: list[tuple[str, ...]] = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > MAX_FRAME:
                raise WireError(f"frame of {length} bytes is over the limit of {MAX_FRAME}")
            if len(self._buffer) < 4 + length:
                break
            body = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            found.append(split(body))
        return found

    def _greet(self) -> bool:
        if not HANDSHAKE.startswith(bytes(self._buffer[:4])):
            raise WireError("the connection does not begin with API\\0")
        if len(self._buffer) < len(HANDSHAKE):
            return False
        del self._buffer[: len(HANDSHAKE)]
        self._greeted = True
        return True


def split(body: bytes) -> tuple[str, ...]:
    """The fields of a message body; the version range of the handshake has no trailing NUL."""
    fields = body.decode(errors="replace").split("\0")
    return tuple(fields[:-1] if fields[-1] == "" else fields)


class Fields:
    """A cursor over the fields of one message, reading them by type."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._fields) - self._at

    def text(self) -> str:
        if self._at >= len(self._fields):
            raise WireError(f"message {self._fields[0] if self._fields else '?'} ends after {self._at} fields")
        self._at += 1
        return self._fields[self._at - 1]

    def integer(self, default: int = 0) -> int:
        raw = self.text()
        if raw == "":
            return default
        digits = raw.removeprefix("-")
        if len(raw) > MAX_DIGITS or not digits.isascii() or not digits.isdigit():
            raise WireError(f"field {self._at} is {raw[:40]!r}, expected a whole number")
        return int(raw)

    def flag(self) -> bool:
        return self.integer() != 0

    def decimal(self) -> Decimal | None:
        """The number, or None where the field is empty."""
        raw = self.text()
        if raw == "":
            return None
        try:
            value = Decimal(raw)
        except InvalidOperation as error:
            raise WireError(f"field {self._at} is {raw[:40]!r}, expected a number") from error
        if not value.is_finite() or value.adjusted() > MAX_DIGITS or value.adjusted() < -MAX_DIGITS:
            raise WireError(f"field {self._at} is {raw[:40]!r}, beyond what a price or size can be")
        return value

    def skip(self, count: int) -> None:
        for _ in range(count):
            self.text()

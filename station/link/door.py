"""Where the socket lives. A UNIX socket's path is limited to 107 bytes; a longer one becomes a hashed name in a
private temporary directory, found through a pointer file beside where the socket would have been."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import struct
import tempfile
from pathlib import Path
from typing import Final

from station.domain.errors import Fatal

MAX_PATH: Final = 107


def pointer_file(path: Path) -> Path:
    """The file that names the real socket of an over-long `path`."""
    return path.with_name(path.name + ".at")


def address(path: Path) -> Path:
    """Where to connect for the engine whose socket is nominally `path`."""
    if _fits(path):
        return path
    try:
        return Path(pointer_file(path).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return _hashed(path)


def listen(path: Path) -> tuple[socket.socket, Path]:
    """A listening, non-blocking socket for `path`, mode 0600, and where it really is.

    Raises Fatal where another engine answers there, or the temporary directory is not ours alone.
    """
    place = path if _fits(path) else _private_place(path)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear_stale(place)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mask = os.umask(0o177)
        try:
            listener.bind(str(place))
        finally:
            os.umask(mask)
        place.chmod(0o600)
        listener.listen(16)
    except OSError as fault:
        listener.close()
        raise Fatal(f"cannot open the control socket {place}: {fault.strerror or fault}") from fault
    listener.setblocking(False)
    if place != path:
        _point(path, place)
    return listener, place


def leave(path: Path, place: Path, inode: int) -> None:
    """Remove the socket and its pointer, unless another engine has put its own there."""
    try:
        if place.lstat().st_ino != inode:
            return
        place.unlink()
    except FileNotFoundError:
        return
    if place != path:
        pointer_file(path).unlink(missing_ok=True)


def peer_uid(sock: socket.socket) -> int:
    """The user at the other end, told by the kernel."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= MAX_PATH


def _hashed(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"vigil-{os.getuid()}" / f"{name}.sock"


def _private_place(path: Path) -> Path:
    place = _hashed(path)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    found = place.parent.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    if not ours:
        raise Fatal(f"{place.parent} is not a directory of ours with mode 0700: remove it or set TMPDIR")
    if not _fits(place):
        raise Fatal(f"socket path {place} is over {MAX_PATH} bytes: set TMPDIR to a shorter directory")
    return place


def _point(path: Path, place: Path) -> None:
    pointer = pointer_file(path)
    fd = os.open(pointer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        out.write(f"{place}\n")


def _clear_stale(place: Path) -> None:
    try:
        kind = place.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise Fatal(f"{place} exists and is no socket: move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(place))
        except (ConnectionRefusedError, FileNotFoundError):
            place.unlink(missing_ok=True)
            return
        except OSError as fault:
            raise Fatal(f"another engine holds {place} and does not answer ({fault}): stop it first") from fault
    raise Fatal(f"another engine answers at {place}: stop it or take over")

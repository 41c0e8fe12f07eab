"""A process that owns a data directory until its input ends or it is killed.

Its last line of output is the server's URL, or `locked` where no server was wanted.
"""

import sys
from pathlib import Path

from app.storage.data_directory import DataDirectory
from app.storage.embedded import EmbeddedPostgres, guest_group


def main(path: Path, *, with_server: bool) -> None:
    """Hold the lock, run the server, and undo both in order at the end of input."""
    with DataDirectory(path, guest_group=guest_group()):
        server = EmbeddedPostgres(path)
        say(server.start() if with_server else "locked")
        sys.stdin.read()
        server.stop()


def say(word: str) -> None:
    """Print at once, for somebody who waits for it."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), with_server="--with-server" in sys.argv)

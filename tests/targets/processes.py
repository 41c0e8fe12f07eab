"""What runs and what lies around, as the machine itself tells it."""

from pathlib import Path


def pids_of(directory: Path) -> list[int]:
    """Return the processes that were started with a path below `directory`."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _names(entry, f"{directory}/")
    ]


def is_alive(pid: int) -> bool:
    """Say whether a process is there, be it as a zombie."""
    return Path(f"/proc/{pid}").exists()


def files_below(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*") if not path.is_dir()]


def entries(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def environment_of(pid: int) -> dict[str, str]:
    content = Path(f"/proc/{pid}/environ").read_text()
    return dict(one.split("=", 1) for one in content.split("\0") if one)


def _names(entry: Path, prefix: str) -> bool:
    try:
        arguments = (entry / "cmdline").read_bytes().decode().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie has no arguments any more.
    return any(one.startswith(prefix) for one in arguments)

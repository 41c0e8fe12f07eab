"""`python -m bench [row …]` measures on this machine and prints goal and figure."""

import asyncio
import sys

from rich.console import Console
from rich.table import Table

from bench.house import server
from bench.rows import ROWS


async def main(names: list[str]) -> None:
    """Measure the named rows, or all of them, one after the other."""
    table = Table("what", "measured", "goal")
    console = Console()
    with server() as url:
        for name in names or list(ROWS):
            console.print(f"measuring {name} …", style="dim")
            for figure in await ROWS[name](url):
                table.add_row(figure.what, figure.measured, figure.goal)
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

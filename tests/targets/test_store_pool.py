"""The pool of children: bounded, warm, one store each."""

import asyncio
import sys
from functools import partial
from pathlib import Path

import pytest

from app.core.failure import TargetError
from app.targets.store_child import StoreChild, launch
from app.targets.store_locations import StoreLocation
from app.targets.store_pool import PoolSettings, StorePool
from tests.support import eventually
from tests.targets.processes import entries, is_alive

_STUB = Path(__file__).with_name("stub_store_child.py").read_text()
launch_stub = partial(launch, program=(sys.executable, "-c", _STUB))


def _stores(name: str) -> tuple[StoreLocation, ...]:
    origin = ("http", name, 80)
    return (StoreLocation(uri=f"http://{name}", origin=origin),)


class PoolOfStubs(StorePool):
    """A pool that counts what it starts."""

    def __init__(self, directory: Path, **settings: float) -> None:
        self.started: list[StoreChild] = []
        chosen = PoolSettings(
            max_children=int(settings.get("max_children", 4)),
            idle_seconds=settings.get("idle_seconds", 100),
            wait_seconds=settings.get("wait_seconds", 10),
            spare_delay_seconds=settings.get("spare_delay_seconds", 100),
        )
        super().__init__(
            directory, allowed=[], settings=chosen, launch_child=self._counted
        )

    def _counted(self, work: Path, allowed: object) -> StoreChild:
        del allowed
        child = launch_stub(work, [])
        self.started.append(child)
        return child

    def alive(self) -> int:
        return sum(is_alive(child.pid) for child in self.started)


async def _pid(pool: StorePool, name: str) -> int:
    async with pool.lend(_stores(name)) as child:
        return int((await child.ask("x", {}, seconds=10))["pid"])


async def test_a_spare_child_waits_for_the_first_store(tmp_path: Path) -> None:
    pool = PoolOfStubs(tmp_path / "pool")
    await pool.start()
    spare = pool.started[0].pid

    used = await _pid(pool, "a")
    await pool.close()

    assert used == spare


async def test_a_store_is_asked_by_the_same_child_and_by_no_other_stores(
    tmp_path: Path,
) -> None:
    pool = PoolOfStubs(tmp_path / "pool")
    await pool.start()

    pids = [await _pid(pool, name) for name in ("a", "b", "a", "b")]
    await pool.close()

    assert pids[:2] == pids[2:]
    assert pids[0] != pids[1]


async def test_callers_at_once_get_children_of_their_own(tmp_path: Path) -> None:
    pool = PoolOfStubs(tmp_path / "pool", max_children=3)
    await pool.start()

    pids = await asyncio.gather(*(_pid(pool, "a") for _ in range(6)))
    alive = pool.alive()
    await pool.close()

    assert len(set(pids)) == 3
    assert alive == 3


async def test_an_idle_child_gives_way_to_another_store(tmp_path: Path) -> None:
    pool = PoolOfStubs(tmp_path / "pool", max_children=1)
    await pool.start()

    for name in ("a", "b", "a"):
        await _pid(pool, name)
    await eventually(lambda: pool.alive() == 1)
    await pool.close()

    assert len(pool.started) == 3


async def test_a_caller_that_waits_too_long_gets_a_transient_error(
    tmp_path: Path,
) -> None:
    pool = PoolOfStubs(tmp_path / "pool", max_children=1, wait_seconds=0.05)
    await pool.start()

    async with pool.lend(_stores("a")):
        with pytest.raises(TargetError) as error:
            await _pid(pool, "b")
    await pool.close()

    assert error.value.transient


async def test_a_child_without_work_ends_after_a_while(tmp_path: Path) -> None:
    pool = PoolOfStubs(tmp_path / "pool", idle_seconds=0.05)
    await pool.start()

    pid = await _pid(pool, "a")
    await eventually(lambda: not is_alive(pid))
    again = await _pid(pool, "a")
    await pool.close()

    assert again != pid


async def test_a_spare_that_was_taken_is_replaced_later(tmp_path: Path) -> None:
    pool = PoolOfStubs(tmp_path / "pool", spare_delay_seconds=0.05)
    await pool.start()

    await _pid(pool, "a")
    await eventually(lambda: len(pool.started) == 2)
    await pool.close()

    assert pool.alive() == 0


async def test_a_broken_child_is_replaced(tmp_path: Path) -> None:
    pool = PoolOfStubs(tmp_path / "pool", max_children=1)
    await pool.start()
    with pytest.raises(TargetError):
        async with pool.lend(_stores("a")) as child:
            await child.ask("die", {}, seconds=10)

    pid = await _pid(pool, "a")
    await pool.close()

    assert pid != pool.started[0].pid


async def test_an_idle_child_that_was_killed_is_replaced(tmp_path: Path) -> None:
    pool = PoolOfStubs(tmp_path / "pool", max_children=1)
    await pool.start()
    async with pool.lend(_stores("a")) as child:
        first = child
    await first.end()

    pid = await _pid(pool, "a")
    await pool.close()

    assert pid != first.pid


async def test_a_closed_pool_leaves_neither_a_process_nor_a_file(
    tmp_path: Path,
) -> None:
    pool = PoolOfStubs(tmp_path / "pool")
    await pool.start()
    await _pid(pool, "a")

    await pool.close()

    assert pool.alive() == 0
    assert entries(tmp_path / "pool") == []
    with pytest.raises(TargetError):
        await _pid(pool, "a")


async def test_what_an_earlier_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "pool" / "1" / "tmp").mkdir(parents=True)
    pool = PoolOfStubs(tmp_path / "pool")

    await pool.start()
    await _pid(pool, "a")
    await pool.close()

    assert entries(tmp_path / "pool") == []

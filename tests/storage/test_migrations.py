"""The schema: applied once however many apply it, and the same as the tables say."""

import asyncio

import psycopg
import pytest
from alembic import command

from app.core.errors import OperatorError
from app.storage import migrations


def test_a_migrated_database_is_what_the_tables_declare(database_url: str) -> None:
    command.check(migrations.config(database_url))

    assert migrations.is_current(database_url)


def test_an_empty_database_is_not_current(empty_database_url: str) -> None:
    assert not migrations.is_current(empty_database_url)


async def test_two_that_migrate_at_once_take_turns(empty_database_url: str) -> None:
    await asyncio.gather(
        *(asyncio.to_thread(migrations.upgrade, empty_database_url) for _ in range(2))
    )

    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("SELECT count(*) FROM installation").fetchone()
    assert row == (1,)


def test_a_database_of_a_newer_release_is_refused_and_left_alone(
    database_url: str,
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(OperatorError, match="newer"):
        migrations.upgrade(database_url)


def test_every_record_names_its_project_and_who_made_it(database_url: str) -> None:
    query = """
        SELECT table_name FROM information_schema.tables
        WHERE table_schema = 'public' AND table_name NOT LIKE 'procrastinate%'
        EXCEPT
        SELECT table_name FROM information_schema.columns
        WHERE column_name IN ('project', 'created_by')
        GROUP BY table_name HAVING count(*) = 2
    """
    with psycopg.connect(database_url) as connection:
        without = {row[0] for row in connection.execute(query)}

    assert without == {"alembic_version", "installation"}

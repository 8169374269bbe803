"""Alembic's environment: the store's database through the project's one SQLite driver."""

from __future__ import annotations

from alembic import context
from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from seamless_queue.driver import BUSY_SECONDS, library
from seamless_queue.models import Base


def run() -> None:
    """Migrate the database that the configuration names."""
    url = URL.create("sqlite", database=context.config.attributes["database"])
    engine = create_engine(url, module=library(), poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})
    with engine.connect() as connection:
        # Journal mode outlives the connection and cannot be set inside a transaction.
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.commit()
        # By hand, because the driver begins none before DDL: whoever is killed here must leave the old schema whole.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
            revision = context.get_context().get_current_revision()
            connection.execute(text(f"PRAGMA user_version = {int(revision or 0)}"))
        connection.commit()


run()

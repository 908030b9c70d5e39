"""Alembic's entry: runs the migrations on the connection that `vecsearch.stores.sqlite.engine.database_folder` hands over.

The caller has begun the transaction (BEGIN IMMEDIATE) and commits it, so that a schema and its version change together.
"""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=False, transaction_per_migration=False)
context.run_migrations()

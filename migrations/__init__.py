"""The Alembic environment and its numbered versions."""

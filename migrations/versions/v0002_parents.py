"""Requests know the job that has made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# Not as a batch: that copies the table, and forgets AUTOINCREMENT.
def upgrade() -> None:
    op.add_column("requests", sa.Column("parent", sa.Integer(), nullable=True))
    op.create_index("requests_of_parent", "requests", ["parent"], sqlite_where=sa.text("parent IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("requests_of_parent", "requests", sqlite_where=sa.text("parent IS NOT NULL"))
    op.drop_column("requests", "parent")

"""What made a buffer, in what surroundings, and whether its bytes are to be kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BY_RESULT = sa.text("result IS NOT NULL")
SCRATCH = sa.text("scratch = 1 AND evicted IS NULL")


def upgrade() -> None:
    op.create_table(
        "environments",
        sa.Column("checksum", sa.LargeBinary(), primary_key=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "makers",
        sa.Column("checksum", sa.LargeBinary(), primary_key=True),
        sa.Column("job_id", sa.Integer(), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "uploads",
        sa.Column("checksum", sa.LargeBinary(), primary_key=True),
        sa.Column("path", sa.LargeBinary(), primary_key=True),
        sa.Column("created", sa.Float(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("jobs", sa.Column("scratch", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("evicted", sa.Float(), nullable=True))
    op.create_index("jobs_by_result", "jobs", ["result"], sqlite_where=BY_RESULT)
    op.create_index("jobs_scratch", "jobs", ["id"], sqlite_where=SCRATCH)
    op.add_column("requests", sa.Column("scratch", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("requests", sa.Column("metavariables", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("environment", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("attempts", "environment")
    op.drop_column("requests", "metavariables")
    op.drop_column("requests", "scratch")
    op.drop_index("jobs_scratch", "jobs", sqlite_where=SCRATCH)
    op.drop_index("jobs_by_result", "jobs", sqlite_where=BY_RESULT)
    op.drop_column("jobs", "evicted")
    op.drop_column("jobs", "scratch")
    op.drop_table("uploads")
    op.drop_table("makers")
    op.drop_table("environments")

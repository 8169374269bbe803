"""What jobs demand and servers offer, which of it a job has got, and when an attempt wrote what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PRIORITY: sa.ColumnElement[int] = sa.literal_column("priority DESC")
FREE = "state = 0 AND worker_id IS NULL"
UNDEMANDING = sa.text(f"{FREE} AND resources IS NULL")
DEMANDING = sa.text(f"{FREE} AND resources IS NOT NULL")
HOLDING = sa.text("worker_id IS NOT NULL AND resources IS NOT NULL")


def upgrade() -> None:
    op.add_column("sessions", sa.Column("resources", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("resources", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("resources", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("passed_over", sa.Float(), nullable=True))
    op.add_column("jobs", sa.Column("devices", sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("marks", sa.Text(), nullable=True))
    op.drop_index("jobs_claimable", "jobs")
    op.create_index("jobs_claimable", "jobs", ["lane", PRIORITY, "id"], sqlite_where=UNDEMANDING)
    op.create_index("jobs_demanding", "jobs", ["resources", PRIORITY, "id"], sqlite_where=DEMANDING)
    op.create_index("jobs_holding", "jobs", ["worker_id"], sqlite_where=HOLDING)


def downgrade() -> None:
    op.drop_index("jobs_holding", "jobs", sqlite_where=HOLDING)
    op.drop_index("jobs_demanding", "jobs", sqlite_where=DEMANDING)
    op.drop_index("jobs_claimable", "jobs")
    op.create_index("jobs_claimable", "jobs", ["lane", PRIORITY, "id"], sqlite_where=sa.text(FREE))
    op.drop_column("attempts", "marks")
    op.drop_column("jobs", "devices")
    op.drop_column("jobs", "passed_over")
    op.drop_column("jobs", "resources")
    op.drop_column("requests", "resources")
    op.drop_column("sessions", "resources")

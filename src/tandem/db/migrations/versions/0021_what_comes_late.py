"""Since when a device card pays no more, for what it approved offline and comes late.

Revision ID: 0021
Revises: 0020
"""

from alembic import op

from tandem.db.migrate import run
from tandem.db.row_types import change_types

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Cards that pay no more: the person's events say since when. The vault writes none when it blocks a
# card; its row has changed by taps only since.
FILL = """
    WITH told AS (
        SELECT c.id, e.type, e.created_at
        FROM device_cards AS c JOIN events AS e ON e.owner_id = c.person_id AND e.object_id = c.id
        WHERE c.status IN ('suspended', 'lost', 'blocked', 'removed', 'replaced')
        AND e.created_at > coalesce((
            SELECT max(a.created_at) FROM events AS a
            WHERE a.owner_id = c.person_id AND a.object_id = c.id AND a.type = 'card.active'
        ), '-infinity')
    ), since AS (
        SELECT id,
            min(created_at) FILTER (WHERE type IN (
                'card.suspended', 'card.lost', 'card.blocked', 'card.removed', 'card.replaced'
            )) AS stopped_at,
            min(created_at) FILTER (WHERE type IN ('card.lost', 'card.blocked')) AS lost_at
        FROM told GROUP BY id
    )
    UPDATE device_cards AS c SET
        stopped_at = coalesce(since.stopped_at, c.updated_at),
        lost_at = CASE WHEN c.status IN ('lost', 'blocked')
            THEN coalesce(since.lost_at, c.updated_at) ELSE since.lost_at END
    FROM device_cards AS o LEFT JOIN since ON since.id = o.id
    WHERE o.id = c.id AND c.status IN ('suspended', 'lost', 'blocked', 'removed', 'replaced')
"""
STATEMENTS = (
    "ALTER TABLE device_cards ADD COLUMN stopped_at timestamptz",
    "ALTER TABLE device_cards ADD COLUMN lost_at timestamptz",
    FILL,
    "DROP DOMAIN device_cards_changes",
    "DROP TYPE device_cards_change",
    *change_types(
        "device_cards",
        guards=(
            *("status", "atc", "seen", "wrong_cryptograms", "delivered_at"),
            *("funding_currency", "funding_id", "stopped_at", "lost_at"),
        ),
        columns=(
            *("status", "atc", "seen", "wrong_cryptograms", "updated_at"),
            *("stopped_at", "lost_at"),
        ),
    ),
)


def upgrade() -> None:
    """Add the columns, fill them, and make the types in which the journal writes cards anew."""
    run(op, STATEMENTS)

"""Messages that people write to each other are screened for spam and fraud."""

from tandem.screening.errors import AlreadyAppealed, NotHeld
from tandem.screening.model import (
    CLEAR,
    SCREENINGS,
    Kind,
    MessageState,
    MessageView,
    OwnMessageView,
    Screened,
    Screening,
    ScreeningView,
    State,
    own_message_view,
    screening_view,
    seen,
)
from tandem.screening.scorer import Company, Score, score, weigh
from tandem.screening.service import MessageScreening
from tandem.screening.store import states_of

__all__ = [
    "CLEAR",
    "SCREENINGS",
    "AlreadyAppealed",
    "Company",
    "Kind",
    "MessageScreening",
    "MessageState",
    "MessageView",
    "NotHeld",
    "OwnMessageView",
    "Score",
    "Screened",
    "Screening",
    "ScreeningView",
    "State",
    "own_message_view",
    "score",
    "screening_view",
    "seen",
    "states_of",
    "weigh",
]

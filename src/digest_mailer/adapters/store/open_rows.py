"""What is still to be sent to somebody who may get no more mail."""

from datetime import datetime

from sqlalchemy import Connection, case, update
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store.tables import delivery
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.identity import SubscriberId

_STILL_TO_SEND = (HandOff.PLANNED, HandOff.CLAIMED, HandOff.DEFERRED)


def drop_open_rows(connection: Connection, person: SubscriberId, why: str, now: datetime) -> None:
    """Nothing more is sent to this person; call it in the transaction that makes it so, which counts the audience's
    sequence up: a sender looks at that to notice."""
    open_rows = update(delivery).where(delivery.c.subscriber_id == person, delivery.c.state.in_(_STILL_TO_SEND))
    values = {
        "state": HandOff.SUPPRESSED,
        "fence": fence_of_claimed(),
        "due_at": None,
        "changed_at": now,
        "detail": why,
    }
    connection.execute(open_rows.values(**values))


def fence_of_claimed() -> ColumnElement[int]:
    """The fence of a row that is moved out of a sender's hand, none of another: who has one may have been served."""
    return case((delivery.c.state == HandOff.CLAIMED, delivery.c.fence), else_=0)

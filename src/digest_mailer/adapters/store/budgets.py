"""How often something was done for a key in a span of time, so that it can be limited. Keys are hashes; what is over is
forgotten.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.tables import budget
from digest_mailer.core.budget import Expense


class BudgetStore:
    """The port `Budgets` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spend(self, expenses: Sequence[Expense], now: datetime) -> bool:
        """Spend one of each, or nothing when one of them is used up; whether it was spent."""
        with self._database.write() as connection:
            connection.execute(delete(budget).where(budget.c.until <= now))
            if any(_used(connection, one) >= one.limit for one in expenses):
                return False
            for one in expenses:
                _count(connection, one, now)
            return True


def _used(connection: Connection, expense: Expense) -> int:
    found = select(budget.c.used).where(budget.c.kind == expense.kind, budget.c.key == expense.key)
    return connection.execute(found).scalar() or 0


def _count(connection: Connection, expense: Expense, now: datetime) -> None:
    mine = (budget.c.kind == expense.kind, budget.c.key == expense.key)
    if not connection.execute(update(budget).where(*mine).values(used=budget.c.used + 1)).rowcount:
        values = {"kind": expense.kind, "key": expense.key, "until": now + expense.span, "used": 1}
        connection.execute(insert(budget).values(**values))

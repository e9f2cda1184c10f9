"""The database: SQLite in `.digest/digest.db`.

`tables` defines it, `migrations/` builds it, `database` opens it; `people`, `approvals` and `ledger` are the
stores that services see through the ports. Cold queries are SQLAlchemy Core; the hot paths of a send (claim,
mark, record) and of an import are SQL on the same connection.
"""

"""Alembic's entry: runs the steps on the connection that `database.upgrade` hands over."""

from alembic import context

from digest_mailer.adapters.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()

"""The steps that build the database, applied by `digest-mailer db upgrade` through Alembic."""

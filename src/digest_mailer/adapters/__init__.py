"""Adapters touch the world: files, database, network. Only `bootstrap` knows them."""

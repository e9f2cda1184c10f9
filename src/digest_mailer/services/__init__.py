"""What happens: one file a use case, written against the Protocols of `ports`."""

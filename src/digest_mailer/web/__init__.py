"""The web edge: the archive, the way out for readers, and the sandbox's inbox. Translates a request into one
service call and shows its result. Imported only by the commands that serve it."""

"""The command `digest-mailer`: arguments in, one service call, its result out.

Only click is imported at start, so that `--help` is quick: each command's module is loaded when it is run.
"""

from digest_mailer.cli.group import main

__all__ = ["main"]

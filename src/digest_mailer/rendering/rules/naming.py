"""How a finding names what it found: on one line, and not longer than a person wants to read."""

LONGEST = 60  # characters


def one_line(text: str) -> str:
    """The text with single, ordinary spaces."""
    return " ".join(text.split())


def short(text: str) -> str:
    """The text on one line, cut at 60 characters."""
    line = one_line(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


def squash(text: str) -> str:
    """The text without any white space, for comparing what may be broken into lines."""
    return "".join(text.split())

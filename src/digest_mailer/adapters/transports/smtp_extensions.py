"""What a server offers, from its answer to EHLO (RFC 5321 section 4.1.1.1), read with tolerance.

Case does not matter, and the old `AUTH=` counts as AUTH. 8BITMIME and SMTPUTF8 are not looked for: content is
7-bit and addresses are ASCII by their types, so no message needs them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extensions:
    """The extensions that make a difference here."""

    size: int = 0  # the most octets of a message; 0 for no stated limit (RFC 1870 section 4)
    sized: bool = False  # takes SIZE= on MAIL
    pipelining: bool = False  # RFC 2920
    chunking: bool = False  # RFC 3030
    dsn: bool = False  # RFC 3461
    starttls: bool = False  # RFC 3207
    auth: frozenset[str] = frozenset()  # names of SASL mechanisms (RFC 4954 section 3), upper case


def read_extensions(text: bytes) -> Extensions:
    """The extensions in the lines of a reply; the first line is the server's name."""
    found: dict[str, list[str]] = {}
    for line in text.decode("utf-8", "replace").upper().replace("AUTH=", "AUTH ").split("\n")[1:]:
        keyword, *parameters = line.split() or [""]
        found.setdefault(keyword, []).extend(parameters)
    limit = found.get("SIZE", [])[:1]
    return Extensions(
        size=int(limit[0]) if limit and limit[0].isascii() and limit[0].isdecimal() else 0,
        sized="SIZE" in found,
        pipelining="PIPELINING" in found,
        chunking="CHUNKING" in found,
        dsn="DSN" in found,
        starttls="STARTTLS" in found,
        auth=frozenset(found.get("AUTH", [])),
    )

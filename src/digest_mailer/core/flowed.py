"""Text that a mail program may reflow: `format=flowed` (RFC 3676).

A line that ends with a space goes on in the next. A line that begins with a space, `>` or `From ` gets one
space in front, which the reader's program takes away again (section 4.4): else it would read as a quotation,
or an old mail store would take it for the start of another message.
"""

import re
import textwrap

PARAMETERS = {"format": "flowed", "delsp": "no"}  # of the Content-Type
_TO_STUFF = re.compile(r"^(?=[ >]|From )", re.MULTILINE)


def stuff(text: str) -> str:
    """The text with a space before each line that needs one."""
    return _TO_STUFF.sub(" ", text)


def flow(paragraph: str, width: int) -> str:
    """One paragraph as flowed lines of at most `width` columns and the space that joins them."""
    lines = textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False)
    return stuff(" \n".join(lines))

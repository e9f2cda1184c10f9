"""A finished edition in small, for the tests of the rules: right in every way, to be broken in one place."""

from digest_mailer.core.edition import Slot
from digest_mailer.core.finding import Finding

ADDRESS = "1 Example Street, Ottawa"
MARKS = {slot.name: slot.mark for slot in Slot}

HTML = """<!DOCTYPE html>
<html lang="en" dir="ltr"><head><title>Practice Digest: July 2023</title>
<style>body { margin: 0; } .x > a:hover { color: #0b5563; }</style>
<style>@media (max-width: 480px) { h1 { font-size: 29px !important; } }</style>
</head><body style="background-color:#f3f4f0;"><div lang="en" dir="ltr" style="font-size:17px;color:#1f2933;">
<!--[if mso | IE]><table role="presentation"><tr><td><![endif]-->
<table role="presentation" style="background:#ffffff;background-color:#ffffff;"><tbody><tr><td>
<h1>July 2023</h1>
<p>Read <a href="https://digest.example.org/issues/2023-07/" style="color:#0b5563">this issue on the web</a>.</p>
<h2>Empathy helps</h2>
<p>Body words stand here.</p>
</td></tr></tbody></table>
<!--[if mso | IE]></td></tr></table><![endif]-->
<p>__DM_WHY__ <a href="__DM_PREFERENCES__" style="color:#0b5563">Choose your topics</a>,
<a href="__DM_PREFERENCES__#pause" style="color:#0b5563">pause</a> or
<a href="__DM_UNSUBSCRIBE__" style="color:#0b5563">unsubscribe</a>.</p>
<p>1 Example Street, Ottawa</p>
</div></body></html>
"""
TEXT = """July 2023
=========

Read this issue on the web:
https://digest.example.org/issues/2023-07/

1. Empathy helps
================

Body words stand here.

__DM_WHY__

Choose your topics:
__DM_PREFERENCES__

Pause:
__DM_PREFERENCES__#pause

Unsubscribe:
__DM_UNSUBSCRIBE__

1 Example Street, Ottawa
"""
PLACE = "<p>Body words stand here.</p>"  # in the card, where an article stands


def with_body(html: str) -> str:
    """The HTML with something in the place of its article."""
    return replaced(PLACE, html)


def replaced(old: str, new: str, text: str = HTML) -> str:
    """The HTML, or another text, with one thing in another's place; it has to be there."""
    assert old in text
    return text.replace(old, new)


def told(found: list[Finding]) -> list[tuple[str, str]]:
    """What was found, as code and place."""
    return [(finding.code, finding.near) for finding in found]

"""What a check of a template or of a finished edition found.

A finding knows where it stands in what was checked (`line`, `col` in the MJML) or which words stand beside it
(`near`); `services.linting` turns it into a diagnostic of the file that a person has to open.
"""

from dataclasses import dataclass

from digest_mailer.core.errors import Severity


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake. `line` and `col` count from 1 in the text that was checked; 0 where the check has none."""

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    near: str = ""  # a word, an address or a tag that stands where the mistake is
    line: int = 0
    col: int = 0

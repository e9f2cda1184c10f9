"""See `core.finding`."""

from digest_mailer.core.finding import Finding as Finding

"""The SMTP transport: messages to a relay or submission server, over a few connections that are used again.

`smtp_pool` opens connections while there is work for them; `smtp_session` begins and ends each, `smtp_courier`
carries messages over it; the meaning of replies is in `smtp_reply`, the settings and the URL in `smtp_settings`.
A message gets one attempt. A connection that the server closed between two messages is replaced without a word,
because of the next message nothing has left yet. A wrong password is tried once, whatever the number of
connections. Never: a retry, a changed message, a password in plain text. 8BITMIME and SMTPUTF8 are not asked for:
content is 7-bit and addresses are ASCII by their types.
"""

from digest_mailer.adapters.transports.smtp_pool import Pool
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings
from digest_mailer.core.errors import ConfigError
from digest_mailer.ports import Work


class SmtpTransport:
    """Fulfils `ports.Transport` over SMTP. Raises ConfigError when built from incomplete settings."""

    def __init__(self, settings: SmtpSettings) -> None:
        if settings.username and not settings.password:
            raise ConfigError(
                f"no password for the SMTP server {settings.host}",
                "give it in a secret file or in the environment, or take the user out of the transport URL",
            )
        self._settings = settings
        self._context = settings.tls_context()

    @property
    def url(self) -> str:
        return self._settings.url

    @property
    def live(self) -> bool:
        return not self._settings.loopback

    @property
    def connections(self) -> int:
        return self._settings.connections

    async def deliver(self, work: Work) -> None:
        """See `ports.Transport.deliver`."""
        await Pool(self._settings, self._context, work).run()

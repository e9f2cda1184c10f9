"""The smtp: URL, its defaults, and what it refuses."""

from dataclasses import replace
from pathlib import Path

import pytest

from digest_mailer.adapters.transports.smtp_settings import Auth, SmtpSettings, Tls, is_loopback, parse_smtp_url
from digest_mailer.core.errors import ConfigError, ExitCode


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://mail.example.org", "mail.example.org", 587, Tls.STARTTLS),
        ("smtp://mail.example.org/", "mail.example.org", 587, Tls.STARTTLS),
        ("smtp://mail.example.org?tls=starttls", "mail.example.org", 587, Tls.STARTTLS),
        ("smtp://mail.example.org?tls=implicit", "mail.example.org", 465, Tls.IMPLICIT),
        ("smtp://Mail.Example.ORG:2525?tls=implicit", "mail.example.org", 2525, Tls.IMPLICIT),
        ("smtp://192.0.2.7:2525", "192.0.2.7", 2525, Tls.STARTTLS),
        ("smtp://[2001:db8::7]", "2001:db8::7", 587, Tls.STARTTLS),
        ("smtp://localhost", "localhost", 25, Tls.NONE),
        ("smtp://127.0.0.1:1025", "127.0.0.1", 1025, Tls.NONE),
        ("smtp://127.9.9.9", "127.9.9.9", 25, Tls.NONE),
        ("smtp://[::1]:1025?tls=none", "::1", 1025, Tls.NONE),
        ("smtp://localhost?tls=starttls", "localhost", 587, Tls.STARTTLS),
    ],
)
def test_url_gives_host_port_and_protection(url: str, host: str, port: int, tls: Tls) -> None:
    settings = parse_smtp_url(url)
    assert (settings.host, settings.port, settings.tls) == (host, port, tls)


def test_user_name_is_decoded_and_connections_are_read() -> None:
    settings = parse_smtp_url(
        "smtp://news%40example.org@mail.example.org?connections=9", default_connections=2, password="p"
    )
    assert (settings.username, settings.password, settings.connections) == ("news@example.org", "p", 9)
    assert parse_smtp_url("smtp://mail.example.org", default_connections=2).connections == 2


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smtp://user:hunter2@mail.example.org", "holds a password"),
        ("smtp://user:@mail.example.org", "holds a password"),
        ("smtp://:hunter2@mail.example.org", "holds a password"),
        ("smtp://", "no host"),
        ("smtp://user@", "no host"),
        ("smtp:mail.example.org", "no host"),
        ("smtp://mail..example.org", "no host"),
        ("smtp://exämple.org", "no host"),
        ("smtp://-a.example.org", "no host"),
        (f"smtp://{'a' * 64}.example.org", "no host"),
        ("smtp://[::1", "cannot be read"),
        ("smtp://user:hunter2@\u2100.example.org", "cannot be read"),
        ("smtps://mail.example.org", "smtp://"),
        ("smtp://mail.example.org:0", "port"),
        ("smtp://mail.example.org:65536", "port"),
        ("smtp://mail.example.org:smtp", "port"),
        ("smtp://mail.example.org/inbox", "path"),
        ("smtp://mail.example.org#top", "fragment"),
        ("smtp://mail.example.org?tls=none", "tls=none"),
        ("smtp://192.0.2.7?tls=none", "tls=none"),
        ("smtp://user@localhost", "log-in without TLS"),
        ("smtp://mail.example.org?tls=startls", "unknown tls"),
        ("smtp://mail.example.org?tls=", "unknown tls"),
        ("smtp://mail.example.org?auth=oauth", "unknown auth"),
        ("smtp://mail.example.org?auth=", "unknown auth"),
        ("smtp://mail.example.org?tsl=none", "unknown key"),
        ("smtp://mail.example.org?tls=implicit&tls=none", "twice"),
        ("smtp://mail.example.org?tls", "key=value"),
        ("smtp://mail.example.org?connections=0", "connections"),
        ("smtp://mail.example.org?connections=101", "connections"),
        ("smtp://mail.example.org?connections=many", "connections"),
        ("smtp://mail.example.org?connections=-1", "connections"),
        ("smtp://mail.exa\nmple.org", "control character"),
        ("smtp://mail.example.org ", "control character"),
    ],
)
def test_what_makes_no_sense_is_a_configuration_error(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse_smtp_url(url)
    assert caught.value.hint
    assert caught.value.exit_code is ExitCode.CONFIG
    assert "hunter2" not in f"{caught.value.what} {caught.value.hint}"
    assert caught.value.__cause__ is None


def test_typing_mistakes_get_a_suggestion() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_smtp_url("smtp://mail.example.org?tls=implict")
    assert caught.value.hint == 'did you mean "implicit"?'


def test_settings_name_the_server_without_the_account() -> None:
    settings = parse_smtp_url("smtp://account-token@[2001:db8::7]:2525?tls=implicit", password="hunter2")
    assert settings.url == "smtp://[2001:db8::7]:2525?tls=implicit"
    assert "hunter2" not in repr(settings)
    assert "account-token" not in repr(settings)
    assert parse_smtp_url(settings.url) == replace(settings, username="", password="")


def test_a_token_is_a_choice_of_the_url() -> None:
    assert parse_smtp_url("smtp://news@mail.example.org?auth=xoauth2", password="t").auth is Auth.XOAUTH2
    assert parse_smtp_url("smtp://news@mail.example.org", password="p").auth is Auth.PASSWORD


def test_a_connection_carries_at_least_one_message() -> None:
    with pytest.raises(ConfigError, match="no message"):
        SmtpSettings("localhost", 25, tls=Tls.NONE, max_messages=0)


@pytest.mark.parametrize("name", ["two words", "line\r\nQUIT", "exämple"])
def test_local_host_name_cannot_carry_a_command(name: str) -> None:
    with pytest.raises(ConfigError):
        SmtpSettings("localhost", 25, tls=Tls.NONE, local_hostname=name)


def test_certificates_are_verified(tmp_path: Path) -> None:
    context = parse_smtp_url("smtp://mail.example.org").tls_context()
    assert context is not None
    assert context.check_hostname
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for file in (junk, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match="no readable certificates"):
            parse_smtp_url("smtp://mail.example.org", ca_file=file).tls_context()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("0.0.0.0", False),  # all of this computer's addresses, others' too
        ("128.0.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("::2", False),
    ],
)
def test_only_this_computer_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected

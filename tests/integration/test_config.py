"""The settings: what is wrong is named with table and key, what is secret is never shown."""

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import ROOT
from digest_mailer import config
from digest_mailer.adapters.transports.outbox import OutboxTransport
from digest_mailer.adapters.transports.sandbox import SandboxTransport
from digest_mailer.bootstrap import App, build_app
from digest_mailer.config import CREDENTIAL, Settings, find_password, load_settings
from digest_mailer.core.errors import ConfigError, ContentError, ExitCode
from digest_mailer.core.identity import FRENCH
from publication_support import make_publication

SECRET = "hunter2-do-not-show"
SAMPLE = (ROOT / "digest.toml").read_text("utf-8")


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    """The sample's settings with some text replaced."""
    text = SAMPLE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "digest.toml"
    path.write_text(text, "utf-8")
    return path


def load(
    path: Path, overrides: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    return load_settings(path, overrides or {}, environment or {})


def wrong(path: Path, *words: str, environment: Mapping[str, str] | None = None, hint: str = "") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(path, environment=environment)
    for word in words:
        assert word in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.exit_code is ExitCode.CONFIG
    assert SECRET not in f"{caught.value}{caught.value.what}{caught.value.hint}"
    return caught.value


# -- the sample, and what is wrong


def test_the_sample_is_in_order(tmp_path: Path) -> None:
    settings = load(write(tmp_path))
    publication = config.publication(settings)
    assert publication.name == "Practice Research Digest"
    assert publication.base_url == "https://digest.example.org"
    assert publication.theme.accent == "#0b5563"
    assert settings.delivery.max_age == timedelta(hours=48)
    assert "\n" not in publication.masthead_long


def test_no_file_at_all(tmp_path: Path) -> None:
    wrong(tmp_path / "digest.toml", "there is no", "digest.toml", hint="digest-mailer init")
    wrong(tmp_path, "there is no")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name =", "nmae =", ["publication.nmae: unknown key", 'did you mean "name"', "publication.name: missing"]),
        ("[theme]", "[them]", ["them: unknown key", 'did you mean "theme"']),
        ("[delivery]", "[delivery]\nspeed = 5", ["delivery.speed: unknown key"]),
        ('feedback_id = "practicedigest"', "", ["sender.feedback_id: missing"]),
        ("[sender]", "[sendre]", ["sender: missing", "sendre: unknown key", 'did you mean "sender"']),
        ("connections = 4", 'connections = "many"', ["delivery.connections", "integer"]),
        ("connections = 4", "connections = 0", ["delivery.connections", "greater than or equal to 1"]),
        ("connections = 4", "connections = 101", ["delivery.connections"]),
        ('languages = ["en", "fr"]', 'languages = "en"', ["publication.languages", "tuple"]),
        ('languages = ["en", "fr"]', "languages = []", ["publication.languages"]),
        ('languages = ["en", "fr"]', 'languages = ["en\\r\\nBcc: x"]', ["publication.languages.0"]),
        ('languages = ["en", "fr"]', 'languages = ["English"]', ["publication.languages.0"]),
        ('timezone = "America/Toronto"', 'timezone = "Mars/Phobos"', ["publication.timezone", "like America/Toronto"]),
        ('timezone = "America/Toronto"', 'timezone = "America"', ["publication.timezone"]),
        ('timezone = "America/Toronto"', 'timezone = "../etc/passwd"', ["publication.timezone"]),
        ('contact = "editor@', 'contact = "editor', ["publication.contact", "@"]),
        ('address = "digest@', 'address = "dig\\nest@', ["sender.address", "control character"]),
        ('name = "Practice Research Digest"', 'name = "Digest\\r\\nBcc: all@x.ca"', ["publication.name", "one line"]),
        ('name = "Practice Research Digest"', 'name = "  "', ["publication.name"]),
        ('no_match = "skip"', 'no_match = "some"', ["publication.no_match", "'skip' or 'all'"]),
        ('feedback_id = "practicedigest"', 'feedback_id = "a:b:c:d:e"', ["sender.feedback_id"]),
        ('list_id = "', 'list_id = "<x>', ["sender.list_id"]),
        ('transport = "sandbox:"', 'transport = "sand\\nbox:"', ["delivery.transport"]),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    path = write(tmp_path, (old, new))
    wrong(path, str(path), *words, hint="docs/reference/configuration.md")


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, ("connections = 4", "connections = 0"), ("timezone = ", "timezon = "))
    assert len(wrong(path, "delivery.connections", "publication.timezon").what.splitlines()) == 2


@pytest.mark.parametrize("colour", ["#12345", "blue", "#0B5563", "#0b5563;}", ""])
def test_a_colour_is_six_digits(tmp_path: Path, colour: str) -> None:
    settings = load(write(tmp_path, ('accent = "#0b5563"', f'accent = "{colour}"')))
    with pytest.raises(ContentError, match=r"theme\.accent should be a colour like #0b5563") as caught:
        config.publication(settings)
    assert "docs/how-to/look.md" in caught.value.hint
    assert caught.value.exit_code is ExitCode.CONTENT


def test_a_theme_that_is_hard_to_read_is_refused(tmp_path: Path) -> None:
    settings = load(write(tmp_path, ('accent = "#0b5563"', 'accent = "#6aa0a8"')))
    with pytest.raises(ContentError, match=r"contrast of 2\.\d+:1; readers need 4\.5:1"):
        config.publication(settings)


def test_an_unknown_colour_is_named(tmp_path: Path) -> None:
    wrong(write(tmp_path, ("accent = ", "acent = ")), "theme.acent", 'did you mean "accent"?')


def test_sizes_and_other_languages_arrive(tmp_path: Path) -> None:
    path = write(tmp_path, ('accent = "#0b5563"', "text_size = 19"))
    publication = config.publication(load(path))
    assert publication.theme.text_size == 19
    assert publication.in_language(FRENCH).author == "la rédaction"
    wrong(write(tmp_path, ('accent = "#0b5563"', 'text_size = "large"')), "theme.text_size")
    wrong(
        write(tmp_path, ('author = "la rédaction"', 'auteur = "la rédaction"')),
        "publication.translations.fr.auteur",
        "author",
    )


@pytest.mark.parametrize("data", [b"[publication\nname = 1", b"name = \xff\xfe", b"a = 1\na = 2"])
def test_what_is_no_toml_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "digest.toml").write_bytes(data)
    wrong(tmp_path / "digest.toml", "digest.toml is not valid TOML", hint="correct the file")


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_args: object, **_options: object) -> str:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path)
    monkeypatch.setattr(Path, "read_text", denied)
    wrong(path, "cannot read", "Permission denied")


# -- the base address

WRONG_URLS = [
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "http://127.0.0.1@evil.example:80",
    "http://127.0.0.1:1@evil.example/",
    "http://[::1].evil.example",
    "http://[::2]",
    "http://digest.example.org",
    "HTTP://digest.example.org",
    "https://",
    "https:///issues",
    "https://user@digest.example.org",
    "https://digest.example.org?x=1",
    "https://digest.example.org/#top",
    "https://digest.example.org:port",
    "https://digest.example.org:99999",
    "https://digest.example.org:0",
    "https://digest.example.org/<b>",
    "https://digest.example.org/a b",
    "https://digest\\\\.example.org",
    "https://dîgest.example.org",
    "https://digest.example.org\\r\\nX-Header: 1",
    "ftp://digest.example.org",
    "javascript:alert(1)",
    "digest.example.org",
    "",
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_a_base_address_is_https_or_this_machine(tmp_path: Path, url: str) -> None:
    wrong(write(tmp_path, ('base_url = "https://digest.example.org"', f'base_url = "{url}"')), "publication.base_url")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://digest.example.org/", "https://digest.example.org"),
        (" https://digest.example.org:8443/prd/ ", "https://digest.example.org:8443/prd"),
        ("https://xn--dgest-psa.example.org", "https://xn--dgest-psa.example.org"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_good_base_address_is_kept_without_its_last_slash(tmp_path: Path, url: str, kept: str) -> None:
    settings = load(write(tmp_path, ('base_url = "https://digest.example.org"', f'base_url = "{url}"')))
    assert settings.publication.base_url == kept


@given(st.from_regex(r"http://(127\.0\.0\.1|localhost|\[::1\])[-.:@a-z0-9/]{0,20}", fullmatch=True))
def test_no_unprotected_address_leads_to_another_machine(url: str) -> None:
    try:
        kept = config._base_url(url)
    except ValueError:
        return
    assert re.fullmatch(r"http://(127(\.[0-9]+){3}|localhost|\[::1\])(:[0-9]+)?(/.*)?", kept)


# -- where a setting comes from


def test_an_option_comes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    path = write(tmp_path)
    environment = {"DIGEST_DELIVERY__CONNECTIONS": "7", "digest_delivery__transport": "outbox:there"}
    assert load(path).delivery.connections == 4
    settings = load(path, environment=environment)
    assert (settings.delivery.connections, settings.delivery.transport) == (7, "outbox:there")
    settings = load(path, {"delivery": {"connections": 9}}, environment)
    assert (settings.delivery.connections, settings.delivery.transport) == (9, "outbox:there")
    assert settings.publication.name == "Practice Research Digest"


def test_the_environment_is_the_one_that_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_DELIVERY__CONNECTIONS", "7")
    assert load(write(tmp_path)).delivery.connections == 4


def test_a_theme_and_a_whole_table_may_come_from_the_environment(tmp_path: Path) -> None:
    environment = {"DIGEST_THEME__ACCENT": "#000000", "DIGEST_DELIVERY": '{"connections": 3}'}
    settings = load(write(tmp_path), environment=environment)
    assert config.publication(settings).theme.accent == "#000000"
    assert settings.delivery.connections == 3


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DIGEST_DELIVERY__TRANSPROT", "DIGEST_DELIVERY__TRANSPORT"),
        ("DIGEST_DELIVERY_TRANSPORT", "DIGEST_DELIVERY__TRANSPORT"),
        ("DIGEST_PUBLICATON__NAME", "DIGEST_PUBLICATION__NAME"),
        ("digest_sender__adress", "DIGEST_SENDER__ADDRESS"),
    ],
)
def test_an_unknown_variable_is_an_error_with_what_was_meant(tmp_path: Path, name: str, meant: str) -> None:
    wrong(write(tmp_path), name, environment={name: SECRET}, hint=f'did you mean "{meant}"?')


@pytest.mark.parametrize("name", ["DIGEST_REFERENCE", "DIGESTION", "PATH", "SYSTEMD__X"])
def test_a_variable_of_somebody_else_is_none_of_ours(tmp_path: Path, name: str) -> None:
    assert load(write(tmp_path), environment={name: "x"})


def test_a_variable_that_is_no_json_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    wrong(write(tmp_path), "delivery", environment={"DIGEST_DELIVERY": '{"password": "' + SECRET})


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(write(tmp_path))
    with pytest.raises(ValueError, match="frozen"):
        settings.delivery.connections = 9


# -- passwords


def password(settings: Settings, environment: Mapping[str, str], root: Path) -> str:
    return find_password(settings, environment, root, "me", "mail.clinic.ca")


def fake_keyring(monkeypatch: pytest.MonkeyPatch, problem: str = "") -> None:
    keyring, errors = ModuleType("keyring"), ModuleType("keyring.errors")

    class KeyringError(Exception):
        pass

    class NoKeyringError(KeyringError):
        pass

    def get_password(service: str, name: str) -> str | None:
        if problem:
            raise {"none": NoKeyringError, "locked": KeyringError}[problem](problem)
        return {("digest-mailer", "me@mail.clinic.ca"): "from the keyring"}.get((service, name))

    vars(errors).update(KeyringError=KeyringError, NoKeyringError=NoKeyringError)
    vars(keyring).update(get_password=get_password, errors=errors)
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_a_password_comes_from_environment_file_credentials_or_keyring_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_keyring(monkeypatch)
    with_file = write(tmp_path, ("connections = 4", 'connections = 4\npassword_file = "secret.txt"'))
    (tmp_path / "secret.txt").write_text("from the file\n", "utf-8")
    (tmp_path / CREDENTIAL).write_text(" from systemd \n", "utf-8")
    credentials = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    variable = {"DIGEST_DELIVERY__PASSWORD": "from the environment"}
    assert password(load(with_file, environment=variable), credentials, tmp_path) == "from the environment"
    assert password(load(with_file), credentials, tmp_path) == "from the file"
    assert password(load(write(tmp_path)), credentials, tmp_path) == " from systemd "
    assert password(load(write(tmp_path)), {}, tmp_path) == "from the keyring"


@pytest.mark.parametrize("problem", ["none", "locked", "not installed"])
def test_a_keyring_that_gives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str) -> None:
    settings = load(write(tmp_path))
    if problem == "locked":
        fake_keyring(monkeypatch, problem)
        with pytest.raises(ConfigError, match="the keyring gives no password for mail"):
            password(settings, {}, tmp_path)
        return
    if problem == "none":
        fake_keyring(monkeypatch, problem)
    else:
        monkeypatch.setitem(sys.modules, "keyring", None)
    assert password(settings, {}, tmp_path) == ""


@pytest.mark.parametrize("data", [None, b"\xff\xfe"])
def test_a_password_file_that_cannot_be_read(tmp_path: Path, data: bytes | None) -> None:
    path = write(tmp_path, ("connections = 4", 'connections = 4\npassword_file = "secret.txt"'))
    if data:
        (tmp_path / "secret.txt").write_bytes(data)
    with pytest.raises(ConfigError, match=r"cannot read the password in .*secret\.txt"):
        password(load(path), {}, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        f'connections = 4\npassword = "{SECRET}"',
        f'connections = 4\npassword.value = "{SECRET}"',
        f'connections = 4\npasword = "{SECRET}"',
        f"connections = 4\n[delivery.password]\nvalue = '{SECRET}'",
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path, change: str) -> None:
    wrong(write(tmp_path, ("connections = 4", change)), "password" if "pass" in change else "")


@pytest.mark.parametrize("url", [f"smtp://me:{SECRET}@mail.clinic.ca", f"smtps://me:{SECRET}@mail.clinic.ca"])
def test_a_password_in_a_transport_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    wrong(write(tmp_path, ('transport = "sandbox:"', f'transport = "{url}"')), "delivery.transport")
    app = build_app(write(tmp_path).parent)
    with pytest.raises(ConfigError) as caught:
        app.transport(url)
    assert SECRET not in f"{caught.value.what}{caught.value.hint}"


def test_a_password_is_in_no_representation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_DELIVERY__PASSWORD", SECRET)
    app = build_app(write(tmp_path).parent)
    transport = app.transport("smtp://me@mail.clinic.ca")
    assert find_password(app.settings, {}, tmp_path, "me", "mail") == SECRET
    for thing in (app, app.settings, app.settings.delivery, app.settings.model_dump(), transport, vars(transport)):
        assert SECRET not in f"{thing!r} {thing}"
    assert SECRET not in app.settings.model_dump_json()


def test_a_password_of_the_wrong_kind_is_not_repeated(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(path, {"delivery": {"password": [SECRET]}})
    chain: list[str] = []
    problem: BaseException | None = caught.value
    while problem:
        chain.append(f"{problem!r} {problem}")
        problem = problem.__cause__
    assert SECRET not in " ".join(chain)
    assert "delivery.password" in chain[0]


# -- what the settings make


def make_app(folder: Path) -> App:
    return build_app(write(folder).parent)


def test_a_user_without_a_password_is_told_where_to_put_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no password for mail\.clinic\.ca") as caught:
        make_app(tmp_path).transport("smtp://me@mail.clinic.ca")
    assert "password_file" in caught.value.hint


def test_the_way_out_is_the_sandbox_until_something_else_is_said(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    transport = app.transport()
    assert isinstance(transport, SandboxTransport)
    assert not transport.live
    live = app.transport("smtp://mail.clinic.ca")
    assert live.live
    assert live.url == "smtp://mail.clinic.ca:587?tls=starttls"


def test_a_path_counts_from_where_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    app = make_app(tmp_path)
    monkeypatch.chdir(tmp_path / "here")
    assert isinstance(app.transport("outbox:out"), OutboxTransport)
    assert app.transport("outbox:out").url == f"outbox:{tmp_path / 'here' / 'out'}"
    delivery = app.settings.delivery.model_copy(update={"transport": "outbox:out"})
    app = replace(app, settings=app.settings.model_copy(update={"delivery": delivery}))
    assert app.transport().url == f"outbox:{tmp_path / 'out'}"


@pytest.mark.parametrize("url", ["outbox:", "sandbox:x", "mail.clinic.ca", "ses:", "a:b:c"])
def test_what_is_no_way_out_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="is no way out"):
        make_app(tmp_path).transport(url)


def test_lost_keys_are_not_quietly_replaced(tmp_path: Path) -> None:
    app = make_publication(tmp_path)
    assert app.secrets.missing() == []
    (app.state / "keys" / "address.key").unlink()
    again = build_app(app.root)
    with pytest.raises(ConfigError, match=r"address\.key is not there") as caught:
        _ = again.secrets
    assert "backup" in caught.value.hint
    assert not (app.state / "keys" / "address.key").exists()


def test_keys_are_made_where_nobody_is_yet(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    assert app.secrets.missing() == []

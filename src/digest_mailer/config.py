"""Settings, read once into frozen values.

Precedence: option > environment (`DIGEST_DELIVERY__TRANSPORT`, two underscores go one level down) > secret
files > `digest.toml` > default. An unknown key is an error wherever it stands. The password of a server never
stands in `digest.toml` or on a command line: it comes from a file, the systemd credentials directory, the
keyring, or the environment.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from digest_mailer.core.address import EmailAddress, parse_address
from digest_mailer.core.errors import ConfigError, ContentError, did_you_mean
from digest_mailer.core.identity import Language, is_control
from digest_mailer.core.pacing import FAMILIES, Limit, Pacer
from digest_mailer.core.publication import HTML_BUDGET, NoMatch, Publication, Sender, Words
from digest_mailer.core.theme import Theme, ThemeError

CONFIG_NAME = "digest.toml"
STATE_NAME = ".digest"
PREFIX = "DIGEST_"
CREDENTIAL = "digest-mailer.password"  # name in the systemd credentials directory
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # of a domain: RFC 1035 section 2.3.1, RFC 1123 2.1


def _one_line(text: str) -> str:
    folded = text.strip()
    if any(is_control(char) for char in folded):
        raise ValueError("should be one line without control characters")
    return folded


def _paragraph(text: str) -> str:
    return _one_line(" ".join(text.split()))


def _address(text: str) -> str:
    parse_address(text)
    return text


def _base_url(text: str) -> str:
    url = _one_line(text).rstrip("/")
    if not url.isascii() or any(char in url for char in ' <>"\\'):
        raise ValueError("should be a web address in ASCII without spaces; write other letters as xn--… or %…")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts.hostname or "")):
        raise ValueError("should begin with https:// (http:// only for this machine)")
    if not parts.hostname or parts.port == 0:  # reading a port that is none raises ValueError
        raise ValueError("should name a host, like https://digest.example.org")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.netloc.lower() not in (host, f"{host}:{parts.port}") or parts.query or parts.fragment:
        raise ValueError("should be host and path only: no account, no ? and no #")
    return url


def _is_this_machine(host: str) -> bool:
    """Loopback by RFC 6890 and RFC 6761 section 6.3; a name that only looks like it is another machine's."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _transport(url: str) -> str:
    """The transport itself reads the rest. No message quotes it: a password may stand anywhere in it."""
    if "@" in url and ":" in url.partition("://")[2].rpartition("@")[0]:
        raise ValueError("should hold no password; name a file with password_file")
    return _one_line(url)


def _domain(name: str) -> str:
    labels = name.lower().split(".")
    if name and not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("should be a domain in ASCII, like example.org; write other letters as xn--…")
    return name.lower()


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as problem:
        raise ValueError("should be a time zone like America/Toronto") from problem
    return name


Line = Annotated[str, AfterValidator(_one_line), Field(min_length=1)]
Paragraph = Annotated[str, AfterValidator(_paragraph)]
Address = Annotated[str, AfterValidator(_address)]
Tag = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]  # of a language


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WordsSettings(_Table):
    """[publication.translations.fr]: what the publication says of itself in another language."""

    name: Paragraph = ""
    masthead: Paragraph = ""
    masthead_long: Paragraph = ""
    author: Paragraph = ""
    language_notice: Paragraph = ""
    footer: str = ""


class PublicationSettings(_Table):
    """[publication]: what readers see."""

    name: Line
    masthead: Paragraph = ""
    masthead_long: Paragraph = ""
    author: Paragraph = ""
    language_notice: Paragraph = ""
    contact: Address
    postal_address: Paragraph = ""  # `send` refuses when empty
    base_url: Annotated[str, AfterValidator(_base_url)]
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    languages: tuple[Tag, ...] = Field(default=("en",), min_length=1)
    footer: str = ""  # Markdown
    max_html_kb: int = Field(default=HTML_BUDGET // 1024, ge=20, le=102)
    no_match: NoMatch = NoMatch.SKIP
    translations: dict[Tag, WordsSettings] = {}


class SenderSettings(_Table):
    """[sender]: what mail programs see."""

    name: Line
    address: Address
    reply_to: Address
    list_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z0-9-]+$")]
    feedback_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{5,15}$")]
    bounce_mailbox: Address | None = None
    unsubscribe_mailbox: Address | None = None


class FamilySettings(_Table):
    """[delivery.families.NAME]: limits for domains that one provider answers for."""

    domains: tuple[Line, ...] = ()  # besides those that are known of this family
    per_minute: float = Field(default=0, ge=0)
    in_flight: int = Field(default=0, ge=0, le=100)


class DeliverySettings(_Table):
    """[delivery]: the way out. `transport` is a URL; see docs/reference/configuration.md."""

    transport: Annotated[str, AfterValidator(_transport)] = "sandbox:"
    connections: int = Field(default=4, ge=1, le=100)
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    canary_minutes: int = Field(default=10, ge=0, le=24 * 60)  # to wait for what comes back of the first few
    per_second: float = Field(default=0, ge=0)  # messages, to everybody together; 0 is no limit
    families: dict[str, FamilySettings] = {}
    unknown: Literal["hold", "resend-once"] = "hold"  # what becomes of people whose answer was lost
    window: int = Field(default=1000, ge=8, le=100_000)  # rows in hand: the bound of unknowns after a power loss
    max_age_hours: int = Field(default=48, ge=1, le=24 * 14)

    @property
    def canary_wait(self) -> timedelta:
        """How long to wait for what comes back of the first few."""
        return timedelta(minutes=self.canary_minutes)

    @property
    def max_age(self) -> timedelta:
        """How long an issue is worth sending."""
        return timedelta(hours=self.max_age_hours)


class DkimSettings(_Table):
    """[dkim]: signatures made here and not by the server."""

    sign: bool = False
    domain: Annotated[str, AfterValidator(_domain)] = ""  # empty for the domain of [sender] address


# [theme]: the fields of `core.theme.Theme`, which also says what each may be
ThemeSettings = create_model(
    "ThemeSettings",
    __base__=_Table,
    **{field.name: (field.type, field.default) for field in fields(Theme)},  # type: ignore[call-overload]
)


class Settings(BaseSettings):
    """All settings of one publication. Read them with `load_settings`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__", hide_input_in_errors=True
    )

    publication: PublicationSettings
    sender: SenderSettings
    delivery: DeliverySettings = DeliverySettings()
    dkim: DkimSettings = DkimSettings()
    theme: ThemeSettings = ThemeSettings()  # type: ignore[valid-type]


def load_settings(path: Path, overrides: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Read `digest.toml` and the environment; `overrides` are the options given, as nested tables.

    Raises ConfigError that names every wrong value with its table and key.
    """
    if not path.is_file():
        raise ConfigError(f"there is no {path}", "make a publication with: digest-mailer init DIR")
    _refuse_password(path)
    _refuse_unknown_variables(environment)
    try:
        return _read_from(path, environment)(**overrides)
    except ValidationError as problem:
        raise ConfigError(_explain(path, problem), "docs/reference/configuration.md explains every key") from problem
    except (SettingsError, ValueError, OSError) as problem:  # not TOML, not UTF-8, not JSON in a variable
        raise ConfigError(f"{path}: {problem}", "correct the file and run the command again") from problem


def _read_from(path: Path, environment: Mapping[str, str]) -> type[Settings]:
    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del env_settings, dotenv_settings, file_secret_settings
            variables = EnvSettingsSource(settings_cls)
            variables.env_vars = {name.lower(): value for name, value in environment.items()}  # not the process's
            return init_settings, variables, TomlConfigSettingsSource(settings_cls, toml_file=path)

    return FromFile


def _refuse_password(path: Path) -> None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is not valid TOML: {problem}", "correct the file") from problem
    except OSError as problem:
        raise ConfigError(f"cannot read {path}: {problem.strerror}", "check who may read it") from problem
    delivery = document.get("delivery")
    if isinstance(delivery, dict) and "password" in delivery:
        raise ConfigError(
            f"{path}: [delivery] password does not belong in this file",
            "put it alone into a file only you can read and name that with password_file",
        )


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = [
        f"{PREFIX}{table}__{key}".upper()
        for table, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Table)
        for key in field.annotation.model_fields
    ]
    tables = tuple(f"{PREFIX}{table}".upper() for table in Settings.model_fields)
    for name in environment:
        upper = name.upper()
        ours = upper.startswith(tables) or (upper.startswith(PREFIX) and "__" in upper)  # one _ is a common slip
        if ours and upper not in (*known, *tables) and not upper.startswith(f"{PREFIX}PUBLICATION__TRANSLATIONS__"):
            raise ConfigError(f"unknown setting {name} in the environment", did_you_mean(name, known))


def _explain(path: Path, problem: ValidationError) -> str:
    lines = []
    for error in problem.errors(include_url=False, include_input=False):
        where = [str(part) for part in error["loc"]]
        message = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            message = f"unknown key. {did_you_mean(where[-1], _siblings(where))}".strip()
        elif error["type"] == "missing":
            message = "missing"
        lines.append(f"{path}: {'.'.join(where)}: {message}")
    return "\n".join(lines)


def _siblings(where: list[str]) -> list[str]:
    if len(where) == 1:
        return list(Settings.model_fields)
    if where[:2] == ["publication", "translations"]:
        return list(WordsSettings.model_fields)
    table = Settings.model_fields[where[0]].annotation
    return list(table.model_fields) if isinstance(table, type) and issubclass(table, BaseModel) else []


def publication(settings: Settings) -> Publication:
    """The publication as the core knows it. Raises ContentError for a theme that is none, or is illegible."""
    public, sender = settings.publication, settings.sender
    return Publication(
        sender=Sender(
            name=sender.name,
            address=parse_address(sender.address),
            reply_to=parse_address(sender.reply_to),
            list_name=public.name,
            list_id=sender.list_id,
            base_url=public.base_url,
            feedback_id=sender.feedback_id,
            bounce_mailbox=_mailbox(sender.bounce_mailbox),
            unsubscribe_mailbox=_mailbox(sender.unsubscribe_mailbox),
        ),
        name=public.name,
        masthead=public.masthead,
        masthead_long=public.masthead_long,
        author=public.author,
        language_notice=public.language_notice,
        contact=parse_address(public.contact),
        postal_address=public.postal_address,
        timezone=public.timezone,
        languages=tuple(Language(one) for one in public.languages),
        footer=public.footer,
        translations={Language(tag): Words(**words.model_dump()) for tag, words in public.translations.items()},
        no_match=public.no_match,
        html_budget=public.max_html_kb * 1024,
        theme=_theme(settings.theme),
    )


def _mailbox(text: str | None) -> EmailAddress | None:
    return parse_address(text) if text else None


def _theme(values: BaseModel) -> Theme:
    try:
        return Theme(**values.model_dump())
    except ThemeError as problem:
        hint = "correct [theme] in digest.toml; docs/how-to/look.md lists colours and sizes"
        raise ContentError(str(problem), hint) from problem


def pacer(settings: Settings) -> Pacer:
    """The limits of how fast mail goes out."""
    delivery = settings.delivery
    own = {name: (*FAMILIES.get(name, ()), *family.domains) for name, family in delivery.families.items()}
    limits = {name: Limit(one.per_minute, one.in_flight) for name, one in delivery.families.items()}
    return Pacer(delivery.per_second, limits, {**FAMILIES, **own})


def find_password(settings: Settings, environment: Mapping[str, str], root: Path, user: str, host: str) -> str:
    """The password for the way out: from the environment, its file, the systemd credentials directory, or the
    keyring when one is installed; empty when there is none. A relative path counts from `root`."""
    delivery = settings.delivery
    if delivery.password is not None:
        return delivery.password.get_secret_value()
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    if delivery.password_file:
        return _read_secret(root / delivery.password_file)
    if credentials and (path := Path(credentials, CREDENTIAL)).is_file():
        return _read_secret(path)
    return _from_keyring(user, host)


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"cannot read the password in {path}", "check the path and who may read it") from problem


def _from_keyring(user: str, host: str) -> str:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return ""
    try:
        return keyring.get_password("digest-mailer", f"{user}@{host}") or ""
    except keyring.errors.NoKeyringError:  # the library without a keyring behind it, as on a server
        return ""
    except keyring.errors.KeyringError as problem:
        raise ConfigError(f"the keyring gives no password for {host}: {problem}", "unlock it") from problem

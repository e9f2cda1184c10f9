"""Signing: another implementation verifies what is signed, and nothing that was changed; keys are kept and rotated."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from command_support import Result, command
from core_support import NOON, TOKEN_KEYS, address_of, edition_of, lines, recipient_of, sender_of
from digest_mailer.adapters.dkim import DkimKey, DkimSigner, load_key, make_key
from digest_mailer.adapters.dkim_keys import DkimKeyFiles
from digest_mailer.bootstrap import App, build_app, new_publication
from digest_mailer.core.dkim import Algorithm
from digest_mailer.core.errors import ConfigError, ExitCode, UsageError
from digest_mailer.core.header import unstructured
from digest_mailer.core.message import Keys, Message, address
from digest_mailer.core.octets import octets
from digest_mailer.core.stencil import Stencil

OLD_BITS = 1024
DOMAIN = "digest.example.org"
MESSAGE_KEYS = Keys(TOKEN_KEYS, b"a key for message ids")
FULL = sender_of(unsubscribe_mailbox=address_of("leave@digest.example.org"))
EDITION = edition_of(sender=FULL)


@cache
def pair() -> tuple[DkimKey, ...]:
    return make_key("dm202307r", Algorithm.RSA), make_key("dm202307e", Algorithm.ED25519)


@cache
def plain() -> Message:
    return address(EDITION, recipient_of(), NOON, MESSAGE_KEYS)


def signed(message: Message, *keys: DkimKey) -> bytes:
    return DkimSigner(DOMAIN, keys or pair()).sign(message, NOON).content


def verified(content: bytes, *keys: DkimKey) -> list[bool]:
    """What dkimpy says of each signature, from the top."""
    records = {f"{found.name}.": found.value for found in (key.record(DOMAIN) for key in keys or pair())}
    count = content.partition(b"\r\n\r\n")[0].count(b"DKIM-Signature:")
    return [_verified(content, number, records) for number in range(count)]


def _verified(content: bytes, number: int, records: dict[str, str]) -> bool:
    try:
        return bool(dkim.DKIM(content).verify(number, lambda name, timeout: records[name.decode()].encode()))
    except dkim.ValidationError:  # how it says that the body is another one
        return False


def with_content(content: bytes) -> Message:
    return plain()._replace(octets=octets(content))


# -- another implementation agrees


def test_a_message_carries_both_signatures_and_both_verify() -> None:
    content = signed(plain())
    assert verified(content) == [True, True]
    assert content.endswith(plain().content)
    assert re.findall(rb"a=([\w-]+)", content)[:2] == [b"rsa-sha256", b"ed25519-sha256"]


def test_a_message_of_a_stencil_is_signed_like_one_made_the_plain_way() -> None:
    stencil = Stencil(EDITION, NOON, MESSAGE_KEYS).address(recipient_of())
    assert signed(stencil) == signed(plain())


SPACES = st.sampled_from(["", " ", "  ", "\t", " \t "])
WORDS = st.text("abcXYZ.,=?_-", min_size=1, max_size=9)
FOLDED = st.lists(st.tuples(SPACES, WORDS, st.sampled_from([" ", "\t", "\r\n ", "\r\n\t ", " \r\n  "])), max_size=6)
BODY = st.lists(st.one_of(SPACES, st.tuples(SPACES, WORDS, SPACES, WORDS, SPACES).map("".join)), max_size=8)


@given(lines(), FOLDED, BODY, st.integers(0, 3), st.booleans())
@settings(max_examples=60)
def test_dkimpy_verifies_any_message(subject: str, folded: list[tuple[str, str, str]], body: list[str],
                                     blank: int, bare: bool) -> None:  # fmt: skip
    value = "".join(fold + space + word for space, word, fold in folded)
    head = (
        f"Feedback-ID:{value}\r\nFrom:a@{DOMAIN}\r\n{unstructured('Subject', subject)}"
        f"LIST-UNSUBSCRIBE:  <https://a.example/u>,\r\n\t<mailto:b@{DOMAIN}>\r\n"
    )
    text = "".join(f"{line}\r\n" for line in body) + "\r\n" * blank
    content = (head + ("" if bare else f"\r\n{text}")).encode("ascii")
    assert verified(signed(with_content(content))) == [True, True]


# dkimpy always looks for one From more than h= names, so that it is named twice is a matter of the unit tests.


def _added(line: bytes) -> Callable[[bytes], bytes]:
    """A field added below the signatures, and so above what is signed."""
    return lambda content: content.replace(b"\r\nFrom:", b"\r\n" + line + b"\r\nFrom:", 1)


def _on_top(line: bytes) -> Callable[[bytes], bytes]:
    return lambda content: line + b"\r\n" + content


def _last(line: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n", 1)


@pytest.mark.parametrize(
    "line",
    [
        b"From: Somebody <else@example.net>",
        b"To: else@example.net",
        b"Subject: Another",
        b"List-Unsubscribe: <https://evil.example/u>",
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ],
    ids=lambda line: line.split(b":")[0].decode(),
)
@pytest.mark.parametrize("put", [_added, _on_top, _last])
def test_nobody_can_add_a_second_one(line: bytes, put: Callable[[bytes], Callable[[bytes], bytes]]) -> None:
    changed = put(line)(signed(plain()))
    assert line in changed
    assert verified(changed) == [False, False]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello, ", b"Hullo, "),
        (b"List-Unsubscribe: <https://digest", b"List-Unsubscribe: <https://edigst"),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
        (b"To: ", b"To: x"),
        (b"Subject: What", b"Subject: That"),
        (b"Content-Type: multipart/alternative", b"Content-Type: multipart/mixed"),
        (b"t=1688212800", b"t=1688212801"),
    ],
)
def test_what_was_changed_does_not_verify(old: bytes, new: bytes) -> None:
    content = signed(plain())
    assert old in content
    assert verified(content.replace(old, new)) == [False, False]


def test_what_relays_do_breaks_nothing() -> None:
    """They add Received, fold anew, and may add white space at the ends of lines."""
    content = signed(plain()).replace(b"Subject: What helps", b"subject:  What\r\n\thelps")
    content = b"Received: from a by b\r\n" + content.replace(b"Hello, ", b"Hello,  ")
    assert verified(content + b"\r\n\r\n") == [True, True]


def test_a_retry_is_the_same_to_the_octet_and_threads_may_share_the_signer() -> None:
    signer = DkimSigner(DOMAIN, pair())
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: signer.sign(plain(), NOON).content, range(12)))
    assert found == {signed(plain())}
    assert signer.sign(plain(), NOON + timedelta(seconds=1)).content not in found


# -- which keys may sign


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def _pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


def test_an_rsa_key_of_1024_bits_from_elsewhere_signs() -> None:
    key = load_key("old", _pem(_rsa(OLD_BITS)), "old.pem")
    assert key.bits == 1024
    assert verified(signed(plain(), key), key) == [True]


# 768 bits, which `cryptography` does not make any more: openssl genpkey -pkeyopt rsa_keygen_bits:768
SHORT = b"""\
-----BEGIN PRIVATE KEY-----
MIIB4wIBADANBgkqhkiG9w0BAQEFAASCAc0wggHJAgEAAmEAsMbBEmab/JlKMcp+
w9xecQ2jtkzcAifT5et3/0oDiaLFrpq4RCBeyW65OSDMxzaB7hcaJ5DL42oR4G7p
vztAhWm3/TzhL8XbPrnWh9166+3Un7Vqnt1/7VFPEUEipCKvAgMBAAECYHF4Mqgw
CwJaFuDc/P+VrV1eBu7WaQZNMFvOCGlqxdiMDd3k3FCGgrFDjEsaPbfFyRFsXmL+
ssQwUKKtwhncwp0AYufn6NnjEAckLEuzlDGfxLOsfl06q9VksjIp1UHpSQIxAN+n
Hxr9AE/qUszHefuiu/hGjU1EFuaJrwiFWu/996IsrYXZ8i6gYNxBf0N05WtamwIx
AMpYATxkDLK3n/MG8bkM5pD6MxPa0gcyBcY3xbvpkRhNwDdiE3mfV2f1vNxJizJ/
fQIwGCvsvbL4VKrDliQ898hHvnaJkP855mKdCzO2d1egauOfQWcjuIxWy5c8lOLO
ZMLfAjB62b+2WNBU2aPlO7wbLDf4oc/NKDgIYlibJlWJZ5/Ob7ZaadOFLjc1ST+n
R4eZ20kCMBg/k+Lxb+KMKQFE6+cjbo+9sMMxPqmqr7mtj2+NdIUFJ1X6lraQ+uKG
GTB5yLzGxA==
-----END PRIVATE KEY-----
"""


@pytest.mark.parametrize(
    "pem",
    [b"", b"nonsense", SHORT.replace(b"MII", b"MIJ"), _pem(ec.generate_private_key(ec.SECP256R1()))],
    ids=["empty", "nonsense", "broken", "elliptic"],
)
def test_other_keys_are_refused(pem: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^k\.pem is "):
        load_key("k", pem, "k.pem")


def test_an_rsa_key_of_less_than_1024_bits_is_refused() -> None:
    with pytest.raises(ConfigError, match="has 768 bits"):
        load_key("k", SHORT, "k.pem")


def test_a_key_with_a_password_is_refused() -> None:
    with pytest.raises(ConfigError, match="without a password"):
        load_key("k", _pem(_rsa(OLD_BITS), b"secret"), "k.pem")


def test_ed25519_signs_only_beside_rsa() -> None:
    with pytest.raises(ConfigError, match="no RSA key"):
        DkimSigner(DOMAIN, pair()[1:])


def test_no_key_shows_itself() -> None:
    assert "PRIVATE" not in repr(pair())
    assert "object at" not in repr(pair())


# -- key files


def test_new_makes_a_pair_for_the_owners_eyes_only(tmp_path: Path) -> None:
    files = DkimKeyFiles(tmp_path / "keys" / "dkim")
    assert files.new("dm202307", ed25519=True) == ("dm202307r", "dm202307e")
    assert {path.name for path in files.folder.glob("*.pem")} == {"dm202307r.pem", "dm202307e.pem"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files.folder.iterdir())
    assert {path.stat().st_mode & 0o777 for path in (files.folder, files.folder.parent)} == {0o700}
    keys = files.keys(files.ring().signing)
    assert [(key.algorithm, key.bits) for key in keys] == [(Algorithm.RSA, 2048), (Algorithm.ED25519, 256)]
    assert files.path("dm202307r").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")  # PKCS8
    assert verified(signed(plain(), *keys), *keys) == [True, True]


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    files = DkimKeyFiles(tmp_path)
    files.path("ar").write_bytes(b"precious")
    with pytest.raises(UsageError, match="already"):
        files.new("a", ed25519=False)
    assert files.path("ar").read_bytes() == b"precious"
    files.new("b", ed25519=False)
    with pytest.raises(UsageError, match="there are DKIM keys already: br"):
        files.new("c", ed25519=False)
    assert not files.path("cr").exists()


def test_a_rotation_from_end_to_end(tmp_path: Path) -> None:
    files = DkimKeyFiles(tmp_path)
    old = files.new("dm202307", ed25519=True)
    with pytest.raises(UsageError, match="the newest pair signs already"):
        files.activate()
    with pytest.raises(UsageError, match="is the one that signs"):
        files.retire()
    new = files.rotate("dm202307")
    assert new == ("dm202307-2r", "dm202307-2e")
    ring = files.ring()
    assert (ring.signing, [ring.state(one) for one in ring.pairs]) == (old, ["signs", "next"])
    with pytest.raises(UsageError, match="is made already"):
        files.rotate("dm202308")
    assert files.activate() == new
    ring = files.ring()
    assert (ring.signing, [ring.state(one) for one in ring.pairs]) == (new, ["before", "signs"])
    assert files.keys(old)  # still there for what is on its way
    assert files.retire() == old
    assert files.ring().pairs == (new,)
    assert not files.path(old[0]).exists()
    assert not files.path(old[1]).exists()


def test_a_rotation_keeps_the_kinds_of_keys(tmp_path: Path) -> None:
    files = DkimKeyFiles(tmp_path)
    files.new("a", ed25519=False)
    assert files.rotate("b") == ("br",)


def test_a_pair_that_cannot_be_read_never_comes_to_sign(tmp_path: Path) -> None:
    files = DkimKeyFiles(tmp_path)
    old = files.new("a", ed25519=False)
    files.path(files.rotate("b")[0]).unlink()
    with pytest.raises(ConfigError, match="cannot read the key"):
        files.activate()
    assert files.ring().signing == old


@pytest.mark.parametrize("index", ["", "signs = 1\npairs = 2", 'signs = "b"\npairs = [["a"]]',
                                   'signs = "../a"\npairs = [["../a"]]', 'pairs = [[]]\nsigns = ""', "["])  # fmt: skip
def test_an_index_that_is_none_is_named(tmp_path: Path, index: str) -> None:
    (tmp_path / "pairs.toml").write_text(index)
    with pytest.raises(ConfigError, match="does not say which keys sign"):
        DkimKeyFiles(tmp_path).ring()


@pytest.mark.parametrize("name", ["../up", "A", "a b", "-a", "a..b", "ü", "a" * 64, "a\n"])
def test_what_cannot_be_a_selector_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a selector"):
        DkimKeyFiles(tmp_path / "dkim").new(name, ed25519=True)
    assert not [*tmp_path.rglob("*.pem")]


# -- settings and commands


def publication(folder: Path, settings_too: str = "") -> Path:
    """The files of a new publication."""
    root = folder / "publication"
    new_publication(root)
    if settings_too:
        path = root / "digest.toml"
        path.write_text(path.read_text("utf-8") + settings_too, "utf-8")
    return root


def app_of(root: Path) -> App:
    return build_app(root)


def keys_dkim(root: Path, *words: str) -> Result:
    return command("-C", root, "keys", "dkim", *words)


def test_nothing_is_signed_by_default(tmp_path: Path) -> None:
    assert app_of(publication(tmp_path)).signer() is None


def test_to_sign_without_a_key_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    app = app_of(publication(tmp_path, "\n[dkim]\nsign = true\n"))
    with pytest.raises(ConfigError, match="there is no DKIM key") as caught:
        app.signer()
    assert caught.value.hint == "make one with: digest-mailer keys dkim new"
    assert caught.value.exit_code is ExitCode.CONFIG


def test_the_signer_of_a_publication_signs_for_its_sender(tmp_path: Path) -> None:
    root = publication(tmp_path, "\n[dkim]\nsign = true\n")
    assert keys_dkim(root, "new").code == 0
    app = app_of(root)
    signer = app.signer()
    assert signer is not None
    content = signer.sign(plain(), NOON).content
    assert f"d={app.publication.sender.address.domain};".encode() in content
    assert content.count(b"DKIM-Signature:") == 2


@pytest.mark.parametrize("domain", ["a b", "ü.example", "-a.example", "https://example.org", "a..b"])
def test_a_domain_that_is_none_is_refused(tmp_path: Path, domain: str) -> None:
    with pytest.raises(ConfigError, match=r"dkim\.domain"):
        app_of(publication(tmp_path, f'\n[dkim]\ndomain = "{domain}"\n'))


def test_a_domain_of_somebody_else_is_refused(tmp_path: Path) -> None:
    root = publication(tmp_path, '\n[dkim]\nsign = true\ndomain = "example.invalid"\n')
    keys_dkim(root, "new", "--no-ed25519")
    result = keys_dkim(root, "show")
    assert (result.code, "not the sender's domain" in result.err) == (9, True)


def test_show_tells_what_to_publish(tmp_path: Path) -> None:
    root = publication(tmp_path)
    assert keys_dkim(root, "show").code == 9
    made = keys_dkim(root, "new", "--selector", "news", "--json")
    assert [row["selector"] for row in made.json["keys"]] == ["newsr", "newse"]
    found = keys_dkim(root, "show", "--json").json
    domain = found["domain"]
    assert found["schema"] == "digest-mailer/dkim-show/1"
    assert [(row["name"], row["state"], row["bits"]) for row in found["keys"]] == [
        (f"newsr._domainkey.{domain}", "signs", 2048),
        (f"newse._domainkey.{domain}", "signs", 256),
    ]
    shown = keys_dkim(root, "show").out
    for row in found["keys"]:
        assert "".join(row["strings"]) == row["value"]
        assert f"\n{row['value']}\n" in shown  # whole, to be copied
        quoted = " ".join(f'"{one}"' for one in row["strings"])
        assert f"\n{row['name']}. IN TXT ( {quoted} )\n" in shown


def test_the_commands_of_a_rotation(tmp_path: Path) -> None:
    root = publication(tmp_path)
    month = datetime.now(UTC).strftime("%Y%m")
    results = [
        keys_dkim(root, *words)
        for words in (["new"], ["rotate"], ["rotate", "--activate"], ["rotate", "--retire"], ["show"])
    ]
    assert [result.code for result in results] == [0] * 5
    assert f"dm{month}r  " in results[0].out
    assert f"dm{month}-2r: rsa-sha256, 2048 bits, signs" in results[4].out
    assert f"dm{month}r:" not in results[4].out
    assert not any("PRIVATE" in result.out + result.err for result in results)


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    root = publication(tmp_path)
    assert keys_dkim(root, "rotate").code == 9
    keys_dkim(root, "new")
    again = keys_dkim(root, "new")
    assert (again.code, "there are DKIM keys already" in again.err) == (2, True)
    assert keys_dkim(root, "rotate", "--activate", "--retire").code == 2
    assert keys_dkim(root, "rotate", "--activate").code == 2
    assert keys_dkim(root, "new", "--selector", "../x").code == 2

"""A list of people as text: which encoding a file is in, and its lines in blocks.

Nothing is guessed that could be wrong. UTF-8 proves itself, and so does UTF-16 with a byte order mark. What is left is
taken for Windows-1252 (of which Latin-1 is a part) only when it reads like a western European list; Cyrillic or Greek
in one byte a letter does not, and then somebody has to say what it is.
"""

import codecs
import io
import re
import unicodedata
from collections.abc import Generator
from dataclasses import dataclass
from typing import BinaryIO

from digest_mailer.core.errors import ContentError
from digest_mailer.core.identity import CONTROLS

MAX_LINE = 1_000_000  # characters; only a broken file has longer lines
BLOCK = 1 << 18  # characters read at a time
QUOTES = 'put a cell that holds a quote or the separator in double quotes, and write a quote inside it twice: ""'

_CHUNK = 1 << 20
_SAY_WHICH = "save it as UTF-8, or say what it is with --encoding, for instance --encoding windows-1251"
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# What a western European list has no use for: three such letters in a row, and signs that are letters elsewhere.
_FOREIGN = re.compile(
    rb"[\x80-\xff]{3}|[\x81\x83\x88\x8d\x8f\x90\x98\x9d\xa1-\xa6\xaa\xac\xaf\xb1-\xb3\xb5\xb6\xb8-\xba\xbc-\xbe\xd7\xf7]"
)
_MULTIBYTE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]")  # a letter in UTF-8: the file would be a mixture


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of the file."""

    lines: list[str]  # with their ends
    clean: bool  # no control character in them but the ends of lines, and every accent composed


def find_encoding(data: BinaryIO, source: str) -> str:
    """The name of the encoding, for `open`. Leaves `data` where it was. Raises ContentError when it is not certain."""
    start = data.tell()
    try:
        head = data.read(3)
        for mark, name in _MARKS.items():
            if head.startswith(mark):
                return name
        data.seek(start)
        return _without_mark(data, start, source)
    finally:
        data.seek(start)


def _without_mark(data: BinaryIO, start: int, source: str) -> str:
    decoder, whole = codecs.getincrementaldecoder("utf-8")(), True
    if b"\0" in data.readline(_CHUNK):
        raise ContentError(
            f"{source} is not UTF-8; it is probably UTF-16", "save it as UTF-8, or add --encoding utf-16-le"
        )
    data.seek(start)
    while whole and (chunk := data.read(_CHUNK)):
        whole = _decodes(decoder, chunk)
    if whole and _decodes(decoder, b"", final=True):
        return "utf-8"
    data.seek(start)
    while chunk := data.read(_CHUNK):
        if _MULTIBYTE.search(chunk) or _FOREIGN.search(chunk):
            row, byte = _first_stray(data, start)
            raise ContentError(f"row {row} of {source} holds byte 0x{byte:02X}, which is not UTF-8", _SAY_WHICH)
    return "cp1252"


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _first_stray(data: BinaryIO, start: int) -> tuple[int, int]:
    """The row and value of the first byte that is no UTF-8."""
    data.seek(start)
    for row, line in enumerate(data, 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as problem:
            return row, line[problem.start]
    raise AssertionError("every line is UTF-8, so the file is")


def read_blocks(data: BinaryIO, encoding: str, source: str) -> Generator[Block, None, None]:
    """The file's lines, some thousand at a time; `data` stays open. Raises ContentError for a line without an end, and
    for bytes that the encoding does not have."""
    text = io.TextIOWrapper(data, encoding=encoding, newline="")
    count = 0
    try:
        while piece := text.read(BLOCK) + text.readline(MAX_LINE):
            clean = _is_clean(piece)
            # without control characters the two agree on where lines end, and this takes a third of the time
            lines = piece.splitlines(keepends=True) if clean else io.StringIO(piece, newline="").readlines()
            if len(lines[-1]) > MAX_LINE - BLOCK and max(map(len, lines)) >= MAX_LINE:
                what = f"line {count + len(lines)} of {source} has more than {MAX_LINE:,} characters"
                raise ContentError(what, QUOTES)
            count += len(lines)
            yield Block(lines, clean)
    except UnicodeError as problem:
        raise ContentError(f"{source} is not {encoding}, behind line {count}", _SAY_WHICH) from problem
    finally:
        if not data.closed:
            text.detach()


def _is_clean(piece: str) -> bool:
    """As octets, because to take some out of many is the fastest search there is."""
    octets = piece.encode("utf-8", "surrogatepass")
    if len(octets.translate(None, _CONTROLS)) != len(octets):
        return False
    if len(octets) == len(piece):
        return True
    rare = any(octet in octets for octet in _RARE) and CONTROLS.search(piece.replace("\n", "").replace("\r", ""))
    return not rare and unicodedata.is_normalized("NFC", piece)


_CONTROLS = bytes({*range(32), 127} - {10, 13})  # every one in ASCII but those that end a line
_RARE = (b"\xc2", b"\xe2\x80", b"\xed")  # how others begin in UTF-8

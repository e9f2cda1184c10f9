"""The scenarios by name: who is compared with whom, on which sink, and what must come of it.

The numbers of messages are those of full scale, a few seconds of work for each; a slow sender gets fewer, and rates
are compared. What must be reached is stated for a machine of two processors.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from first_message import FirstMessage
from lab import Lab
from processes import python, timed
from rounds import RATE, Contest, Ratio, Sender, Values
from senders import Ours, Rivals
from sinks import Sink, fast_sink, postfix_sink, tls_sink

OURS = "digest-mailer, uvloop"
PLAIN = "digest-mailer, asyncio"
SOURCE = "smtp-source"
SMTPLIB = "smtplib, threads"
RAW = "nodemailer, finished messages"
COMPOSING = "nodemailer, composing"
NAIVE = "Jinja + EmailMessage + smtplib"
AIOSMTPLIB = "aiosmtplib, uvloop"
LIMIT = "a round trip a message, no more"

_MAILMAN = 51 / 26_793  # of smtp-source's rate, as it was measured once; see the remark
_DELAY = 40  # milliseconds
_LONG = 30  # articles
_SIGNING = 3.0  # seconds


def fast(lab: Lab) -> Contest:
    """Everybody, on the sink that is never the limit."""
    contest = Contest("A fast sink")
    rivals = Rivals(lab, contest)
    contest.senders.append(Ours(lab).sender(OURS))
    rivals.smtp_source(60_000, SOURCE)
    contest.senders.append(Ours(lab, loop="asyncio").sender(PLAIN))
    rivals.smtplib(6_000, SMTPLIB)
    rivals.aiosmtplib(2_400, AIOSMTPLIB)
    rivals.nodemailer("raw", 4_000, RAW)
    rivals.nodemailer("compose", 1_200, COMPOSING)
    rivals.naive(800, NAIVE)
    contest.ratios = (
        Ratio(OURS, SOURCE, 0.8),
        Ratio(PLAIN, SOURCE, 0.5),
        Ratio(OURS, SMTPLIB),
        Ratio(OURS, AIOSMTPLIB),
        Ratio(OURS, RAW),
        Ratio(OURS, COMPOSING, 60),
        Ratio(OURS, NAIVE, 140),
        Ratio(OURS, SOURCE, 400, factor=1 / _MAILMAN, of="Mailman 3 personalising (not run here)"),
    )
    contest.remark = (
        f"Messages of {lab.message_size() / 1000:.0f} KB. Mailman was measured once, on another machine, with messages"
        " of 44 KB over 10 connections: 51 a second where smtp-source did 26,793. Its row takes that ratio as given."
    )
    return contest


def postfix(lab: Lab) -> Contest:
    """On Postfix's own sink, which is the limit here."""
    contest = Contest("Postfix's smtp-sink")
    contest.senders.append(Ours(lab, postfix_sink, 12_000).sender(OURS))
    Rivals(lab, contest, postfix_sink).smtp_source(12_000, SOURCE)
    contest.ratios = (Ratio(OURS, SOURCE, 0.95),)
    return contest


def chunking(lab: Lab) -> Contest:
    """With BDAT, where the sink offers it."""

    def chunks(lab: Lab) -> AbstractContextManager[Sink]:
        return fast_sink(lab, "-c")

    by_bdat, by_data = f"{OURS}, BDAT", f"{OURS}, DATA"
    senders = [Ours(lab, chunks).sender(by_bdat), Ours(lab).sender(by_data)]
    return Contest("A sink that offers CHUNKING", senders, (Ratio(by_bdat, by_data),))


def distance(lab: Lab) -> Contest:
    """To a server far away: the sink holds each batch of replies back."""

    def far(lab: Lab) -> AbstractContextManager[Sink]:
        return fast_sink(lab, "-d", str(_DELAY))

    contest = Contest(f"{_DELAY} ms away")
    rivals = Rivals(lab, contest, far)
    contest.senders.append(Ours(lab, far, 4_000).sender(OURS))
    rivals.smtplib(800, SMTPLIB)
    rivals.nodemailer("raw", 1_600, RAW)
    limit = {RATE: lab.connections / (_DELAY / 1000)}
    contest.senders.append(Sender(LIMIT, lambda: limit))
    contest.ratios = (Ratio(OURS, SMTPLIB, 3.5), Ratio(OURS, RAW), Ratio(OURS, LIMIT))
    return contest


def tls(lab: Lab) -> Contest:
    """Encrypted from the first octet, to a sink on uvloop."""
    contest = Contest("TLS")
    rivals = Rivals(lab, contest, tls_sink)
    contest.senders.append(Ours(lab, tls_sink, 20_000).sender(OURS))
    rivals.smtplib(1_500, SMTPLIB)
    rivals.nodemailer("raw", 4_000, RAW)
    rivals.nodemailer("compose", 1_200, COMPOSING)
    contest.ratios = (Ratio(OURS, RAW, 8), Ratio(OURS, COMPOSING), Ratio(OURS, SMTPLIB))
    contest.remark = "The sink is a Python program on the other processor: it may be the limit for the fastest."
    return contest


def long(lab: Lab) -> Contest:
    """Thirty articles, all of them in full: about seven times as large."""
    contest = Contest(f"An issue of {_LONG} articles")
    contest.senders.append(Ours(lab, people=8_000, articles=_LONG).sender(OURS))
    Rivals(lab, contest, articles=_LONG).smtp_source(8_000, SOURCE)
    contest.ratios = (Ratio(OURS, SOURCE),)
    contest.remark = f"Messages of {lab.message_size(_LONG) / 1000:.0f} KB."
    return contest


def sync(lab: Lab) -> Contest:
    """On a slow disk: every sync takes so much longer."""
    quick, slow = f"{OURS}, syncs + 0.1 ms", f"{OURS}, syncs + 5 ms"
    senders = [
        Ours(lab, people=40_000, sync_us=100).sender(quick),
        Ours(lab, people=40_000, sync_us=5_000).sender(slow),
    ]
    remark = f"A sync of this disk takes {lab.sync_time:.2f} ms by itself (the median of some); the rest comes on top."
    return Contest("A slow disk", senders, (Ratio(slow, quick, 0.5),), remark=remark)


def dkim(lab: Lab) -> Contest:
    """Signed here, beside what the processors can sign when they do nothing else."""

    def alone(keys: str, *how: str) -> Callable[[], Values]:
        def run() -> Values:
            seconds = _SIGNING * min(1.0, max(lab.scale, 0.2))
            material = lab.publication(1)
            data = timed(python("signing", material, "--keys", keys, "--seconds", seconds, *how)).data
            return {RATE: data["messages"] / data["seconds"], "cpu": data["cpu"] / data["messages"] * 1000}

        return run

    contest, ratios = Contest("DKIM"), []
    for keys, name, goal in (("rsa", "RSA-2048", 0.75), ("both", "RSA-2048 and ed25519", 0.7)):
        sending, bare, signer = f"{OURS}, {name}", f"the keys alone, {name}", f"the signer alone, {name}"
        contest.senders += [
            Ours(lab, people=12_000, dkim=keys).sender(sending),
            Sender(bare, alone(keys, "--bare")),
            Sender(signer, alone(keys)),
        ]
        ratios += [Ratio(sending, bare, goal), Ratio(sending, signer)]
    contest.ratios = tuple(ratios)
    return contest


def start(lab: Lab) -> Contest:
    """The first message and the memory, by the real command, on lists of very different length."""
    sizes = (1_000, 10_000) if lab.quick else (1_000, 100_000, 1_000_000)
    senders = [FirstMessage(lab, people).sender() for people in sizes]
    remark = (
        "From the shell at most 1 s, after loading at most 0.3 s, at most 64 MiB above the imports. The command is"
        f" stopped after 20,000 messages, or nine tenths of the list; batch {lab.batch}, {lab.connections} connections,"
        f" window {lab.window}."
    )
    columns = ("shell", "loaded", "first", "spent", "memory")
    return Contest("The first message", senders, (), columns, remark=remark)


def cost(lab: Lab) -> Contest:
    """Processor time of a message on a short and on a long list."""
    sizes = (1_000, 3_000, 10_000) if lab.quick else (1_000, 10_000, 100_000)
    senders = [Ours(lab, people=people, exact=True).sender(f"{OURS}, {people:,} people") for people in sizes]
    short, middle, large = (sender.name for sender in senders)
    ratios = (Ratio(large, short, key="cpu"), Ratio(large, middle, key="cpu"), Ratio(large, middle, key="memory"))
    remark = "A send has costs of its own, for connections and forms of the message; a short list bears them alone."
    return Contest("Short and long lists", senders, ratios, (RATE, "cpu", "planning", "memory"), remark=remark)


SCENARIOS: Mapping[str, Callable[[Lab], Contest]] = {
    "fast": fast,
    "postfix": postfix,
    "chunking": chunking,
    "distance": distance,
    "tls": tls,
    "long": long,
    "sync": sync,
    "dkim": dkim,
    "start": start,
    "cost": cost,
}

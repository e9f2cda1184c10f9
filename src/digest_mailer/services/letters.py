"""Letters: what each says, and to which page its link leads. They go out on the express lane.

A letter may be written at a stranger's wish, so it holds nothing that the stranger typed but the address it goes to,
and nothing that tells them whether anybody is here: only who reads that mailbox learns it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audience import Subscriber
from digest_mailer.core.delivery import Accepted, Deferred
from digest_mailer.core.identity import IssueId, Language
from digest_mailer.core.letter import post
from digest_mailer.core.message import Message
from digest_mailer.core.publication import Publication
from digest_mailer.core.token import Scope, TokenKeys, sign, sign_dated
from digest_mailer.core.urls import confirm_url, data_url, erase_url, preferences_url
from digest_mailer.ports import Clock
from digest_mailer.rendering.letter import Draft, Link, write_letter
from digest_mailer.rendering.phrases import Phrases
from digest_mailer.rendering.templates import Templates
from digest_mailer.services.express import Express

_OF_A_LETTER = IssueId("2000-01")
_WAITS = (0.0, 30.0, 300.0)  # seconds before each attempt

logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """What a letter is for."""

    CONFIRM = "confirm"  # was it you who signed up?
    WELCOME = "welcome"  # yes, it was
    CHOOSE = "choose"  # the link to one's topics, asked for, or because one is here already
    DATA = "data"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Letters:
    """Writes letters of one publication."""

    publication: Publication
    templates: Templates
    tokens: TokenKeys
    clock: Clock
    new_id: Callable[[], str]  # of a message, never used before

    def message(self, kind: Kind, person: Subscriber, recent: tuple[Link, ...] = ()) -> Message:
        """The letter to this person; `recent` are articles for a welcome."""
        now = self.clock.now()
        draft = self._draft(kind, person, self.templates.site_phrases(person.language), now, recent)
        letter = write_letter(draft, person.language, self.publication, self.templates)
        name = "" if kind is Kind.CONFIRM else person.name  # a stranger may have typed it
        return post(letter, self.publication.sender, person.address, name, now, self.new_id())

    def sign_in(self, address: EmailAddress, url: str, language: Language) -> Message:
        """The letter with a link to the admins' pages."""
        _ = self.templates.site_phrases(language).gettext
        draft = Draft(
            _("Your link to sign in"),
            (
                _("Somebody asked on the sign-in page of {publication} for it.").format(
                    publication=self.publication.name
                ),
            ),
            _("Sign in"),
            url,
            (_("It is good for half an hour, and once. If it was not you, do nothing."),),
        )
        letter = write_letter(draft, language, self.publication, self.templates)
        return post(letter, self.publication.sender, address, "", self.clock.now(), self.new_id())

    def _draft(
        self, kind: Kind, person: Subscriber, phrases: Phrases, now: datetime, recent: tuple[Link, ...]
    ) -> Draft:
        _, name = phrases.gettext, self.publication.in_language(person.language).name
        base = self.publication.base_url
        day = now.astimezone(ZoneInfo(self.publication.timezone)).date()

        def dated(scope: Scope) -> str:
            return sign_dated(scope, person.id, day, person.generation, self.tokens)

        match kind:
            case Kind.CONFIRM:
                return Draft(
                    _("Is it you who signed up?"),
                    (_("Somebody asked that {publication} be sent to this address.").format(publication=name),),
                    _("Yes, send it to me"),
                    confirm_url(base, dated(Scope.CONFIRM)),
                    (
                        _("If it was not you, do nothing: without your yes nothing is sent here."),
                        _("The link is good for 30 days."),
                    ),
                )
            case Kind.WELCOME:
                return Draft(
                    _("Welcome to {publication}").format(publication=name),
                    (_("The next issue comes to you as you chose."),),
                    _("Your topics, a pause, or the way out"),
                    preferences_url(base, self._choose(person)),
                    links=recent,
                    links_title=_("The latest on your topics") if recent else "",
                )
            case Kind.CHOOSE:
                return Draft(
                    _("Your link to {publication}").format(publication=name),
                    (_("Somebody asked for it on our page. If it was not you, do nothing."),),
                    _("Your topics, a pause, or the way out"),
                    preferences_url(base, self._choose(person)),
                )
            case Kind.DATA:
                return Draft(
                    _("What we keep of you"),
                    (_("You asked on your page to see what {publication} keeps of you.").format(publication=name),),
                    _("Show it to me"),
                    data_url(base, dated(Scope.DATA)),
                    (_("The link is good for two days."),),
                )
            case Kind.ERASE:
                return Draft(
                    _("Forget me?"),
                    (_("You asked on your page that {publication} forget you.").format(publication=name),),
                    _("See what that means, and decide"),
                    erase_url(base, dated(Scope.ERASE)),
                    (_("Nothing has been deleted yet. The link is good for two days."),),
                )

    def _choose(self, person: Subscriber) -> str:
        """A link to one's choices, of no issue that ever was: leaving by it tells nothing of any mail."""
        return sign(Scope.PREFERENCES, person.id, _OF_A_LETTER, person.generation, self.tokens)


async def deliver(express: Express, message: Message, rest: Callable[[float], Awaitable[None]] = asyncio.sleep) -> bool:
    """Hand a letter over, some minutes long while the way out says that it may work later. Whether it was taken."""
    for wait in _WAITS:
        if wait:
            await rest(wait)
        (outcome,) = await express.send([message])
        if isinstance(outcome, Accepted):
            return True
        logger.warning("a letter was not taken: %s", type(outcome).__name__)
        if not isinstance(outcome, Deferred):
            return False
    return False

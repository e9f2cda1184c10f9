"""The site's route table: which address is whose. See `core.urls` for the addresses that never change.

    /issues/ /articles/ /topics/     archive.py    the published issues, read afresh from their files
    /u/TOKEN                         leaving.py    leave
    /p/TOKEN                         choosing.py   choose topics and language, pause
    /subscribe/ /c/TOKEN /links/     joining.py    sign up, confirm, have a lost link mailed
    /d/TOKEN /e/TOKEN                own_data.py   see what is kept, be forgotten
    /admin/                          admin/        for who works on the publication
    /inbox/                          inbox.py      the sandbox's mail; only where it is asked for
    /site.css /icon.svg              pages.py      the one stylesheet, the icon

Around all of them stands `doorman.py`: hosts, security headers, and the last answer when something breaks.
"""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route

from digest_mailer.bootstrap import App
from digest_mailer.core.errors import DigestError
from digest_mailer.core.identity import ENGLISH
from digest_mailer.core.urls import sign_up_url
from digest_mailer.web.admin.housekeeping import kept_tidy
from digest_mailer.web.admin.routes import admin_routes
from digest_mailer.web.archive import Archive
from digest_mailer.web.choosing import Preferences
from digest_mailer.web.doorman import Doorman, trusted_hosts
from digest_mailer.web.inbox import Inbox
from digest_mailer.web.joining import Door
from digest_mailer.web.leaving import Leaving
from digest_mailer.web.mail_folder import MailFolder
from digest_mailer.web.own_data import OwnData
from digest_mailer.web.pages import Pages, add_slash
from digest_mailer.web.post import Post
from digest_mailer.web.shelf import Shelf

Endpoint = Callable[[Request], Any]


def build_site(app: App, *, inbox: bool) -> Starlette:
    """The site of a publication. With `inbox` it also shows the sandbox's mail, and answers only to its own name
    and this machine's. Raises ConfigError for a database or keys that cannot be used."""
    pages, shelf = Pages(app, inbox), Shelf(app)
    post = Post(app, shelf)
    door, own_data = Door(app, pages, post), OwnData(app, pages)
    own = _own_routes(Leaving(app, pages), Preferences(app, pages, shelf, post), own_data, door)
    routes = [*_coming_routes(door, app), *own, *_archive_routes(Archive(shelf, pages), app)]
    routes += admin_routes(app, pages, post)
    if inbox:
        routes += _inbox_routes(Inbox(MailFolder(app.maildir), pages, app.publication.timezone))
    site = Starlette(
        routes=[*routes, Route("/site.css", pages.stylesheet), Route("/icon.svg", pages.icon)],
        middleware=[Middleware(Doorman, pages=pages, hosts=trusted_hosts(app.publication.base_url) if inbox else None)],
        exception_handlers={HTTPException: pages.refused, DigestError: pages.failed},
        lifespan=lambda _site: kept_tidy(app),
    )
    site.router.redirect_slashes = False  # a redirect in answer to a one-click POST would break it (RFC 8058 3.1)
    return site


def _archive_routes(archive: Archive, app: App) -> list[Route]:
    routes = [
        Route("/", archive.home),
        *_page("/issues/", archive.issues),
        *_page("/issues/{month}/", archive.issue),
        *_page("/articles/{key}/", archive.article),
        *_page("/topics/", archive.topics),
        *_page("/topics/{slug}/", archive.topic),
    ]
    for language in sorted({"fr", *app.publication.languages} - {ENGLISH}):
        routes += _page(f"/{language}/", archive.home)
        routes.append(Route(f"/{language}/{{rest:path}}", archive.without_language))
    return routes


def _coming_routes(door: Door, app: App) -> list[Route]:
    routes = [Route("/links/", door.links, methods=["POST"])]
    for language in app.publication.languages:
        path = sign_up_url("", language)
        routes += [Route(path, door.sign_up_in(language), methods=["GET", "POST"]), Route(path.rstrip("/"), add_slash)]
    return routes


def _own_routes(leaving: Leaving, preferences: Preferences, own_data: OwnData, door: Door) -> list[Route]:
    """A reader's own links. With a slash too, because a redirect in answer to a POST would break it."""
    links = (
        ("/u/{token}", leaving.leave),
        ("/p/{token}", preferences.answer),
        ("/c/{token}", door.confirm),
        ("/d/{token}", own_data.data),
        ("/e/{token}", own_data.erase),
    )
    return [Route(path + end, answer, methods=["GET", "POST"]) for path, answer in links for end in ("", "/")]


def _inbox_routes(inbox: Inbox) -> list[Route]:
    return [
        *_page("/inbox/", inbox.listing),
        *_page("/inbox/{id}/", inbox.message),
        Route("/inbox/{id}/html", inbox.html),
        Route("/inbox/{id}/raw", inbox.raw),
    ]


def _page(path: str, endpoint: Endpoint) -> list[Route]:
    """A page, and the redirect to it from its address without the slash at the end."""
    return [Route(path, endpoint), Route(path.rstrip("/"), add_slash)]

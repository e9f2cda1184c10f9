"""The admins' route table. Each module says what its pages need."""

from starlette.routing import Route

from digest_mailer.bootstrap import App
from digest_mailer.web.admin.accounts import account_routes
from digest_mailer.web.admin.audit import audit_routes
from digest_mailer.web.admin.changes import change_routes
from digest_mailer.web.admin.findings import finding_routes
from digest_mailer.web.admin.frames import frame_routes
from digest_mailer.web.admin.gate import Gate
from digest_mailer.web.admin.home import home_routes
from digest_mailer.web.admin.importing import import_routes
from digest_mailer.web.admin.issues import issue_routes
from digest_mailer.web.admin.people import people_routes
from digest_mailer.web.admin.person import person_routes
from digest_mailer.web.admin.preview import preview_routes
from digest_mailer.web.admin.segments import segment_routes
from digest_mailer.web.admin.signing_in import sign_in_routes
from digest_mailer.web.admin.suppression_import import suppression_import_routes
from digest_mailer.web.admin.suppressions import suppression_routes
from digest_mailer.web.admin.topics import topic_routes
from digest_mailer.web.pages import Pages
from digest_mailer.web.post import Post


def admin_routes(app: App, pages: Pages, post: Post) -> list[Route]:
    """All pages under `/admin/`."""
    gate = Gate(app, pages)
    return [
        *sign_in_routes(gate, post),
        *home_routes(gate),
        *account_routes(gate),
        *issue_routes(gate),
        *preview_routes(gate),
        *frame_routes(gate),
        *finding_routes(gate),
        *change_routes(gate),
        *people_routes(gate),
        *person_routes(gate),
        *segment_routes(gate),
        *import_routes(gate),
        *suppression_routes(gate),
        *suppression_import_routes(gate),
        *audit_routes(gate),
        *topic_routes(gate),
    ]

"""Approved issues: their compiled editions, kept by the hash of their bytes."""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert, select

from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.tables import approval, approved_edition, artefact
from digest_mailer.core.edition import FORMAT, EditionKey, edition_hash
from digest_mailer.core.identity import IssueId, Language
from digest_mailer.core.mailing import Approval


class ApprovalStore:
    """The port `Approvals` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        issue: IssueId,
        source_digest: str,
        editions: Mapping[EditionKey, bytes],
        approver: str,
        note: str,
        now: datetime,
    ) -> Approval:
        """Keep an approval with every compiled edition."""
        hashes = {key: edition_hash(body) for key, body in editions.items()}
        with self._database.write() as connection:
            known = set(
                connection.execute(select(artefact.c.hash).where(artefact.c.hash.in_(hashes.values()))).scalars()
            )
            new = {hashes[key]: body for key, body in editions.items() if hashes[key] not in known}
            if new:
                rows = [{"hash": h, "format": FORMAT, "body": body, "created_at": now} for h, body in new.items()]
                connection.execute(insert(artefact), rows)
            values = {"issue": issue, "source_digest": source_digest, "approved_at": now}
            added = connection.execute(insert(approval).values(**values, approver=approver, note=note))
            approval_id = added.inserted_primary_key[0] if added.inserted_primary_key else 0
            connection.execute(insert(approved_edition), [_row(approval_id, key, h) for key, h in hashes.items()])
        return Approval(approval_id, issue, source_digest, now, approver, note, hashes)

    def latest(self, issue: IssueId) -> Approval | None:
        """The newest approval of an issue."""
        newest = select(approval).where(approval.c.issue == issue).order_by(approval.c.id.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(newest).first()
            if not row:
                return None
            query = select(approved_edition).where(approved_edition.c.approval_id == row.id)
            editions = {
                EditionKey(Language(one.language), tuple(json.loads(one.positions))): one.hash
                for one in connection.execute(query)
            }
            return Approval(
                row.id,
                issue,
                row.source_digest,
                row.approved_at,
                row.approver,
                row.note,
                dict(sorted(editions.items())),
            )

    def artefact(self, edition: str) -> bytes:
        """The compiled edition of this hash; KeyError when it is not there."""
        with self._database.read() as connection:
            body = connection.execute(select(artefact.c.body).where(artefact.c.hash == edition)).scalar()
        if body is None:
            raise KeyError(edition)
        return bytes(body)


def _row(approval_id: int, key: EditionKey, edition: str) -> dict[str, object]:
    return {
        "approval_id": approval_id,
        "key": str(key),
        "language": key.language,
        "positions": json.dumps(key.positions),
        "selection": key.selection,
        "hash": edition,
    }

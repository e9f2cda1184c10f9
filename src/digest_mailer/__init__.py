"""digest-mailer: monthly issue files in, each reader's own digest out.

The flow, one noun made from the noun before it: issue file -> Issue -> EditionPlan -> Edition ->
(approved, stored) -> Message -> Outcome -> ledger. Where things live: docs/explanation/architecture.md.
"""

__version__ = "0.1.0"

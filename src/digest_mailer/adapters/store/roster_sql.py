# ruff: noqa: S608
"""The statements of an import, in the order of their use. They are made of nothing but each other.

CROSS JOIN says to SQLite in which order to go through tables: that of the rows, which is that of what is stored.
"""

TABLES = (
    # the rows that can be used, in the order of their hashes, each with the id that a new person will have
    "CREATE TEMP TABLE staged (id INTEGER PRIMARY KEY, hash BLOB, typed TEXT, name TEXT, attributes TEXT,"
    " all_topics INTEGER, topics_0 INTEGER, topics_1 INTEGER, topics_2 INTEGER, topics_3 INTEGER, standing INTEGER)",
    "CREATE TEMP TABLE standing (number INTEGER PRIMARY KEY, state TEXT, paused_until TEXT, language TEXT,"
    " source TEXT, given_on TEXT, joined_on TEXT, consent_id INTEGER)",
    # of rows whose address is known: who it is, and what becomes of them
    "CREATE TEMP TABLE met (id INTEGER PRIMARY KEY, who INTEGER, kept_out INTEGER, same INTEGER, agreed INTEGER,"
    " state TEXT, paused_until TEXT, verdict TEXT AS"
    " (CASE WHEN kept_out THEN 'kept_out' WHEN same AND NOT agreed THEN 'unchanged' ELSE 'changed' END))",
    "CREATE TEMP TABLE narrowing (now TEXT, wanted TEXT, result TEXT, gone INTEGER, PRIMARY KEY (now, wanted))"
    " WITHOUT ROWID",
    "CREATE TEMP TABLE agreed (id INTEGER PRIMARY KEY, source TEXT, given_on TEXT, UNIQUE (source, given_on))",
)
STAGE = f"INSERT INTO staged VALUES (?{', ?' * 10})"
STANDINGS = f"INSERT INTO standing VALUES (?{', ?' * 6}, NULL)"

# The longer of two pauses; one without an end is the longest.
_PAUSE = (
    "CASE WHEN w.result <> 'paused' THEN NULL"
    " WHEN g.state <> 'paused' THEN s.paused_until"
    " WHEN s.state <> 'paused' THEN g.paused_until"
    " WHEN s.paused_until IS NULL OR g.paused_until IS NULL THEN NULL"
    " ELSE max(s.paused_until, g.paused_until) END"
)
_SAME_TOPICS = " AND ".join(f"s.topics_{n} = t.topics_{n}" for n in range(4))
# What readers chose themselves is theirs; an empty name or language says nothing.
_SAME = (
    "p.typed = t.typed AND (t.name = '' OR p.name = t.name) AND p.attributes = t.attributes"
    f" AND (s.own_choice OR (g.language IN ('', s.language) AND s.all_topics = t.all_topics AND {_SAME_TOPICS}))"
    f" AND s.state = w.result AND s.paused_until IS {_PAUSE}"
)
_AGREED = (
    "NOT EXISTS (SELECT 1 FROM consented k JOIN consent c ON c.id = k.consent_id"
    " WHERE k.subscriber_id = s.id AND c.source = g.source AND c.given_on = g.given_on)"
)
COMPARE = (
    "INSERT INTO met SELECT t.id, s.id, u.address_hash IS NOT NULL OR w.gone OR s.id IS NULL,"
    f" {_SAME}, {_AGREED}, w.result, {_PAUSE}"
    " FROM staged t CROSS JOIN standing g ON g.number = t.standing"
    " LEFT JOIN person p ON p.address_hash = t.hash LEFT JOIN subscriber s ON s.id = p.subscriber_id"
    " LEFT JOIN suppression u ON u.address_hash = t.hash LEFT JOIN former o ON o.address_hash = t.hash"
    " LEFT JOIN narrowing w ON w.now = s.state AND w.wanted = g.state"
    " WHERE p.subscriber_id IS NOT NULL OR u.address_hash IS NOT NULL OR o.address_hash IS NOT NULL"
)

# in the order of `ImportResult`; GROUP BY would sort a million words
_COUNTS = ", ".join(f"count(*) FILTER (WHERE verdict = '{name}')" for name in ("changed", "unchanged", "kept_out"))
COUNTED = f"SELECT {_COUNTS} FROM met"

_TOPICS = ", ".join(f"topics_{n}" for n in range(4))
_UNMET = "NOT EXISTS (SELECT 1 FROM met WHERE id = t.id)"
_NEW = f"FROM staged t CROSS JOIN standing g ON g.number = t.standing WHERE {_UNMET} ORDER BY t.id"
_CHANGED = "FROM met m CROSS JOIN staged t ON t.id = m.id CROSS JOIN standing g ON g.number = t.standing"
_CHOICES = ", ".join(
    f"{name} = CASE WHEN subscriber.own_choice{unsaid} THEN subscriber.{name} ELSE {source}.{name} END"
    for source, name, unsaid in (
        ("g", "language", " OR g.language = ''"),
        ("t", "all_topics", ""),
        *(("t", f"topics_{n}", "") for n in range(4)),
    )
)
_LANGUAGE = "CASE g.language WHEN '' THEN :language ELSE g.language END"
_AGREEING = (
    f"SELECT t.standing FROM staged t WHERE {_UNMET} UNION"
    f" SELECT t.standing {_CHANGED} WHERE m.verdict = 'changed' AND m.agreed"
)
CONSENTS = (
    "DELETE FROM agreed",
    "INSERT INTO agreed (source, given_on)"
    f" SELECT DISTINCT source, given_on FROM standing WHERE number IN ({_AGREEING})",
    "INSERT INTO consent (id, source, given_on, import_id, recorded_at)"
    " SELECT :base + id, source, given_on, :run, :now FROM agreed",
    "UPDATE standing SET consent_id = :base + (SELECT a.id FROM agreed a"
    " WHERE a.source = standing.source AND a.given_on = standing.given_on)",
)
NEW = (
    f"INSERT INTO subscriber (id, state, paused_until, language, all_topics, {_TOPICS}, created_at, changed_at,"
    f" changed_seq, joined_on) SELECT t.id, g.state, g.paused_until, {_LANGUAGE}, t.all_topics, {_TOPICS}, :now, :now,"
    f" :sequence, g.joined_on {_NEW}",
    "INSERT INTO person (subscriber_id, address_hash, canonical, typed, name, attributes)"
    f" SELECT t.id, t.hash, lower(t.typed), t.typed, t.name, t.attributes {_NEW}",
    f"INSERT INTO consented (subscriber_id, consent_id) SELECT t.id, g.consent_id {_NEW}",
)
CHANGED = (
    "INSERT INTO import_move (subscriber_id, import_id, from_state, to_state)"
    " SELECT s.id, :run, s.state, m.state FROM met m CROSS JOIN subscriber s ON s.id = m.who"
    " WHERE m.verdict = 'changed' AND s.state <> m.state",
    f"UPDATE subscriber SET state = m.state, paused_until = m.paused_until, {_CHOICES},"
    f" changed_at = :now, changed_seq = :sequence {_CHANGED}"
    " WHERE subscriber.id = m.who AND m.verdict = 'changed'",
    "UPDATE person SET typed = t.typed, name = CASE t.name WHEN '' THEN person.name ELSE t.name END,"
    f" attributes = t.attributes {_CHANGED}"
    " WHERE person.subscriber_id = m.who AND m.verdict = 'changed'",
    f"INSERT INTO consented (subscriber_id, consent_id) SELECT m.who, g.consent_id {_CHANGED}"
    " WHERE m.verdict = 'changed' AND m.agreed",
)
# Whom the file itself gives a state without mail, and who has some that is still to be sent.
DROPPED = (
    f"SELECT m.who, m.state, m.paused_until {_CHANGED} WHERE m.verdict = 'changed' AND m.state = g.state"
    " AND m.state <> 'active' AND EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber_id = m.who"
    " AND d.state IN ('planned', 'claimed', 'deferred'))"
)

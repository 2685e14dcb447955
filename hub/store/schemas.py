"""The statements of the schema's steps (`migrations.py`): what has been released is never changed."""

# AUTOINCREMENT wherever a number leaves its table: SQLite would hand out a deleted row's number
# again, and a late PUBACK would then remove a row that was never sent.
THE_STREET = """
CREATE TABLE reading (
    sequence       INTEGER PRIMARY KEY AUTOINCREMENT,
    id             BLOB NOT NULL UNIQUE,
    resident       TEXT,
    device         TEXT NOT NULL,
    driver         TEXT NOT NULL,
    characteristic TEXT NOT NULL,
    origin         TEXT NOT NULL,
    payload        BLOB NOT NULL,
    received_at    INTEGER NOT NULL,
    device_time    TEXT,
    measured_at    INTEGER NOT NULL,
    time_quality   TEXT NOT NULL,
    measurements   TEXT NOT NULL,
    flags          TEXT NOT NULL,
    user_id        INTEGER,
    problem        TEXT
);
CREATE TABLE measurement (
    resident    TEXT NOT NULL,
    vital       TEXT NOT NULL,
    measured_at INTEGER NOT NULL,
    reading     INTEGER NOT NULL,
    value       ANY NOT NULL,
    quality     TEXT NOT NULL,
    PRIMARY KEY (resident, vital, measured_at, reading)
) STRICT, WITHOUT ROWID;
CREATE TABLE assessment (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
    resident    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    reading     INTEGER NOT NULL,
    band        TEXT NOT NULL,
    body        TEXT NOT NULL
);
CREATE INDEX assessment_of_resident ON assessment (resident, at);
CREATE TABLE alert (
    id          BLOB PRIMARY KEY,
    resident    TEXT NOT NULL,
    band        TEXT NOT NULL,
    state       TEXT NOT NULL,
    raised_at   INTEGER NOT NULL,
    resolved_at INTEGER,
    reading     INTEGER NOT NULL,
    assessment  INTEGER NOT NULL,
    body        TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_alert_of_resident ON alert (resident) WHERE resolved_at IS NULL;
CREATE TABLE alert_history (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    alert    BLOB NOT NULL,
    at       INTEGER NOT NULL,
    what     TEXT NOT NULL,
    detail   TEXT NOT NULL
);
CREATE INDEX history_of_alert ON alert_history (alert);
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    priority INTEGER NOT NULL,
    channel  TEXT NOT NULL,
    event    TEXT NOT NULL
);
CREATE INDEX outbox_order ON outbox (priority, sequence);
CREATE TABLE outbox_aside (
    sequence INTEGER PRIMARY KEY,
    channel  TEXT NOT NULL,
    event    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    at       INTEGER NOT NULL
)
"""

# No AUTOINCREMENT, which writes one page more at each commit. A reading's or assessment's number is not
# used again, since the newest is never removed; an outbox row's is made by the writer
# (`hub.store.numbers.Numbers`), the priority in its highest bits: their order is the order of sending.
FEWER_BYTES = """
CREATE TABLE source (
    number         INTEGER PRIMARY KEY,
    device         TEXT NOT NULL,
    driver         TEXT NOT NULL,
    characteristic TEXT NOT NULL,
    origin         TEXT NOT NULL,
    UNIQUE (device, driver, characteristic, origin)
);
CREATE TABLE boot (
    number INTEGER PRIMARY KEY,
    id     BLOB NOT NULL UNIQUE
);
CREATE TABLE model (
    number  INTEGER PRIMARY KEY,
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    sha256  TEXT NOT NULL,
    UNIQUE (name, version, sha256)
);
CREATE TABLE reading (
    sequence        INTEGER PRIMARY KEY,
    id              BLOB NOT NULL UNIQUE,
    resident        TEXT,
    source          INTEGER NOT NULL REFERENCES source,
    payload         BLOB NOT NULL,
    received_at     INTEGER NOT NULL,
    boot            INTEGER NOT NULL REFERENCES boot,
    since_boot      INTEGER NOT NULL,
    clock           INTEGER NOT NULL,
    device_time     TEXT,
    measured_at     INTEGER,
    time_quality    INTEGER NOT NULL,
    measurements    TEXT NOT NULL,
    observed        TEXT,
    flags           TEXT NOT NULL,
    sequence_number INTEGER,
    user_id         INTEGER,
    problem         TEXT
);
CREATE TABLE assessment (
    sequence     INTEGER PRIMARY KEY,
    resident     TEXT NOT NULL,
    at           INTEGER,
    reading      INTEGER NOT NULL,
    scale        INTEGER NOT NULL,
    observations TEXT NOT NULL,
    band         TEXT NOT NULL,
    total        INTEGER NOT NULL,
    age          INTEGER,
    risk         REAL,
    model        INTEGER REFERENCES model
);
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY,
    channel  TEXT NOT NULL,
    event    TEXT,
    first    INTEGER,
    last     INTEGER
);
CREATE TABLE outbox_aside (
    sequence INTEGER PRIMARY KEY,
    channel  TEXT NOT NULL,
    event    TEXT,
    first    INTEGER,
    last     INTEGER,
    reason   TEXT NOT NULL,
    at       INTEGER NOT NULL
)
"""

EVENTS_COMPRESSED = """
ALTER TABLE outbox RENAME TO outbox_before;
ALTER TABLE outbox_aside RENAME TO outbox_aside_before;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY,
    channel  TEXT NOT NULL,
    event    BLOB,
    first    INTEGER,
    last     INTEGER
);
CREATE TABLE outbox_aside (
    sequence INTEGER PRIMARY KEY,
    channel  TEXT NOT NULL,
    event    BLOB,
    first    INTEGER,
    last     INTEGER,
    reason   TEXT NOT NULL,
    at       INTEGER NOT NULL
);
INSERT INTO outbox
    SELECT sequence, channel, compressed(CAST(event AS BLOB)), first, last
    FROM outbox_before;
INSERT INTO outbox_aside
    SELECT sequence, channel, compressed(CAST(event AS BLOB)), first, last, reason, at
    FROM outbox_aside_before;
DROP TABLE outbox_before;
DROP TABLE outbox_aside_before
"""

ENROLLED_BY_COMMAND = """
CREATE TABLE enrolled_sensor (
    address     TEXT PRIMARY KEY,
    driver      TEXT NOT NULL,
    resident    TEXT,
    label       TEXT NOT NULL,
    user        TEXT,
    bonding     TEXT,
    passkey     INTEGER,
    enrolled_at INTEGER NOT NULL,
    enrolled_by TEXT NOT NULL,
    theirs_since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE sensor_information (
    address       TEXT PRIMARY KEY,
    battery       INTEGER,
    manufacturer  TEXT,
    model         TEXT,
    serial_number TEXT,
    firmware      TEXT,
    hardware      TEXT,
    software      TEXT,
    clock_ahead   INTEGER,
    battery_at    INTEGER,
    learned_at    INTEGER NOT NULL
) WITHOUT ROWID
"""

# `stretch` is JSON (`hub.store.encoding.stretch_text`); without it a reading is a single payload.
STRETCHES_AND_KITS = """
ALTER TABLE reading ADD COLUMN stretch TEXT;
ALTER TABLE enrolled_sensor ADD COLUMN kit TEXT
"""

# `reasons` is JSON (`hub.store.encoding.reasons_text`). `uncalibrated` is the model's own probability where a
# site's recalibration made another of it, which is the risk; `would_alert` is 1 where the risk reached the
# threshold of the site's alert budget, 0 where not, NULL where there was none. A `rhythm_window` is of the
# resident of its `reading`, the stretch that completed it: by it the rows are found, and go. Its times are as
# told; `used` is how many intervals a heart can have, `threshold` from which probability on it was irregular.
# `kept_score` has what outlives assessments, so that a model can be judged later (`hub/store/scores.py`).
MODELS_THAT_EARN_THEIR_PLACE = """
ALTER TABLE assessment ADD COLUMN reasons TEXT;
ALTER TABLE assessment ADD COLUMN uncalibrated REAL;
ALTER TABLE assessment ADD COLUMN would_alert INTEGER;
CREATE TABLE kept_score (
    resident    TEXT NOT NULL,
    hour        INTEGER NOT NULL,
    model       INTEGER NOT NULL REFERENCES model,
    at          INTEGER NOT NULL,
    clock       INTEGER NOT NULL,
    risk        REAL NOT NULL,
    highest     REAL NOT NULL,
    would_alert INTEGER,
    band        TEXT NOT NULL,
    total       INTEGER NOT NULL,
    vitals      TEXT NOT NULL,
    age         INTEGER,
    PRIMARY KEY (resident, hour, model)
) WITHOUT ROWID;
CREATE TABLE rhythm_window (
    reading     INTEGER NOT NULL,
    ended       INTEGER NOT NULL,
    began       INTEGER NOT NULL,
    beats       INTEGER NOT NULL,
    used        INTEGER NOT NULL,
    quality     REAL NOT NULL,
    probability REAL,
    threshold   REAL NOT NULL,
    model       INTEGER NOT NULL REFERENCES model,
    PRIMARY KEY (reading, ended)
) WITHOUT ROWID
"""

# `resident` is who was entered by hand or from a table, as a [[residents]] would say it; `resident_care`
# what is known of anybody who lives here, listed in the configuration or entered: JSON
# (`hub.residents.care.Care`). `staff` is who may sign in on the staff page; `key` is the name as it is
# compared. A `withdrawn_assessment` rested on a reading that was given to the wrong resident: out of the way
# of whoever looks at assessments, and not forgotten; `withdrawn` is the number of the trail's entry that says
# why.
RESIDENTS_AND_STAFF = """
CREATE TABLE resident (
    id                      TEXT PRIMARY KEY,
    name                    TEXT NOT NULL,
    room                    TEXT NOT NULL,
    birth_year              INTEGER,
    oxygen_scale            INTEGER NOT NULL,
    oxygen_scale_prescriber TEXT,
    wristband               TEXT,
    entered_at              INTEGER NOT NULL,
    entered_by              TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE resident_care (
    resident   TEXT PRIMARY KEY,
    body       TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE staff (
    key        TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    pin        TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE withdrawn_assessment (
    sequence     INTEGER PRIMARY KEY,
    resident     TEXT NOT NULL,
    at           INTEGER,
    reading      INTEGER NOT NULL,
    scale        INTEGER NOT NULL,
    observations TEXT NOT NULL,
    band         TEXT NOT NULL,
    total        INTEGER NOT NULL,
    age          INTEGER,
    risk         REAL,
    model        INTEGER REFERENCES model,
    reasons      TEXT,
    uncalibrated REAL,
    would_alert  INTEGER,
    withdrawn    INTEGER NOT NULL
)
"""

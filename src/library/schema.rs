//! The tables, and opening them: every refusal is an error of its own.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};

/// `pkin`: tells a library from any other SQLite database.
const APPLICATION: i64 = 0x706b_696e;
/// Grows with every change of the tables.
const FORMAT: i64 = 6;
/// The oldest that is read; writing brings it up to date.
const OLDEST: i64 = 1;

/// How long to wait for another process that is writing.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

-- What made vectors, as JSON; see vector::Space.
CREATE TABLE spaces (space INTEGER PRIMARY KEY, stamp TEXT NOT NULL UNIQUE) STRICT;

-- AUTOINCREMENT: the number of a paper that was removed is never given again.
CREATE TABLE papers (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    title_key TEXT NOT NULL,
    abstract TEXT NOT NULL,
    authors TEXT NOT NULL,
    authors_count INTEGER,
    categories TEXT NOT NULL,
    published TEXT,
    updated TEXT,
    day TEXT,
    upvotes INTEGER,
    comments INTEGER,
    url TEXT,
    version INTEGER,
    text_hash BLOB NOT NULL,
    text_format TEXT NOT NULL,
    added TEXT NOT NULL
) STRICT;
CREATE INDEX papers_by_title ON papers (title_key);

-- Every id that a paper was ever known by.
CREATE TABLE ids (
    id TEXT PRIMARY KEY,
    row INTEGER NOT NULL REFERENCES papers ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX ids_by_row ON ids (row);

-- Who told of a paper, and the fingerprint of each thing that it said.
CREATE TABLE sources (
    row INTEGER NOT NULL REFERENCES papers ON DELETE CASCADE,
    format TEXT NOT NULL,
    origin TEXT NOT NULL,
    day TEXT,
    said BLOB NOT NULL,
    PRIMARY KEY (row, format, origin, said)
) STRICT, WITHOUT ROWID;

-- The vector of a paper's text, as little-endian f16.
CREATE TABLE vectors (
    row INTEGER PRIMARY KEY REFERENCES papers ON DELETE CASCADE,
    space INTEGER NOT NULL REFERENCES spaces,
    text_hash BLOB NOT NULL,
    vector BLOB NOT NULL
) STRICT;
-- Those of a reindex that is not yet complete.
CREATE TABLE next_vectors (
    row INTEGER PRIMARY KEY REFERENCES papers ON DELETE CASCADE,
    space INTEGER NOT NULL REFERENCES spaces,
    text_hash BLOB NOT NULL,
    vector BLOB NOT NULL
) STRICT;

-- The text index; the triggers keep it in the transaction of the paper.
CREATE VIRTUAL TABLE papers_text USING fts5 (
    title, abstract, content = 'papers', content_rowid = 'row', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER papers_inserted AFTER INSERT ON papers BEGIN
    INSERT INTO papers_text (rowid, title, abstract) VALUES (new.row, new.title, new.abstract);
END;
CREATE TRIGGER papers_deleted AFTER DELETE ON papers BEGIN
    INSERT INTO papers_text (papers_text, rowid, title, abstract) VALUES ('delete', old.row, old.title, old.abstract);
END;
CREATE TRIGGER papers_updated AFTER UPDATE OF title, abstract ON papers BEGIN
    INSERT INTO papers_text (papers_text, rowid, title, abstract) VALUES ('delete', old.row, old.title, old.abstract);
    INSERT INTO papers_text (rowid, title, abstract) VALUES (new.row, new.title, new.abstract);
END;

INSERT INTO meta VALUES ('generation', 0);
";

/// Since format 2.
const CHANGES: &str = "
-- Papers whose vector is new, or another one, or gone since the index was kept whose state is in meta as 'index'.
CREATE TABLE changed (row INTEGER PRIMARY KEY) STRICT;
CREATE TRIGGER vectors_inserted AFTER INSERT ON vectors BEGIN
    INSERT OR IGNORE INTO changed VALUES (new.row);
END;
CREATE TRIGGER vectors_deleted AFTER DELETE ON vectors BEGIN
    INSERT OR IGNORE INTO changed VALUES (old.row);
END;
CREATE TRIGGER vectors_updated AFTER UPDATE ON vectors BEGIN
    INSERT OR IGNORE INTO changed VALUES (old.row), (new.row);
END;
";

/// Since format 3.
const PEOPLE: &str = "
CREATE TABLE ratings (
    profile TEXT NOT NULL,
    row INTEGER NOT NULL REFERENCES papers ON DELETE CASCADE,
    rating REAL NOT NULL,
    rated TEXT NOT NULL,
    PRIMARY KEY (profile, row)
) STRICT, WITHOUT ROWID;
CREATE INDEX ratings_by_row ON ratings (row);
CREATE TABLE seen (
    profile TEXT NOT NULL,
    row INTEGER NOT NULL REFERENCES papers ON DELETE CASCADE,
    seen TEXT NOT NULL,
    PRIMARY KEY (profile, row)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_row ON seen (row);
-- All that filters look at: they need not read past the abstracts.
CREATE INDEX papers_facts ON papers (published, upvotes, day, categories, authors);
";

/// Since format 4.
const TOPICS: &str = "
-- AUTOINCREMENT: the number of a topic that went is never given again.
CREATE TABLE topics (topic INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL) STRICT;
CREATE TABLE topic_days (
    day TEXT NOT NULL,
    topic INTEGER NOT NULL REFERENCES topics ON DELETE CASCADE,
    keywords TEXT NOT NULL,
    typical INTEGER REFERENCES papers ON DELETE SET NULL,
    PRIMARY KEY (day, topic)
) STRICT, WITHOUT ROWID;
CREATE INDEX topic_days_by_topic ON topic_days (topic, day);
CREATE INDEX topic_days_by_typical ON topic_days (typical);
CREATE TABLE topic_papers (
    topic INTEGER NOT NULL,
    day TEXT NOT NULL,
    row INTEGER NOT NULL REFERENCES papers ON DELETE CASCADE,
    score REAL NOT NULL,
    PRIMARY KEY (topic, day, row),
    FOREIGN KEY (day, topic) REFERENCES topic_days ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX topic_papers_by_row ON topic_papers (row);
";

/// Since format 5.
const SOURCES: &str = "
ALTER TABLE papers ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
-- Which source each thing that is known of the paper is from, as JSON; see library::provenance.
ALTER TABLE papers ADD COLUMN provenance TEXT NOT NULL DEFAULT '{}';
-- Up to where each live source was read.
CREATE TABLE cursors (source TEXT PRIMARY KEY, cursor TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// Since format 6.
const DIGESTS: &str = "
-- Seen in mail to an address of the profile, and not otherwise.
ALTER TABLE seen ADD COLUMN by_mail INTEGER NOT NULL DEFAULT 0;
-- Whoever gets digests one after the other, each of what those before did not hold; the first day, and the last one that was told.
CREATE TABLE readers (reader TEXT PRIMARY KEY, since TEXT NOT NULL, until TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- The papers that their digests held, of the last days that a digest may still look back at.
CREATE TABLE covered (
    reader TEXT NOT NULL,
    row INTEGER NOT NULL REFERENCES papers ON DELETE CASCADE,
    until TEXT NOT NULL,
    -- The message id, where it was mail.
    letter TEXT,
    PRIMARY KEY (reader, row)
) STRICT, WITHOUT ROWID;
CREATE INDEX covered_by_row ON covered (row);
-- AUTOINCREMENT: what a subscription that went had covered is not that of another.
CREATE TABLE subscriptions (
    subscription INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL,
    profile TEXT NOT NULL,
    wishes TEXT NOT NULL,
    UNIQUE (address, profile)
) STRICT;
-- Mail is written here before it is sent; the message is kept until it was.
CREATE TABLE letters (
    message_id TEXT PRIMARY KEY,
    subscription INTEGER NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    until TEXT NOT NULL,
    before TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    changed TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    shown TEXT NOT NULL,
    message BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX letters_by_subscription ON letters (subscription, until);
-- Nightly jobs: what each step of a run did, as JSON, so that a run that was cut off is gone on with.
CREATE TABLE runs (run INTEGER PRIMARY KEY, job TEXT NOT NULL, plan TEXT NOT NULL, begun TEXT NOT NULL, ended TEXT, steps TEXT NOT NULL) STRICT;
";

/// Opens the database of a library that exists, and checks that it is one. `directory` is for messages.
pub(super) fn open(file: &Path, directory: &Path, write: bool) -> Result<Connection> {
    match std::fs::File::open(file) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(Error::NoLibrary { path: directory.to_path_buf() }),
        Err(e) => return Err(Error::io("cannot open the library", file, e)),
    }
    let connection = if write { Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)? } else { open_to_read(file)? };
    check(&connection, directory)?;
    set_up(&connection)?;
    if write {
        bring_up_to_date(&connection)?;
    }
    Ok(connection)
}

/// Opens the database, and makes it where there is none. The caller holds the lock.
pub(super) fn create_or_open(file: &Path, directory: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(file, flags)?;
    let is_new = pragma(&connection, "application_id").map_err(|e| not_a_library(directory, &e))? == 0 && is_empty(&connection)?;
    set_up(&connection)?;
    if is_new {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        create(&connection)?;
    }
    check(&connection, directory)?;
    bring_up_to_date(&connection)?;
    Ok(connection)
}

/// A library that lives as long as the process.
pub(super) fn in_memory() -> Result<Connection> {
    let connection = Connection::open_in_memory()?;
    set_up(&connection)?;
    create(&connection)?;
    Ok(connection)
}

/// One transaction: a library is made whole, or not at all.
fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;{TABLES}{CHANGES}{PEOPLE}{TOPICS}{SOURCES}{DIGESTS} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
    ))?;
    Ok(())
}

/// From an older format to this one, in one transaction.
fn bring_up_to_date(connection: &Connection) -> Result<()> {
    let found = pragma(connection, "user_version")?;
    let changes = [(2, CHANGES), (3, PEOPLE), (4, TOPICS), (5, SOURCES), (6, DIGESTS)];
    let missing: String = changes.into_iter().filter(|(since, _)| found < *since).map(|(_, sql)| sql).collect();
    if found < FORMAT {
        connection.execute_batch(&format!("BEGIN IMMEDIATE;{missing} PRAGMA user_version = {FORMAT}; COMMIT;"))?;
    }
    Ok(())
}

/// The format of an open library.
pub(super) fn format(connection: &Connection) -> Result<i64> {
    Ok(pragma(connection, "user_version")?)
}

fn set_up(connection: &Connection) -> Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // After a commit returns, a power cut cannot take it back.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Text of others must not be able to call functions through the schema.
    connection.pragma_update(None, "trusted_schema", false)?;
    // 32 MB of pages: a question reads some hundred papers that stand apart.
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(super::filter::add_functions(connection)?)
}

/// Readers of a library on a medium that cannot be written must not ask SQLite for its shared memory file.
fn open_to_read(file: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(PATIENCE)?;
    let readable = pragma(&connection, "schema_version");
    let log = file.with_extension("db-wal");
    // What is still in the log would not be seen: then the plain error is better than an old answer.
    if readable.is_ok() || std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) || !cannot_write(&readable) {
        return Ok(connection);
    }
    let uri = format!("file:{}?immutable=1", file.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23"));
    Ok(Connection::open_with_flags(uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?)
}

fn cannot_write(result: &rusqlite::Result<i64>) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
    result.as_ref().is_err_and(|e| matches!(e.sqlite_error_code(), Some(CannotOpen | ReadOnly)))
}

fn check(connection: &Connection, directory: &Path) -> Result<()> {
    let application = pragma(connection, "application_id").map_err(|e| not_a_library(directory, &e))?;
    if application == 0 && is_empty(connection)? {
        // A process was killed while it made the library: there is nothing in it yet.
        return Err(Error::NoLibrary { path: directory.to_path_buf() });
    }
    if application != APPLICATION {
        return Err(Error::NotALibrary { path: directory.to_path_buf(), what: "its library.db is a database of another program".to_owned() });
    }
    let found = pragma(connection, "user_version")?;
    if !(OLDEST..=FORMAT).contains(&found) {
        return Err(Error::LibraryFormat { path: directory.to_path_buf(), found, expected: FORMAT });
    }
    Ok(())
}

fn not_a_library(directory: &Path, error: &rusqlite::Error) -> Error {
    Error::NotALibrary { path: directory.to_path_buf(), what: format!("its library.db cannot be read: {error}") }
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn is_empty(connection: &Connection) -> Result<bool> {
    Ok(connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0)
}

//! The store: papers, their vectors, their text index and where they come from, in one SQLite database.
//!
//! A library is a directory with `library.db` (SQLite in WAL mode, synced at every commit), `library.lock`, which the
//! one process that writes holds, and `index/`, which can be deleted. A transaction makes a paper, its vector, its text
//! index and its provenance visible together, so that a process may be killed at any moment. Vectors are stored as f16,
//! each with the [`Space`] that made it; a library holds vectors of one space, and refuses others.
//!
//! Only this room names these files, and only here is SQL.
//!
//! | file | what it does |
//! |---|---|
//! | `schema` | the tables; opening and refusing |
//! | `identity` | which stored paper a record is |
//! | `merge` | what a paper becomes when a record tells more of it |
//! | `write` | planning, committing and removing |
//! | `vectors` | spaces, vectors, `reindex` |
//! | `index` | the index beside the database |
//! | `read`, `find`, `text` | papers by row, by id, by title; texts of many |
//! | `filter` | which papers a list or an answer may hold |
//! | `profile` | ratings, and what was seen |
//! | `provenance`, `cursor` | who told what of a paper; up to where live sources were read |
//! | `kept` | topics of days |
//! | `readers`, `subscriptions` | what digests held so far, who gets them, and mail that is to be sent |
//! | `runs` | what the steps of jobs did |
//! | `verify` | the structure checks itself |

mod cursor;
mod filter;
mod find;
mod identity;
mod index;
mod kept;
mod merge;
mod profile;
mod provenance;
mod read;
mod readers;
mod runs;
mod schema;
mod subscriptions;
mod text;
mod vectors;
mod verify;
mod write;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde::Serialize;

use crate::error::{Error, Result};
#[allow(unused_imports)] // for the documentation
use crate::vector::Space;

pub use filter::{Days, Filter, Keyword, Place, Unseen, is_name};
pub(crate) use identity::Tie;
pub(crate) use index::Moment;
pub use index::{GRAPH_FROM, IndexStatus, Indexed, Recall};
pub use kept::KeptTopic;
pub use profile::{PROFILE, Rating};
pub use read::{Listing, Status};
pub use readers::{Covered, Uncovered};
pub use runs::Run;
pub use subscriptions::{Letter, LetterState, Subscription};
pub use text::Brief;
pub use vectors::{Pending, StoredVectors};
pub use verify::Verification;
pub(crate) use write::by_hash;
pub use write::{Outcome, Plan, Record};

/// The number of a paper in its library. It is never given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PaperRow(pub i64);

/// An open library.
pub struct Library {
    connection: Connection,
    /// Of its tables; an older one is read as it is, and brought up to date by who may write.
    format: i64,
    directory: Option<PathBuf>,
    /// Held for as long as this may write.
    _lock: Option<File>,
}

const DATABASE: &str = "library.db";
const LOCK: &str = "library.lock";

impl Library {
    /// Opens a library to read; others may write meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::NoLibrary`], [`Error::NotALibrary`] or [`Error::LibraryFormat`].
    pub fn open(directory: &Path) -> Result<Self> {
        let connection = schema::open(&directory.join(DATABASE), directory, false)?;
        Self::of(connection, Some(directory), None)
    }

    /// Opens a library that exists, to write.
    ///
    /// # Errors
    ///
    /// As [`Library::open`], and [`Error::Locked`] if another process writes.
    pub fn open_to_write(directory: &Path) -> Result<Self> {
        if !directory.join(DATABASE).exists() {
            return Err(Error::NoLibrary { path: directory.to_path_buf() });
        }
        let lock = lock(directory)?;
        let connection = schema::open(&directory.join(DATABASE), directory, true)?;
        Self::of(connection, Some(directory), Some(lock))
    }

    /// Opens a library to write, and makes it, with its directory, where there is none.
    ///
    /// # Errors
    ///
    /// As [`Library::open_to_write`], and [`Error::Io`] if the directory cannot be made.
    pub fn create_or_open(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory).map_err(|e| Error::io("cannot make the library", directory, e))?;
        let lock = lock(directory)?;
        let connection = schema::create_or_open(&directory.join(DATABASE), directory)?;
        Self::of(connection, Some(directory), Some(lock))
    }

    /// A library that is never written to a disk.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn in_memory() -> Result<Self> {
        Self::of(schema::in_memory()?, None, None)
    }

    fn of(connection: Connection, directory: Option<&Path>, lock: Option<File>) -> Result<Self> {
        let format = schema::format(&connection)?;
        Ok(Self { connection, format, directory: directory.map(Path::to_path_buf), _lock: lock })
    }

    /// Where it is; `None` in memory.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }
}

/// Takes the lock of a library. The system gives it back when the process ends, however it ends.
fn lock(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK);
    let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = opened.map_err(|e| Error::io("cannot open", &path, e))?;
    match file.try_lock() {
        Ok(()) => {
            let pid = format!("{}\n", std::process::id());
            file.set_len(0).and_then(|()| file.write_all(pid.as_bytes())).map_err(|e| Error::io("cannot write", &path, e))?;
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&path).ok().map(|pid| pid.trim().to_owned()).filter(|pid| !pid.is_empty());
            Err(Error::Locked { path: directory.to_path_buf(), holder })
        }
        Err(std::fs::TryLockError::Error(e)) => Err(Error::io("cannot lock", &path, e)),
    }
}

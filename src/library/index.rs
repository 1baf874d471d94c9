//! The index beside the database: made of it, and never believed.
//!
//! `index/papers.index` names the state of the library that it was built from. One that is not there, or of another
//! state, or damaged is passed over: then the index is made in memory of the vectors in the database, which takes
//! longer and answers the same. It is written aside, synced and renamed, so that readers see the old one or the new one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};

use super::{Library, PaperRow};
use crate::error::{Error, Result};
use crate::index::{Index, Source};

const FOLDER: &str = "index";
const FILE: &str = "papers.index";
/// What a write that was cut short leaves; the next one takes its place.
const ASIDE: &str = "papers.index.new";

/// An index of the library as it is, and where it comes from.
pub struct Indexed {
    /// Its labels are the numbers of papers.
    pub index: Index,
    /// What was wrong with the one that was kept, if something was.
    pub damage: Option<String>,
    /// True if it is the one that was kept.
    pub is_kept: bool,
}

impl Library {
    /// The index of all vectors: the one that was kept, or else one in memory.
    ///
    /// # Errors
    ///
    /// As [`Library::vectors`].
    pub fn index(&self) -> Result<Indexed> {
        let state = self.state()?;
        let damage = match self.kept_index() {
            Ok(Some(index)) if index.state() == state => return Ok(Indexed { index, damage: None, is_kept: true }),
            Ok(_) => None,
            Err(Error::IndexDamaged { what }) => Some(what),
            Err(e) => return Err(e),
        };
        Ok(Indexed { index: self.build_index()?, damage, is_kept: false })
    }

    /// An index of all vectors, in memory.
    ///
    /// # Errors
    ///
    /// As [`Library::vectors`].
    pub fn build_index(&self) -> Result<Index> {
        let state = self.state()?;
        let stored = self.vectors()?;
        let labels: Vec<i64> = stored.papers.iter().map(|PaperRow(row)| *row).collect();
        Index::build(Source { vectors: &stored.vectors, labels: &labels, state }, None)
    }

    /// A number for the vectors as they are. The generation alone will not do: a database that took the place of another one,
    /// beside whose index it stands now, may have the same. So the first and the last vector count too.
    fn state(&self) -> Result<u64> {
        let mut hash = Sha256::new();
        hash.update(self.count("SELECT value FROM meta WHERE key = 'generation'")?.to_le_bytes());
        for end in ["min", "max"] {
            let sql = format!("SELECT row, text_hash, vector FROM vectors WHERE row = (SELECT {end}(row) FROM vectors)");
            let parts = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?));
            if let Some((row, text, vector)) = self.connection.query_row(&sql, [], parts).optional()? {
                hash.update(row.to_le_bytes());
                hash.update(text);
                hash.update(vector);
            }
        }
        let hash = hash.finalize();
        Ok(hash.iter().take(8).fold(0, |state, &byte| state << 8 | u64::from(byte)))
    }

    /// Makes the index anew, and keeps it, unless the one that is kept is that of the library as it is.
    ///
    /// # Errors
    ///
    /// As [`Library::renew_index`].
    pub fn keep_index(&mut self) -> Result<()> {
        match self.index()? {
            Indexed { is_kept: true, .. } => Ok(()),
            Indexed { index, .. } => self.write_index(&index),
        }
    }

    /// Makes the index anew, and keeps it.
    ///
    /// # Errors
    ///
    /// As [`Library::index`], and [`Error::Io`] if it cannot be written; the library is whole without it.
    pub fn renew_index(&mut self) -> Result<()> {
        self.write_index(&self.build_index()?)
    }

    fn write_index(&self, index: &Index) -> Result<()> {
        let Some(folder) = self.index_folder() else { return Ok(()) };
        let (aside, file) = (folder.join(ASIDE), folder.join(FILE));
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&folder)?;
            let mut to = BufWriter::new(File::create(&aside)?);
            index.write(&mut to)?;
            to.flush()?;
            to.get_ref().sync_all()?;
            std::fs::rename(&aside, &file)?;
            File::open(&folder)?.sync_all()
        };
        write().map_err(|e| Error::io("cannot write the index", &file, e))
    }

    /// Looks at every block of the index that is kept. `None` if there is none, or if it is whole.
    pub(super) fn index_damage(&self) -> Option<String> {
        let checked = self.kept_index().and_then(|kept| kept.map_or(Ok(()), |index| index.verify()));
        checked.err().map(|e| e.to_string())
    }

    fn index_folder(&self) -> Option<PathBuf> {
        self.directory().map(|directory| directory.join(FOLDER))
    }

    /// As it was written, of whatever state; `None` if there is none.
    fn kept_index(&self) -> Result<Option<Index>> {
        let Some(path) = self.index_folder().map(|folder| folder.join(FILE)) else { return Ok(None) };
        match File::open(&path) {
            Ok(file) => Index::open(&file).map(Some),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::IndexDamaged { what: format!("it cannot be opened: {e}") }),
        }
    }
}

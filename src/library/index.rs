//! The index beside the database: made of it, and never believed.
//!
//! `index/papers.index` names the generation of the library that it was built from. One that is not there, or of another
//! generation, or damaged is passed over: then the index is made in memory of the vectors in the database, which takes
//! longer and answers the same. It is written aside, synced and renamed, so that readers see the old one or the new one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

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
        let generation = self.count("SELECT value FROM meta WHERE key = 'generation'")?;
        let damage = match self.kept_index() {
            Ok(Some(index)) if index.generation() == generation => return Ok(Indexed { index, damage: None, is_kept: true }),
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
        let generation = self.count("SELECT value FROM meta WHERE key = 'generation'")?;
        let stored = self.vectors()?;
        let labels: Vec<i64> = stored.papers.iter().map(|PaperRow(row)| *row).collect();
        Index::build(Source { vectors: &stored.vectors, labels: &labels, generation }, None)
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

    /// As it was written, of whatever generation; `None` if there is none.
    fn kept_index(&self) -> Result<Option<Index>> {
        let Some(path) = self.index_folder().map(|folder| folder.join(FILE)) else { return Ok(None) };
        match File::open(&path) {
            Ok(file) => Index::open(&file).map(Some),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::IndexDamaged { what: format!("it cannot be opened: {e}") }),
        }
    }
}

//! The index beside the database: made of it, and never believed.
//!
//! `index/papers.index` has a number of its own, which the database notes when it is kept; from then on the database also
//! notes which vectors change. So an index of long ago still answers: what changed is laid over it. One that is not there,
//! or of another number, or damaged is passed over: then an index is made in memory of the vectors in the database, which
//! takes longer and answers the same. It is written aside, synced and renamed, so that readers see the old one or the new.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use rusqlite::{OptionalExtension, Transaction};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::vectors::StoredVectors;
use super::{Library, PaperRow};
use crate::error::{Error, Result};
use crate::index::{Build, Index, Neighbour, RowSet, Search, Source};
use crate::vector::RowId;

const FOLDER: &str = "index";
const FILE: &str = "papers.index";
/// What a write that was cut short leaves; the next one takes its place.
const ASIDE: &str = "papers.index.new";

/// From so many vectors on an index that is kept has a graph. Comparing as many takes a thread about 0.8 ms, which nobody
/// notices beside the start of the process, and misses nothing; a graph answers in 0.2 ms, and takes a quarter of a minute to
/// build. (A walk is the shorter one from some 10,000 rows on; `benches/index.rs` measures it.)
pub const GRAPH_FROM: usize = 50_000;

/// While it lives, a library is read as it was when it began.
pub(crate) type Moment<'a> = Transaction<'a>;

/// An index of the library as it is, and where it comes from.
pub struct Indexed {
    /// Its labels are the numbers of papers.
    pub index: Index,
    /// What was wrong with the one that was kept, if something was.
    pub damage: Option<String>,
    /// True if it is the one that was kept, perhaps with changes laid over it.
    pub is_kept: bool,
}

/// What is kept beside the database.
#[derive(Debug, Clone, Default, Serialize)]
pub struct IndexStatus {
    /// False if each question makes an index for itself.
    pub is_kept: bool,
    /// True if questions walk a graph, unless a filter leaves few papers; else they compare all.
    pub has_graph: bool,
    /// Papers that came, changed or went since; those that are there are compared one by one.
    pub changed: u64,
    /// Its size.
    pub bytes: u64,
}

/// What [`Library::recall`] found.
#[derive(Debug, Clone, Serialize)]
pub struct Recall {
    /// Papers whose nearest were looked for.
    pub questions: u64,
    /// Of the nearest papers, those that were found.
    pub found: u64,
    /// The nearest papers.
    pub of: u64,
}

impl Recall {
    /// recall@10: the share that was found; 1 where there was nothing to find.
    pub fn share(&self) -> f64 {
        if self.of == 0 { 1.0 } else { self.found as f64 / self.of as f64 }
    }
}

impl Library {
    /// The index of all vectors: the one that was kept, with what changed since, or else one in memory.
    ///
    /// # Errors
    ///
    /// As [`Library::vectors`].
    pub fn index(&self) -> Result<Indexed> {
        let _moment = self.moment()?;
        let damage = match self.kept_index().and_then(|kept| kept.map(|index| self.lay_over(index)).transpose()) {
            Ok(Some(index)) => return Ok(Indexed { index, damage: None, is_kept: true }),
            Ok(None) => None,
            Err(Error::IndexDamaged { what }) => Some(what),
            Err(e) => return Err(e),
        };
        Ok(Indexed { index: self.build_index()?, damage, is_kept: false })
    }

    /// As long as the answer lives, all that is read is of one moment, whatever others write.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub(crate) fn moment(&self) -> Result<Option<Moment<'_>>> {
        Ok(if self.connection.is_autocommit() { Some(self.connection.unchecked_transaction()?) } else { None })
    }

    /// An index of all vectors, in memory, without a graph.
    ///
    /// # Errors
    ///
    /// As [`Library::vectors`].
    pub fn build_index(&self) -> Result<Index> {
        let _moment = self.moment()?;
        let stored = self.vectors()?;
        Index::build(Source { vectors: &stored.vectors, labels: &labels(&stored), state: 0 }, None)
    }

    /// The `k` nearest papers of each paper that has a vector, in the order in which the papers came.
    ///
    /// # Errors
    ///
    /// As [`Library::index`].
    pub fn neighbours(&self, k: usize) -> Result<Vec<(PaperRow, Vec<(PaperRow, f32)>)>> {
        let _moment = self.moment()?;
        let kept = self.index()?.index;
        if kept.is_compact() {
            match named(&kept, k) {
                Err(Error::IndexDamaged { .. }) => {}
                found => return found,
            }
        }
        named(&self.build_index()?, k)
    }

    /// A number for these vectors, as they followed those of the number `before`. No other library has it.
    fn state(&self, before: u64, changed: &[i64], stored: &StoredVectors) -> Result<u64> {
        let mut hash = Sha256::new();
        hash.update(before.to_le_bytes());
        hash.update(self.count("SELECT value FROM meta WHERE key = 'generation'")?.to_le_bytes());
        changed.iter().for_each(|row| hash.update(row.to_le_bytes()));
        for (PaperRow(row), vector) in stored.papers.iter().zip(stored.vectors.rows()) {
            hash.update(row.to_le_bytes());
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            hash.update(&bytes);
        }
        let hash = hash.finalize();
        Ok(hash.iter().take(8).fold(0, |state, &byte| state << 8 | u64::from(byte)))
    }

    /// Which papers changed since the index was kept, and the vectors that they have now.
    fn changes(&self) -> Result<(Vec<i64>, StoredVectors)> {
        let mut query = self.connection.prepare("SELECT row FROM changed ORDER BY row")?;
        let changed = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        let now = self.read_vectors("SELECT row, vector FROM vectors WHERE row IN (SELECT row FROM changed) ORDER BY row", changed.len())?;
        Ok((changed, now))
    }

    /// The kept index with what changed since.
    fn lay_over(&self, index: Index) -> Result<Index> {
        let dim = self.space()?.map_or(index.dim(), |space| space.dim);
        if index.dim() != dim {
            return Err(Error::IndexDamaged { what: format!("its vectors have {} numbers, those of the library {dim}", index.dim()) });
        }
        let (changed, tail) = self.changes()?;
        index.with_changes(&changed, Source { vectors: &tail.vectors, labels: &labels(&tail), state: 0 })
    }

    /// Takes what changed into the index that is kept, or makes it anew where there is none, or too much changed for that.
    ///
    /// # Errors
    ///
    /// As [`Library::renew_index`].
    pub fn keep_index(&mut self) -> Result<()> {
        let Indexed { index, is_kept, .. } = self.index()?;
        if is_kept {
            let (changed, now) = self.changes()?;
            if changed.is_empty() {
                return Ok(());
            }
            if index.has_graph() && !index.is_worn() {
                match index.merged(self.state(index.state(), &changed, &now)?) {
                    Err(Error::IndexDamaged { .. }) => {}
                    merged => return self.write_index(&merged?),
                }
            }
        }
        self.renew_index()
    }

    /// Makes the index anew, with a graph from [`GRAPH_FROM`] vectors on, and keeps it.
    ///
    /// # Errors
    ///
    /// As [`Library::index`], and [`Error::Io`] if it cannot be written; the library is whole without it.
    pub fn renew_index(&mut self) -> Result<()> {
        let is_large = self.count("SELECT count(*) FROM vectors")? >= GRAPH_FROM as u64;
        self.renew_index_with(is_large.then(Build::default))
    }

    /// Makes the index anew, with such a graph or without, and keeps it.
    ///
    /// # Errors
    ///
    /// As [`Library::renew_index`].
    pub fn renew_index_with(&mut self, graph: Option<Build>) -> Result<()> {
        let stored = self.vectors()?;
        let state = self.state(0, &[], &stored)?;
        let index = Index::build(Source { vectors: &stored.vectors, labels: &labels(&stored), state }, graph)?;
        drop(stored);
        self.write_index(&index)
    }

    /// The database notes the index last: one that it does not know is passed over.
    fn write_index(&mut self, index: &Index) -> Result<()> {
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
        write().map_err(|e| {
            // A part of it would only take room. That it cannot be removed changes nothing.
            let _ = std::fs::remove_file(&aside);
            Error::io("cannot write the index", &file, e)
        })?;
        self.in_transaction(|library| {
            library.connection.execute("INSERT OR REPLACE INTO meta VALUES ('index', ?1)", [index.state().cast_signed()])?;
            library.connection.execute("DELETE FROM changed", [])?;
            Ok(())
        })
    }

    /// How many of the ten nearest papers the index's graph finds, if it has one, that comparing all finds; of at most so many
    /// of the papers.
    ///
    /// # Errors
    ///
    /// As [`Library::index`], and [`Error::IndexDamaged`].
    pub fn recall(&self, questions: usize) -> Result<Recall> {
        const K: usize = 10;
        let _moment = self.moment()?;
        let index = self.index()?.index;
        let all = RowSet::all(index.len());
        let mut recall = Recall { questions: 0, found: 0, of: 0 };
        let step = index.len().div_ceil(questions.max(1)).max(1);
        for row in (0..index.len()).step_by(step).map(|row| RowId(row as u32)) {
            if index.row_of(index.label(row)?)? != Some(row) {
                // It stands for nothing any more.
                continue;
            }
            let (vector, mut others) = (index.vector(row)?, all.clone());
            others.remove(row);
            let exact = index.nearest(&vector, K, Search::Exact, &others)?;
            let found = index.nearest(&vector, K, Search::HNSW, &others)?;
            recall.questions += 1;
            recall.of += exact.len() as u64;
            recall.found += found.iter().filter(|near| exact.iter().any(|right| right.row == near.row)).count() as u64;
        }
        Ok(recall)
    }

    /// What is kept, without a look at its blocks.
    pub(super) fn index_status(&self) -> Result<IndexStatus> {
        let kept = match self.kept_index() {
            Err(Error::IndexDamaged { .. }) => None,
            kept => kept?,
        };
        let Some(index) = kept else { return Ok(IndexStatus::default()) };
        let path = self.index_folder().map(|folder| folder.join(FILE));
        Ok(IndexStatus {
            is_kept: true,
            has_graph: index.has_graph(),
            changed: self.count("SELECT count(*) FROM changed")?,
            bytes: path.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |file| file.len()),
        })
    }

    /// Looks at every block of the index that is kept, and for every vector of the library in it. `None` if there is no index,
    /// or nothing wrong with it.
    pub(super) fn index_damage(&self) -> Option<String> {
        let told = |e: Error| e.hint().map_or_else(|| e.to_string(), |hint| format!("{e} ({hint})"));
        self.check_index().err().map(told)
    }

    fn check_index(&self) -> Result<()> {
        let _moment = self.moment()?;
        let Some(index) = self.kept_index()? else { return Ok(()) };
        index.verify()?;
        let (index, stored) = (self.lay_over(index)?, self.vectors()?);
        if index.live() != stored.papers.len() {
            return Err(Error::IndexDamaged { what: format!("it has {} papers, the library {} vectors", index.live(), stored.papers.len()) });
        }
        for (PaperRow(label), vector) in stored.papers.iter().zip(stored.vectors.rows()) {
            let indexed = index.row_of(*label)?.map(|row| index.vector(row)).transpose()?;
            if indexed.as_deref() != Some(vector) {
                let id = self.paper(PaperRow(*label))?.id().to_string();
                return Err(Error::IndexDamaged { what: format!("paper {id} has another vector in it, or none") });
            }
        }
        Ok(())
    }

    fn index_folder(&self) -> Option<PathBuf> {
        self.directory().map(|directory| directory.join(FOLDER))
    }

    /// The index that the database knows; `None` if there is none.
    fn kept_index(&self) -> Result<Option<Index>> {
        let known: Option<i64> = self.connection.query_row("SELECT value FROM meta WHERE key = 'index'", [], |row| row.get(0)).optional()?;
        let (Some(known), Some(folder)) = (known, self.index_folder()) else { return Ok(None) };
        match File::open(folder.join(FILE)) {
            Ok(file) => match Index::open(&file)? {
                index if index.state() == known.cast_unsigned() => Ok(Some(index)),
                _ => Err(Error::IndexDamaged { what: "it is not the one that the library knows".to_owned() }),
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::IndexDamaged { what: format!("it cannot be opened: {e}") }),
        }
    }
}

fn labels(stored: &StoredVectors) -> Vec<i64> {
    stored.papers.iter().map(|PaperRow(row)| *row).collect()
}

fn named(index: &Index, k: usize) -> Result<Vec<(PaperRow, Vec<(PaperRow, f32)>)>> {
    let paper = |row| index.label(row).map(PaperRow);
    let list = |(row, near): (usize, Vec<Neighbour>)| {
        let near = near.into_iter().map(|near| Ok((paper(near.row)?, near.cosine))).collect::<Result<Vec<_>>>()?;
        Ok((paper(RowId(row as u32))?, near))
    };
    let mut lists = index.neighbours(k)?.into_iter().enumerate().map(list).collect::<Result<Vec<_>>>()?;
    // Papers that an index took in later stand at its end.
    lists.sort_unstable_by_key(|(paper, _)| *paper);
    Ok(lists)
}

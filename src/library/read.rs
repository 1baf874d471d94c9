//! Papers by row, lists of them, and what a library holds in all.

use rusqlite::{Row, params_from_iter};
use serde::Serialize;

use super::index::IndexStatus;
use super::merge::Stored;
use super::provenance::Provenance;
use super::{DATABASE, Filter, Library, PaperRow};
use crate::error::{Error, Result};
use crate::paper::{Date, Paper, parse_date};
use crate::vector::Space;

/// A paper in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Its row.
    pub row: PaperRow,
    /// The paper.
    pub paper: Paper,
}

/// What a library holds.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct Status {
    pub library: Option<std::path::PathBuf>,
    pub papers: u64,
    pub vectors: u64,
    /// Papers without an abstract.
    pub without_abstract: u64,
    /// New vectors of a `reindex` that is not complete.
    pub next_vectors: u64,
    /// How many records each format told.
    pub sources: Vec<(String, u64)>,
    pub first_published: Option<Date>,
    pub last_published: Option<Date>,
    pub bytes: u64,
    pub generation: u64,
    pub space: Option<Space>,
    /// How its vectors were computed, one after the other.
    pub precisions: Vec<String>,
    pub index: IndexStatus,
}

const COLUMNS: &str = "p.row, p.title, p.abstract, p.authors, p.authors_count, p.categories, p.published, p.updated, p.day, p.upvotes, \
    p.comments, p.url, p.version, p.text_format";
/// Since format 5.
const LATER_COLUMNS: &str = "p.withdrawn, p.provenance";

impl Library {
    /// One paper.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn paper(&self, row: PaperRow) -> Result<Paper> {
        Ok(self.stored(row)?.paper)
    }

    /// The columns of a paper; of a library of an older format, what stands for those that it lacks.
    fn columns(&self) -> String {
        format!("{COLUMNS}, {}", if self.format >= 5 { LATER_COLUMNS } else { "0, '{}'" })
    }

    pub(super) fn stored(&self, row: PaperRow) -> Result<Stored> {
        let mut query = self.connection.prepare_cached(&format!("SELECT {} FROM papers p WHERE p.row = ?1", self.columns()))?;
        let mut stored = query.query_row([row.0], read_stored)?;
        stored.paper.ids = self.ids_of(row)?;
        Ok(stored)
    }

    /// Calls `each` for every paper that the filter lets through, in the order in which they came.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], and what `each` fails with.
    pub fn for_each(&self, filter: &Filter, mut each: impl FnMut(Listing) -> Result<()>) -> Result<()> {
        let (condition, values) = self.where_clause(filter)?;
        let limit = filter.limit.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
        let mut query =
            self.connection.prepare(&format!("SELECT {} FROM papers p WHERE {condition} ORDER BY p.row LIMIT {limit}", self.columns()))?;
        let mut rows = query.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let number = PaperRow(row.get(0)?);
            let mut paper = read_stored(row)?.paper;
            paper.ids = self.ids_of(number)?;
            each(Listing { row: number, paper })?;
        }
        Ok(())
    }

    /// [`Library::for_each`] as a list.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn list(&self, filter: &Filter) -> Result<Vec<Listing>> {
        let mut listed = Vec::new();
        self.for_each(filter, |listing| {
            listed.push(listing);
            Ok(())
        })?;
        Ok(listed)
    }

    /// Who told of a paper: format and origin.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn sources(&self, row: PaperRow) -> Result<Vec<(String, String)>> {
        let mut query = self.connection.prepare_cached("SELECT format, origin FROM sources WHERE row = ?1 ORDER BY format, origin")?;
        let rows = query.query_map([row.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The number of papers.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn len(&self) -> Result<u64> {
        self.count("SELECT count(*) FROM papers")
    }

    /// True without papers.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// What the library holds.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn status(&self) -> Result<Status> {
        let mut query = self.connection.prepare("SELECT format, count(*) FROM sources GROUP BY format ORDER BY format")?;
        let sources = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?.collect::<rusqlite::Result<_>>()?;
        let day = |sql: &str| -> Result<Option<Date>> {
            let text: Option<String> = self.connection.query_row(sql, [], |row| row.get(0))?;
            Ok(text.as_deref().and_then(parse_date))
        };
        let size = |name: &str| self.directory().and_then(|d| std::fs::metadata(d.join(name)).ok()).map_or(0, |m| m.len());
        let mut stamps = self.connection.prepare("SELECT stamp FROM spaces WHERE space IN (SELECT space FROM vectors) ORDER BY space")?;
        let stamps = stamps.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut precisions: Vec<String> = stamps.iter().filter_map(|stamp| Some(serde_json::from_str::<Space>(stamp).ok()?.precision)).collect();
        precisions.dedup();
        Ok(Status {
            library: self.directory().map(std::path::Path::to_path_buf),
            papers: self.len()?,
            vectors: self.count("SELECT count(*) FROM vectors")?,
            without_abstract: self.count("SELECT count(*) FROM papers WHERE abstract = ''")?,
            next_vectors: self.count("SELECT count(*) FROM next_vectors")?,
            sources,
            first_published: day("SELECT min(published) FROM papers")?,
            last_published: day("SELECT max(published) FROM papers")?,
            bytes: size(DATABASE) + size("library.db-wal"),
            generation: self.count("SELECT value FROM meta WHERE key = 'generation'")?,
            space: self.space()?,
            precisions,
            index: self.index_status()?,
        })
    }

    pub(super) fn count(&self, sql: &str) -> Result<u64> {
        let n: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        u64::try_from(n).map_err(|_| Error::LibraryDamaged { what: format!("a count is negative: {sql}") })
    }
}

fn read_stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let list = |text: String| serde_json::from_str(&text).unwrap_or_default();
    let day = |text: Option<String>| text.as_deref().and_then(parse_date);
    let paper = Paper {
        ids: Vec::new(),
        title: row.get(1)?,
        abstract_text: row.get(2)?,
        authors: list(row.get(3)?),
        authors_count: row.get(4)?,
        categories: list(row.get(5)?),
        published: day(row.get(6)?),
        updated: day(row.get(7)?),
        day: day(row.get(8)?),
        upvotes: row.get(9)?,
        comments: row.get(10)?,
        url: row.get(11)?,
        version: row.get(12)?,
        withdrawn: row.get(14)?,
    };
    Ok(Stored { paper, text_format: row.get(13)?, provenance: Provenance::from_json(&row.get::<_, String>(15)?) })
}

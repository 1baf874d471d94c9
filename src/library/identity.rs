//! Which stored paper a record is.
//!
//! Two records are one paper if they share an id, or if their normalised titles agree and at least one of them has no id
//! but its title. Two arXiv ids are never one paper, nor are two DOIs unless they share an arXiv id: 58 titles of a
//! sample of 30,000 arXiv papers stand under two ids each. See [`super::merge::conflict`].

use rusqlite::OptionalExtension;

use super::merge::conflict;
use super::{Library, PaperRow};
use crate::error::Result;
use crate::paper::{Paper, PaperId, title_key};

/// What two records share if one of them may change what becomes of the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Tie {
    /// An id, or the title as the id that it gives.
    Name(String),
    /// A stored paper that each of them may be.
    Stored(PaperRow),
}

impl Library {
    /// All that ties this record to others. Committing a record reads and writes only papers that it has a tie to, and those
    /// that records tied to it have one to.
    pub(crate) fn ties(&self, record: &Paper) -> Result<Vec<Tie>> {
        let key = title_key(&record.title);
        let title = (!key.is_empty()).then(|| PaperId::of_title(&record.title));
        let mut ties = Vec::new();
        for id in record.ids.iter().chain(&title) {
            ties.push(Tie::Name(id.to_string()));
            ties.extend(self.row_of_id(id)?.map(Tie::Stored));
        }
        if title.is_some() {
            ties.extend(self.rows_of_title(&key)?.into_iter().map(Tie::Stored));
        }
        Ok(ties)
    }

    /// The rows that are this paper, the one to keep first. More than one where the record ties papers together
    /// that were apart until now.
    pub(super) fn identify(&self, record: &Paper) -> Result<Vec<PaperRow>> {
        let mut known = record.ids.clone();
        let mut rows = Vec::new();
        for row in self.candidates(record)? {
            let ids = self.ids_of(row)?;
            if !rows.contains(&row) && !conflict(&known, &ids) {
                known.extend(ids);
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn candidates(&self, record: &Paper) -> Result<Vec<PaperRow>> {
        let mut rows = Vec::new();
        for id in &record.ids {
            rows.extend(self.row_of_id(id)?);
        }
        let key = title_key(&record.title);
        if !key.is_empty() {
            let only_title = record.has_only_title();
            for row in self.rows_of_title(&key)? {
                if only_title || self.ids_of(row)?.iter().all(|id| matches!(id, PaperId::Title(_))) {
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }

    /// The papers whose titles have this normal form.
    pub(super) fn rows_of_title(&self, key: &str) -> Result<Vec<PaperRow>> {
        let mut query = self.connection.prepare_cached("SELECT row FROM papers WHERE title_key = ?1 ORDER BY row")?;
        let rows = query.query_map([key], |row| row.get(0).map(PaperRow))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The paper that has this id.
    pub(super) fn row_of_id(&self, id: &PaperId) -> Result<Option<PaperRow>> {
        let mut query = self.connection.prepare_cached("SELECT row FROM ids WHERE id = ?1")?;
        Ok(query.query_row([id.to_string()], |row| row.get(0).map(PaperRow)).optional()?)
    }

    /// Every id of a paper, the most telling kind first.
    pub(super) fn ids_of(&self, row: PaperRow) -> Result<Vec<PaperId>> {
        let mut query = self.connection.prepare_cached("SELECT id FROM ids WHERE row = ?1 ORDER BY id")?;
        let ids = query.query_map([row.0], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut ids: Vec<PaperId> = ids.iter().map(|id| PaperId::parse(id)).collect();
        ids.sort();
        Ok(ids)
    }
}

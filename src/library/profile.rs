//! What people think of papers, and which they have seen. A profile is a name; whoever uses one makes it.

use std::collections::HashSet;

use rusqlite::params;

use super::{Library, PaperRow};
use crate::error::Result;

/// The profile of who names none.
pub const PROFILE: &str = "default";

/// What somebody thinks of a paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Rating {
    /// The paper.
    pub paper: PaperRow,
    /// Above 0 if it is liked, below if not; 1 and -1 are what `like` and `dislike` give.
    pub rating: f32,
    /// When it was given.
    pub rated: String,
}

impl Library {
    /// False for a library of a format in which no profile is kept; whatever writes to it brings it up to date.
    pub(super) fn keeps_profiles(&self) -> Result<bool> {
        Ok(self.count("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('ratings', 'seen')")? == 2)
    }

    /// Rates papers, in one transaction; a rating takes the place of an older one of its paper.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`]; then nothing was written.
    pub fn rate(&mut self, profile: &str, ratings: &[Rating]) -> Result<()> {
        self.in_transaction(|library| {
            let mut insert =
                library.connection.prepare_cached("INSERT OR REPLACE INTO ratings (profile, row, rating, rated) VALUES (?1, ?2, ?3, ?4)")?;
            for Rating { paper, rating, rated } in ratings {
                insert.execute(params![profile, paper.0, f64::from(*rating), rated])?;
            }
            Ok(())
        })
    }

    /// Forgets ratings; how many there were.
    ///
    /// # Errors
    ///
    /// As [`Library::rate`].
    pub fn unrate(&mut self, profile: &str, papers: &[PaperRow]) -> Result<usize> {
        self.in_transaction(|library| {
            let mut delete = library.connection.prepare_cached("DELETE FROM ratings WHERE profile = ?1 AND row = ?2")?;
            papers.iter().map(|paper| Ok(delete.execute(params![profile, paper.0])?)).sum()
        })
    }

    /// A profile's ratings, in the order of the papers.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn ratings(&self, profile: &str) -> Result<Vec<Rating>> {
        if !self.keeps_profiles()? {
            return Ok(Vec::new());
        }
        let mut query = self.connection.prepare_cached("SELECT row, rating, rated FROM ratings WHERE profile = ?1 ORDER BY row")?;
        let rating = |row: &rusqlite::Row<'_>| Ok(Rating { paper: PaperRow(row.get(0)?), rating: row.get::<_, f64>(1)? as f32, rated: row.get(2)? });
        Ok(query.query_map([profile], rating)?.collect::<rusqlite::Result<_>>()?)
    }

    /// The names of the profiles that rate papers, and how many each likes and dislikes.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn profiles(&self) -> Result<Vec<(String, u64, u64)>> {
        if !self.keeps_profiles()? {
            return Ok(Vec::new());
        }
        let sql = "SELECT profile, sum(rating > 0), sum(rating <= 0) FROM ratings GROUP BY profile ORDER BY profile";
        let mut query = self.connection.prepare(sql)?;
        let profile = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64));
        Ok(query.query_map([], profile)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Notes that somebody saw papers. `when` is a time in UTC as `2026-08-11T07:00:00Z`, which sorts as text does.
    ///
    /// # Errors
    ///
    /// As [`Library::rate`].
    pub fn mark_seen(&mut self, profile: &str, papers: &[PaperRow], when: &str) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO seen (profile, row, seen) SELECT ?1, row, ?3 FROM papers WHERE row = ?2";
        self.in_transaction(|library| library.note_seen(sql, profile, papers, when))
    }

    /// The same for what mail showed.
    pub(super) fn note_mailed(&self, profile: &str, papers: &[PaperRow], when: &str) -> Result<()> {
        let sql = "INSERT INTO seen (profile, row, seen, by_mail) SELECT ?1, row, ?3, 1 FROM papers WHERE row = ?2
            ON CONFLICT (profile, row) DO UPDATE SET seen = excluded.seen";
        self.note_seen(sql, profile, papers, when)
    }

    /// The papers that a profile has seen in mail alone.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn seen_in_mail(&self, profile: &str) -> Result<HashSet<PaperRow>> {
        let mut query = self.connection.prepare_cached("SELECT row FROM seen WHERE profile = ?1 AND by_mail")?;
        Ok(query.query_map([profile], |row| row.get(0).map(PaperRow))?.collect::<rusqlite::Result<_>>()?)
    }

    fn note_seen(&self, sql: &str, profile: &str, papers: &[PaperRow], when: &str) -> Result<()> {
        // A paper may have gone since it was shown.
        let mut insert = self.connection.prepare_cached(sql)?;
        for paper in papers {
            insert.execute(params![profile, paper.0, when])?;
        }
        Ok(())
    }

    /// When somebody last saw each of some papers; `None` if never.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn seen(&self, profile: &str, papers: &[PaperRow]) -> Result<Vec<Option<String>>> {
        if !self.keeps_profiles()? {
            return Ok(vec![None; papers.len()]);
        }
        let mut query = self.connection.prepare_cached("SELECT seen FROM seen WHERE profile = ?1 AND row = ?2")?;
        let mut when = |paper: &PaperRow| Ok(query.query_map(params![profile, paper.0], |row| row.get(0))?.next().transpose()?);
        papers.iter().map(|paper| when(paper)).collect()
    }
}

//! Readers: whoever gets one digest after the other, each of what those before did not hold. A reader is a name.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};

use super::{Days, Library, PaperRow};
use crate::error::Result;
use crate::paper::{Date, days_before, parse_date};

/// Papers that come so many days late are told all the same; what was told is remembered for as long.
const LATE: i32 = 14;

/// What a reader's next digest may hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Uncovered {
    /// The days of its papers.
    pub days: Days,
    /// Papers of these days that digests before held.
    pub covered: HashSet<PaperRow>,
    /// Papers that count as not seen, as the profile has seen them in mail alone, perhaps to another of its addresses.
    pub seen_in_mail: HashSet<PaperRow>,
}

/// What a digest held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered<'a> {
    /// Who gets it.
    pub reader: &'a str,
    /// The first day of which the reader's first digest may tell.
    pub since: Date,
    /// The last day that it tells of.
    pub until: Date,
    /// All of its papers, shown or counted.
    pub papers: &'a [PaperRow],
}

impl Library {
    /// The last day that was told to a reader; nothing before the first digest.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn told_until(&self, reader: &str) -> Result<Option<Date>> {
        Ok(self.reader(reader)?.map(|(_, until)| until))
    }

    /// What is new for a reader up to a day: from two weeks before the last day that was told, as some papers come late, but never
    /// from before the reader's first digest, which begins on `first`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn uncovered(&self, reader: &str, first: Date, until: Date) -> Result<Uncovered> {
        // A clock that was wrong may have told of days to come.
        let since =
            self.reader(reader)?.filter(|(since, _)| *since <= until).map_or(first, |(since, told)| since.max(days_before(told.min(until), LATE)));
        let days = Days { since: Some(since.min(until)), until: Some(until) };
        if self.format < 6 {
            return Ok(Uncovered { days, ..Uncovered::default() });
        }
        let mut query = self.connection.prepare_cached("SELECT row FROM covered WHERE reader = ?1")?;
        let covered = query.query_map([reader], |row| row.get(0).map(PaperRow))?.collect::<rusqlite::Result<_>>()?;
        Ok(Uncovered { days, covered, ..Uncovered::default() })
    }

    /// Notes what a digest held, in one transaction.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`]; then nothing was written.
    pub fn cover(&mut self, digest: &Covered<'_>) -> Result<()> {
        self.in_transaction(|library| library.note_covered(digest, None))
    }

    pub(super) fn note_covered(&self, Covered { reader, since, until, papers }: &Covered<'_>, letter: Option<&str>) -> Result<()> {
        let connection = &self.connection;
        let sql = "INSERT INTO readers (reader, since, until) VALUES (?1, ?2, ?3) ON CONFLICT (reader)
            DO UPDATE SET until = excluded.until, since = min(since, excluded.since)";
        connection.prepare_cached(sql)?.execute(params![reader, since.to_string(), until.to_string()])?;
        // A paper may have gone since it was read.
        let sql = "INSERT OR IGNORE INTO covered (reader, row, until, letter) SELECT ?1, row, ?3, ?4 FROM papers WHERE row = ?2";
        let mut insert = connection.prepare_cached(sql)?;
        for paper in *papers {
            insert.execute(params![reader, paper.0, until.to_string(), letter])?;
        }
        // What no digest looks back at any more. Twice the days, as a paper of then may have been told at their end; and counted from the
        // papers, as a clock that is wrong for once must not make all forgotten.
        let sql = "SELECT coalesce(max(coalesce(p.day, p.published)), '') FROM covered c JOIN papers p ON p.row = c.row WHERE c.reader = ?1";
        let newest: String = connection.prepare_cached(sql)?.query_row([reader], |row| row.get(0))?;
        if let Some(newest) = parse_date(&newest) {
            let sql = "DELETE FROM covered WHERE reader = ?1 AND until < ?2";
            connection.prepare_cached(sql)?.execute(params![reader, days_before(newest.min(*until), 2 * LATE + 1).to_string()])?;
        }
        Ok(())
    }

    /// Forgets that a letter was told: its papers are new again. `before` is the last day that was told before it.
    pub(super) fn uncover(&self, reader: &str, letter: &str, before: Option<&str>) -> Result<()> {
        let connection = &self.connection;
        connection.prepare_cached("DELETE FROM covered WHERE reader = ?1 AND letter = ?2")?.execute([reader, letter])?;
        let sql = "UPDATE readers SET until = min(until, coalesce(?2, since)) WHERE reader = ?1";
        connection.prepare_cached(sql)?.execute(params![reader, before])?;
        Ok(())
    }

    fn reader(&self, reader: &str) -> Result<Option<(Date, Date)>> {
        if self.format < 6 {
            return Ok(None);
        }
        let mut query = self.connection.prepare_cached("SELECT since, until FROM readers WHERE reader = ?1")?;
        let days: Option<(String, String)> = query.query_row([reader], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(days.and_then(|(since, until)| Some((parse_date(&since)?, parse_date(&until)?))))
    }
}

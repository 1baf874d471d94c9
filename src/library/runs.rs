//! What the steps of jobs did: a run that was cut off is gone on with.

use rusqlite::{OptionalExtension, params};

use super::Library;
use crate::error::Result;

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// What it was to do; another plan is another run.
    pub plan: String,
    /// When it began, in UTC.
    pub begun: String,
    /// When it ended; nothing if it was cut off.
    pub ended: Option<String>,
    /// What its steps did so far, as JSON.
    pub steps: String,
}

/// Runs of each job that are remembered.
const REMEMBERED: i64 = 100;

impl Library {
    /// The last run of a job.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn last_run(&self, job: &str) -> Result<Option<Run>> {
        if self.format < 6 {
            return Ok(None);
        }
        let sql = "SELECT run, plan, begun, ended, steps FROM runs WHERE job = ?1 ORDER BY run DESC LIMIT 1";
        let run =
            |row: &rusqlite::Row<'_>| Ok(Run { id: row.get(0)?, plan: row.get(1)?, begun: row.get(2)?, ended: row.get(3)?, steps: row.get(4)? });
        Ok(self.connection.query_row(sql, [job], run).optional()?)
    }

    /// Notes that a run of a job begins; its number.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn begin_run(&mut self, job: &str, plan: &str, now: &str) -> Result<i64> {
        let sql = "INSERT INTO runs (job, plan, begun, steps) VALUES (?1, ?2, ?3, '[]')";
        self.connection.execute(sql, params![job, plan, now])?;
        let run = self.connection.last_insert_rowid();
        let sql = "DELETE FROM runs WHERE job = ?1 AND run NOT IN (SELECT run FROM runs WHERE job = ?1 ORDER BY run DESC LIMIT ?2)";
        self.connection.execute(sql, params![job, REMEMBERED])?;
        Ok(run)
    }

    /// Notes what the steps of a run did so far, and when it ended.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn note_run(&mut self, run: i64, steps: &str, ended: Option<&str>) -> Result<()> {
        self.connection.execute("UPDATE runs SET steps = ?2, ended = ?3 WHERE run = ?1", params![run, steps, ended])?;
        Ok(())
    }
}

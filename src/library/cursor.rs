//! Up to where live sources were read: an address that means "what is new" goes on from there.

use rusqlite::{OptionalExtension, params};

use super::Library;
use crate::error::Result;

impl Library {
    /// Where the last reading of a source ended; nothing if there was none.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn cursor(&self, source: &str) -> Result<Option<String>> {
        if self.format < 5 {
            return Ok(None);
        }
        let mut query = self.connection.prepare_cached("SELECT cursor FROM cursors WHERE source = ?1")?;
        Ok(query.query_row([source], |row| row.get(0)).optional()?)
    }

    /// Notes where a reading of a source ended.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn set_cursor(&mut self, source: &str, cursor: &str) -> Result<()> {
        self.connection.execute("INSERT OR REPLACE INTO cursors (source, cursor) VALUES (?1, ?2)", params![source, cursor])?;
        Ok(())
    }
}

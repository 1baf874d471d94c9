//! From what a person typed to the paper that is meant: an id in any form, or a unique part of a title.

use super::{Library, PaperRow};
use crate::error::{Error, Result};
use crate::paper::{PaperId, title_key};

/// How many titles an error names.
const SUGGESTED: usize = 5;

impl Library {
    /// The paper that `asked` means: by id, else by its whole title, else by a part of its title that no other has.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownPaper`] names the nearest titles, [`Error::AmbiguousTitle`] the candidates.
    pub fn find(&self, asked: &str) -> Result<PaperRow> {
        if let Some(row) = self.by_id(asked)? {
            return Ok(row);
        }
        let key = title_key(asked);
        if !key.is_empty() {
            let mut rows = self.titles("SELECT row, id, title FROM papers WHERE title_key = ?1 ORDER BY row", &key)?;
            if rows.is_empty() {
                rows = self.titles("SELECT row, id, title FROM papers WHERE instr(title_key, ?1) ORDER BY row", &key)?;
            }
            match rows.as_slice() {
                [] => {}
                [(row, _)] => return Ok(*row),
                many => {
                    let candidates = many.iter().take(SUGGESTED).map(|(_, shown)| shown.clone()).collect();
                    return Err(Error::AmbiguousTitle { asked: asked.to_owned(), candidates, total: many.len() });
                }
            }
        }
        Err(Error::UnknownPaper { asked: asked.to_owned(), nearest: self.nearest_titles(asked, &key)? })
    }

    /// The only paper whose whole title this is, but for case, accents and punctuation.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn by_title(&self, title: &str) -> Result<Option<PaperRow>> {
        Ok(match self.titled(title)?.as_slice() {
            [row] => Some(*row),
            _ => None,
        })
    }

    /// The paper with this id, in any form, or as its source gave it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn by_id(&self, id: &str) -> Result<Option<PaperRow>> {
        match self.row_of_id(&PaperId::parse(id))? {
            Some(row) => Ok(Some(row)),
            None => self.row_of_id(&PaperId::Given(id.trim().to_owned())),
        }
    }

    fn titles(&self, sql: &str, key: &str) -> Result<Vec<(PaperRow, String)>> {
        let mut query = self.connection.prepare_cached(sql)?;
        let shown = |row: &rusqlite::Row<'_>| Ok((PaperRow(row.get(0)?), shown(row.get(1)?, row.get(2)?)));
        Ok(query.query_map([key], shown)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Titles that share words with what was asked, else those whose id or title is spelt most like it.
    fn nearest_titles(&self, asked: &str, key: &str) -> Result<Vec<String>> {
        let looks_like_id =
            !matches!(PaperId::parse(asked), PaperId::Given(_)) || !asked.trim().contains(' ') && asked.contains(|c: char| c.is_ascii_digit());
        if !looks_like_id {
            let words: Vec<String> = key.split(' ').filter(|w| w.len() > 2).map(|w| format!("\"{}\"", w.replace('"', ""))).collect();
            let sql = "SELECT p.row, p.id, p.title FROM papers_text JOIN papers p ON p.row = papers_text.rowid
                WHERE papers_text MATCH ?1 ORDER BY bm25(papers_text, 1, 0), p.row LIMIT 5";
            let found = if words.is_empty() { Vec::new() } else { self.titles(sql, &format!("title : ({})", words.join(" OR ")))? };
            if !found.is_empty() {
                return Ok(found.into_iter().map(|(_, shown)| shown).collect());
            }
        }
        let mut query = self.connection.prepare("SELECT id, title, title_key FROM papers")?;
        let mut rows = query.query([])?;
        let mut nearest: Vec<(f64, String)> = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, title, title_key): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let likeness = if looks_like_id { strsim::jaro_winkler(asked.trim(), &id) } else { strsim::jaro_winkler(key, &title_key) };
            let at = nearest.partition_point(|(other, _)| *other >= likeness);
            if at < SUGGESTED {
                nearest.insert(at, (likeness, shown(id, title)));
                nearest.truncate(SUGGESTED);
            }
        }
        Ok(nearest.into_iter().map(|(_, shown)| shown).collect())
    }
}

fn shown(id: String, title: String) -> String {
    format!("{id}  {title}")
}

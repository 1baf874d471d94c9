//! What ranking looks at: the texts of many papers, and how common words are.

use super::filter::quoted;
use super::{Library, PaperRow};
use crate::error::Result;
use crate::paper::{Date, Paper, parse_date, title_key};

/// What ranking looks at: a part of a paper.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Brief {
    pub title: String,
    pub abstract_text: String,
    pub published: Option<Date>,
    pub upvotes: Option<u32>,
}

impl From<&Paper> for Brief {
    fn from(paper: &Paper) -> Self {
        let Paper { title, abstract_text, published, upvotes, .. } = paper;
        Self { title: title.clone(), abstract_text: abstract_text.clone(), published: *published, upvotes: *upvotes }
    }
}

impl Library {
    /// What ranking looks at; nothing if the paper is gone.
    pub(crate) fn brief(&self, paper: PaperRow) -> Result<Brief> {
        let mut query = self.connection.prepare_cached("SELECT title, abstract, published, upvotes FROM papers WHERE row = ?1")?;
        let brief = |row: &rusqlite::Row<'_>| {
            let published: Option<String> = row.get(2)?;
            Ok(Brief { title: row.get(0)?, abstract_text: row.get(1)?, published: published.as_deref().and_then(parse_date), upvotes: row.get(3)? })
        };
        Ok(query.query_map([paper.0], brief)?.next().transpose()?.unwrap_or_default())
    }

    /// The papers that a record is, as far as its ids and its title tell.
    pub(crate) fn known_as(&self, record: &Paper) -> Result<Vec<PaperRow>> {
        self.identify(record)
    }

    /// Papers spread evenly over the library, at most `count`: the same ones as long as no paper comes or goes.
    pub(crate) fn sample(&self, count: usize) -> Result<Vec<PaperRow>> {
        let last = self.count("SELECT coalesce(max(row), 0) FROM papers")? as usize;
        let step = last.div_ceil(count.max(1)).max(1) as i64;
        let mut query = self.connection.prepare_cached("SELECT row FROM papers WHERE row >= ?1 ORDER BY row LIMIT 1")?;
        let mut rows = Vec::new();
        for at in (1..=last as i64).step_by(step as usize) {
            rows.extend(query.query_map([at], |row| row.get(0).map(PaperRow))?.next().transpose()?);
        }
        rows.dedup();
        Ok(rows)
    }

    /// How many papers have a word in their text.
    pub(crate) fn papers_with(&self, word: &str) -> Result<u64> {
        let mut query = self.connection.prepare_cached("SELECT count(*) FROM papers_text WHERE papers_text MATCH ?1")?;
        Ok(query.query_row([quoted(word)], |row| row.get::<_, i64>(0))? as u64)
    }

    /// The papers whose titles differ from this one in nothing but case, accents and punctuation: versions under other ids.
    pub(crate) fn titled(&self, title: &str) -> Result<Vec<PaperRow>> {
        let key = title_key(title);
        if key.is_empty() { Ok(Vec::new()) } else { self.rows_of_title(&key) }
    }
}

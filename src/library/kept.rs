//! Topics of days that were kept, so that later days go on with them.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Days, Library, PaperRow};
use crate::error::{Error, Result};
use crate::paper::{Date, parse_date};

/// A topic as it stood on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptTopic {
    /// Its number, which no other topic of the library ever gets.
    pub id: i64,
    /// What it was called on its first day.
    pub name: String,
    /// The day.
    pub day: Date,
    /// What its papers of that day speak of, with the share of them that does.
    pub keywords: Vec<(String, f32)>,
    /// The most typical of its papers, if that is still in the library.
    pub typical: Option<PaperRow>,
    /// Its papers of that day with their scores, the highest first; those that are still in the library.
    pub papers: Vec<(PaperRow, f32)>,
}

impl Library {
    /// False for a library of a format in which no topic is kept; whatever writes to it brings it up to date.
    fn keeps_topics(&self) -> Result<bool> {
        Ok(self.count("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'topics'")? == 1)
    }

    /// Keeps topics in place of all that were kept of their days, in one transaction.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; then nothing was written.
    pub fn keep_topics(&mut self, topics: &[KeptTopic]) -> Result<()> {
        self.in_transaction(|library| {
            let connection = &library.connection;
            for topic in topics {
                connection.execute("DELETE FROM topic_days WHERE day = ?1", [topic.day.to_string()])?;
            }
            let sql = "INSERT INTO topics (topic, name) VALUES (?1, ?2) ON CONFLICT (topic) DO UPDATE SET name = excluded.name";
            let mut name = connection.prepare(sql)?;
            let sql = "INSERT INTO topic_days (day, topic, keywords, typical) SELECT ?1, ?2, ?3, (SELECT row FROM papers WHERE row = ?4)";
            let mut of_day = connection.prepare(sql)?;
            let sql = "INSERT INTO topic_papers (day, topic, row, score) SELECT ?1, ?2, row, ?4 FROM papers WHERE row = ?3";
            let mut paper = connection.prepare(sql)?;
            for topic in topics {
                let (day, keywords) = (topic.day.to_string(), serde_json::to_string(&topic.keywords).unwrap_or_default());
                name.execute(params![topic.id, topic.name])?;
                of_day.execute(params![day, topic.id, keywords, topic.typical.map(|row| row.0)])?;
                for (row, score) in &topic.papers {
                    paper.execute(params![day, topic.id, row.0, f64::from(*score)])?;
                }
            }
            connection.execute("DELETE FROM topics WHERE topic NOT IN (SELECT topic FROM topic_days)", [])?;
            Ok(())
        })
    }

    /// Every topic that was kept of days from `since` to `until`, as it stood on the last of them, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn kept_topics(&self, since: Date, until: Date) -> Result<Vec<KeptTopic>> {
        let sql = "SELECT topic, max(day) FROM topic_days WHERE day BETWEEN ?1 AND ?2 GROUP BY topic ORDER BY topic";
        self.kept(sql, &[&since.to_string(), &until.to_string()])
    }

    /// A topic as it stood on each of the days of which it was kept, the first first; nothing if there is none of this number.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn kept_topic(&self, id: i64) -> Result<Vec<KeptTopic>> {
        self.kept("SELECT topic, day FROM topic_days WHERE topic = ?1 ORDER BY day", &[&id])
    }

    /// The last day before another of which topics were kept.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn kept_day_before(&self, day: Date) -> Result<Option<Date>> {
        if !self.keeps_topics()? {
            return Ok(None);
        }
        let mut query = self.connection.prepare_cached("SELECT max(day) FROM topic_days WHERE day < ?1")?;
        let last: Option<String> = query.query_row([day.to_string()], |row| row.get(0))?;
        Ok(last.as_deref().and_then(parse_date))
    }

    /// The number of the next topic that is new.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn next_topic(&self) -> Result<i64> {
        if !self.keeps_topics()? {
            return Ok(1);
        }
        Ok(self.count("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'topics'), 0)")? as i64 + 1)
    }

    fn kept(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<KeptTopic>> {
        if !self.keeps_topics()? {
            return Ok(Vec::new());
        }
        let mut query = self.connection.prepare_cached(sql)?;
        let found: Vec<(i64, String)> = query.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        found.into_iter().map(|(id, day)| self.topic_of_day(id, &day)).collect()
    }

    fn topic_of_day(&self, id: i64, day: &str) -> Result<KeptTopic> {
        let sql = "SELECT t.name, d.keywords, d.typical FROM topics t JOIN topic_days d USING (topic) WHERE t.topic = ?1 AND d.day = ?2";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<i64>>(2)?));
        let (name, keywords, typical): (String, String, _) = self.connection.prepare_cached(sql)?.query_row(params![id, day], read)?;
        let sql = "SELECT row, score FROM topic_papers WHERE topic = ?1 AND day = ?2 ORDER BY score DESC, row";
        let mut query = self.connection.prepare_cached(sql)?;
        let paper = |row: &rusqlite::Row<'_>| Ok((PaperRow(row.get(0)?), row.get::<_, f64>(1)? as f32));
        let papers = query.query_map(params![id, day], paper)?.collect::<rusqlite::Result<_>>()?;
        let day = parse_date(day).ok_or_else(|| Error::LibraryDamaged { what: format!("topic {id} was kept of the day {day:?}") })?;
        Ok(KeptTopic { id, name, day, keywords: serde_json::from_str(&keywords).unwrap_or_default(), typical: typical.map(PaperRow), papers })
    }

    /// The last day, not after another, of which there are papers; as [`Library::rows_by_day`] has it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn last_day(&self, until: Date) -> Result<Option<Date>> {
        let sql = "SELECT max((SELECT coalesce(max(coalesce(day, published)), '') FROM papers WHERE coalesce(day, published) <= ?1),
            (SELECT coalesce(max(day), '') FROM sources WHERE day <= ?1))";
        let last: String = self.connection.prepare_cached(sql)?.query_row([until.to_string()], |row| row.get(0))?;
        Ok(parse_date(&last))
    }

    /// The papers of each of some days: those that stood in its digest, else were published on it, as
    /// [`Filter::days`](super::Filter::days) has it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn rows_by_day(&self, days: Days) -> Result<BTreeMap<Date, Vec<PaperRow>>> {
        let sql = "SELECT d, row FROM (SELECT coalesce(day, published) AS d, row FROM papers UNION SELECT day, row FROM sources)
            WHERE d BETWEEN ?1 AND ?2 ORDER BY d, row";
        let mut query = self.connection.prepare_cached(sql)?;
        let mut rows = query.query(days.bounds())?;
        let mut days: BTreeMap<Date, Vec<PaperRow>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (day, paper): (String, i64) = (row.get(0)?, row.get(1)?);
            if let Some(day) = parse_date(&day) {
                days.entry(day).or_default().push(PaperRow(paper));
            }
        }
        Ok(days)
    }
}

//! Planning, committing and removing papers.
//!
//! Embedding is slow and a transaction must be short, so that writing is two steps: [`Library::plan`] says which texts need a
//! vector, without writing; [`Library::commit`] writes records and vectors in one transaction.

use std::collections::HashMap;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rusqlite::{OptionalExtension, params};

use super::merge::{Stored, merge, replaces_text};
use super::provenance::Provenance;
use super::{Library, PaperRow};
use crate::error::Result;
use crate::paper::{Date, Paper, PaperId, TextHash, title_key};
use crate::vector::{RowId, Space, Vectors};

/// A paper as one source tells it.
#[derive(Debug, Clone)]
pub struct Record {
    /// What it says.
    pub paper: Paper,
    /// The source's format.
    pub format: String,
    /// The file, or whatever names this input among others of its format.
    pub origin: String,
}

impl Record {
    /// Who tells it, in one text.
    fn source(&self) -> String {
        format!("{} {}", self.format, self.origin)
    }
}

/// What committing a record would need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: its text is not new, will not be used, or has a vector.
    NoVector,
    /// The vector of its text.
    Vector(TextHash),
}

/// What a record did to the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is a paper that the library did not have.
    New,
    /// A paper that the library had from other sources: what this one adds was joined to it.
    Merged,
    /// Its source says something else of it than before.
    Updated,
    /// Nothing in it is new.
    Unchanged,
}

impl Library {
    /// Says which vector [`Library::commit`] will need for a record. `title_only`: papers without an abstract have vectors too.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn plan(&self, record: &Record, title_only: bool) -> Result<Plan> {
        let paper = &record.paper;
        let hash = paper.text_hash();
        if !wants_vector(paper, title_only) {
            return Ok(Plan::NoVector);
        }
        let rows = self.identify(paper)?;
        // Where papers are joined, the text of the one that stays may be that of another before this one is looked at.
        let [row] = rows[..] else { return Ok(Plan::Vector(hash)) };
        let stored = self.stored(row)?;
        let has_vector = self.vector_hash(row)? == Some(hash);
        if has_vector {
            return Ok(Plan::NoVector);
        }
        let is_stored_text = stored.paper.text_hash() == hash;
        let is_news = self.heard(row, record)? != Heard::This;
        let will_be_text = is_stored_text || is_news && replaces_text(&stored, paper, &record.format);
        Ok(if will_be_text { Plan::Vector(hash) } else { Plan::NoVector })
    }

    /// Writes records in their order, in one transaction, with the vectors of their texts. `added` is the time of the run.
    ///
    /// A text whose vector was asked for and is not among `vectors` does not replace another.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`]; then nothing of this batch was written.
    pub fn commit(
        &mut self,
        records: &[Record],
        vectors: &HashMap<TextHash, Vec<f32>>,
        space: &Space,
        added: &str,
    ) -> Result<Vec<(PaperRow, Outcome)>> {
        self.in_transaction(|library| {
            let space = library.register(space)?;
            let outcomes = records.iter().map(|record| library.write_record(record, vectors, space, added)).collect::<Result<Vec<_>>>()?;
            if outcomes.iter().any(|(_, outcome)| *outcome != Outcome::Unchanged) {
                library.bump_generation()?;
            }
            Ok(outcomes)
        })
    }

    /// Removes papers; how many there were.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`]; then none was removed.
    pub fn remove(&mut self, rows: &[PaperRow]) -> Result<usize> {
        self.in_transaction(|library| {
            let mut removed = 0;
            for row in rows {
                removed += library.connection.prepare_cached("DELETE FROM papers WHERE row = ?1")?.execute([row.0])?;
            }
            library.bump_generation()?;
            Ok(removed)
        })
    }

    /// Runs `work` in one transaction, which is rolled back if it fails.
    pub(super) fn in_transaction<T>(&mut self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        match work(self) {
            Ok(done) => {
                self.connection.execute_batch("COMMIT")?;
                Ok(done)
            }
            Err(error) => {
                // The first error is the one to tell; a rollback fails only where SQLite has done it already.
                let _ = self.connection.execute_batch("ROLLBACK");
                Err(error)
            }
        }
    }

    pub(super) fn bump_generation(&self) -> Result<()> {
        self.connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'", [])?;
        Ok(())
    }

    fn write_record(&self, record: &Record, vectors: &HashMap<TextHash, Vec<f32>>, space: i64, added: &str) -> Result<(PaperRow, Outcome)> {
        let paper = &record.paper;
        let hash = paper.text_hash();
        let rows = self.identify(paper)?;
        let Some((&row, others)) = rows.split_first() else {
            let row = self.insert(record, added)?;
            self.note_source(row, record)?;
            self.put_vector(row, hash, vectors, space)?;
            return Ok((row, Outcome::New));
        };
        for &other in others {
            self.absorb(row, other)?;
        }
        let heard = self.heard(row, record)?;
        let is_news = heard != Heard::This;
        let before = self.stored(row)?;
        let replaces = is_news && replaces_text(&before, paper, &record.format);
        let can_replace = replaces && (vectors.contains_key(&hash) || self.vector_hash(row)?.is_none());
        let mut after = if is_news { merge(&before, paper, &record.format, can_replace) } else { before.clone() };
        after.provenance.note(&before.paper, &after.paper, |_| record.source());
        let changed = after != before || !others.is_empty();
        if changed {
            self.update(row, &after)?;
        }
        // A text that waits for its vector is heard when it has one.
        if is_news && (can_replace || !replaces) {
            self.note_source(row, record)?;
        }
        let gained_vector = self.put_vector(row, after.paper.text_hash(), vectors, space)?;
        let outcome = match heard {
            Heard::Nothing => Outcome::Merged,
            _ if changed || gained_vector => Outcome::Updated,
            _ => Outcome::Unchanged,
        };
        Ok((row, outcome))
    }

    fn insert(&self, record: &Record, added: &str) -> Result<PaperRow> {
        let paper = &record.paper;
        let mut free = None;
        for id in &paper.ids {
            // An id that a different paper has is not this one's too.
            if free.is_none() && self.row_of_id(id)?.is_none() {
                free = Some(id.clone());
            }
        }
        let id = free.map_or_else(|| self.free_title_id(&paper.title), Ok)?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO papers (id, title, title_key, abstract, authors, categories, text_hash, text_format, added)
             VALUES (?1, '', '', '', '[]', '[]', x'', '', ?2)",
        )?;
        insert.execute(params![id.to_string(), added])?;
        let row = PaperRow(self.connection.last_insert_rowid());
        self.note_ids(row, &[id])?;
        let mut provenance = Provenance::default();
        provenance.note(&Paper::default(), paper, |_| record.source());
        self.update(row, &Stored { paper: paper.clone(), text_format: record.format.clone(), provenance })?;
        Ok(row)
    }

    /// The hash of the title, or of the title with a number, if two papers that are not one have no other id to go by.
    fn free_title_id(&self, title: &str) -> Result<PaperId> {
        let mut id = PaperId::of_title(title);
        for number in 2.. {
            if self.row_of_id(&id)?.is_none() {
                break;
            }
            id = PaperId::of_title(&format!("{title} {number}"));
        }
        Ok(id)
    }

    /// Writes all of a paper but its sources and its vector; its ids are those that no other paper has.
    fn update(&self, row: PaperRow, stored: &Stored) -> Result<()> {
        let mut paper = stored.paper.clone();
        self.note_ids(row, &paper.ids)?;
        paper.ids = self.ids_of(row)?;
        let (paper, columns) = (&paper, Columns::of(&paper));
        let mut update = self.connection.prepare_cached(
            "UPDATE papers SET id = ?2, title = ?3, title_key = ?4, abstract = ?5, authors = ?6, authors_count = ?7, categories = ?8, published = ?9,
                updated = ?10, day = ?11, upvotes = ?12, comments = ?13, url = ?14, version = ?15, text_hash = ?16, text_format = ?17,
                withdrawn = ?18, provenance = ?19
             WHERE row = ?1",
        )?;
        update.execute(params![
            row.0,
            columns.id,
            paper.title,
            columns.title_key,
            paper.abstract_text,
            columns.authors,
            paper.authors_count,
            columns.categories,
            columns.published,
            columns.updated,
            columns.day,
            paper.upvotes,
            paper.comments,
            paper.url,
            paper.version,
            columns.text_hash,
            stored.text_format,
            paper.withdrawn,
            stored.provenance.to_json(),
        ])?;
        Ok(())
    }

    /// An id belongs to the first paper that had it.
    fn note_ids(&self, row: PaperRow, ids: &[PaperId]) -> Result<()> {
        let mut insert = self.connection.prepare_cached("INSERT INTO ids (id, row) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
        for id in ids {
            insert.execute(params![id.to_string(), row.0])?;
        }
        Ok(())
    }

    fn note_source(&self, row: PaperRow, record: &Record) -> Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO sources (row, format, origin, day, said) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?;
        let day = record.paper.day.map(|day| day.to_string());
        insert.execute(params![row.0, record.format, record.origin, day, fingerprint(&record.paper)])?;
        Ok(())
    }

    /// Whether this source has told of the paper, and whether it has said just this.
    fn heard(&self, row: PaperRow, record: &Record) -> Result<Heard> {
        let sql = "SELECT count(*), coalesce(sum(said = ?4), 0) FROM sources WHERE row = ?1 AND format = ?2 AND origin = ?3";
        let mut query = self.connection.prepare_cached(sql)?;
        let values = params![row.0, record.format, record.origin, fingerprint(&record.paper)];
        let (told, same): (i64, i64) = query.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(if same > 0 {
            Heard::This
        } else if told > 0 {
            Heard::Other
        } else {
            Heard::Nothing
        })
    }

    /// Joins the paper `other`, which turned out to be the same, to `row`, and removes it.
    fn absorb(&self, row: PaperRow, other: PaperRow) -> Result<()> {
        let (kept, gone) = (self.stored(row)?, self.stored(other)?);
        let takes_text = replaces_text(&kept, &gone.paper, &gone.text_format);
        let mut merged = merge(&kept, &gone.paper, &gone.text_format, takes_text);
        merged.provenance.note(&kept.paper, &merged.paper, |name| gone.provenance.of(name).unwrap_or(&gone.text_format).to_owned());
        if takes_text {
            self.connection.prepare_cached("UPDATE OR REPLACE vectors SET row = ?1 WHERE row = ?2")?.execute([row.0, other.0])?;
        }
        // What somebody thinks of the paper that stays, and when it was seen, outdoes what is said of the other.
        let moves = [
            "UPDATE ids SET row = ?1 WHERE row = ?2",
            "UPDATE OR IGNORE sources SET row = ?1 WHERE row = ?2",
            "UPDATE OR IGNORE ratings SET row = ?1 WHERE row = ?2",
            "UPDATE OR IGNORE seen SET row = ?1 WHERE row = ?2",
            "UPDATE OR IGNORE covered SET row = ?1 WHERE row = ?2",
            "UPDATE OR IGNORE topic_papers SET row = ?1 WHERE row = ?2",
            "UPDATE topic_days SET typical = ?1 WHERE typical = ?2",
        ];
        for sql in moves {
            self.connection.prepare_cached(sql)?.execute([row.0, other.0])?;
        }
        self.connection.prepare_cached("DELETE FROM papers WHERE row = ?1")?.execute([other.0])?;
        self.update(row, &merged)
    }

    /// Stores the vector of the paper's text where it is given and not there yet; true if it was.
    fn put_vector(&self, row: PaperRow, hash: TextHash, vectors: &HashMap<TextHash, Vec<f32>>, space: i64) -> Result<bool> {
        match vectors.get(&hash) {
            Some(vector) if self.vector_hash(row)? != Some(hash) => {
                self.write_vector("vectors", row, hash, vector, space)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn write_vector(&self, table: &str, row: PaperRow, hash: TextHash, vector: &[f32], space: i64) -> Result<()> {
        let sql = format!("INSERT OR REPLACE INTO {table} (row, space, text_hash, vector) VALUES (?1, ?2, ?3, ?4)");
        self.connection.prepare_cached(&sql)?.execute(params![row.0, space, hash.0, to_bytes(vector)])?;
        Ok(())
    }

    /// The hash of the text whose vector is stored.
    pub(super) fn vector_hash(&self, row: PaperRow) -> Result<Option<TextHash>> {
        let mut query = self.connection.prepare_cached("SELECT text_hash FROM vectors WHERE row = ?1")?;
        Ok(query.query_row([row.0], |row| row.get(0).map(TextHash)).optional()?)
    }
}

/// What a source has said of a paper before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Other,
    This,
}

/// Makes a batch of what `embed` returned for `hashes`, in their order.
pub(crate) fn by_hash(hashes: &[TextHash], vectors: &Vectors) -> HashMap<TextHash, Vec<f32>> {
    hashes.iter().enumerate().map(|(i, hash)| (*hash, vectors.row(RowId(i as u32)).to_vec())).collect()
}

fn wants_vector(paper: &Paper, title_only: bool) -> bool {
    title_only || !paper.abstract_text.is_empty()
}

/// Identifies all that a record says.
fn fingerprint(paper: &Paper) -> [u8; 16] {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let ids: Vec<String> = paper.ids.iter().map(PaperId::to_string).collect();
    let url = paper.url.clone().unwrap_or_default();
    let parts = [
        ids.join("\x01"),
        paper.title.clone(),
        paper.abstract_text.clone(),
        paper.authors.join("\x01"),
        number(paper.authors_count),
        paper.categories.join("\x01"),
        day(paper.published),
        day(paper.updated),
        day(paper.day),
        number(paper.upvotes),
        number(paper.comments),
        url,
        number(paper.version),
    ];
    // Only where there is one, so that what was heard before this was known is known again.
    let withdrawn = if paper.withdrawn { "\0withdrawn" } else { "" };
    TextHash::of(&(parts.join("\0") + withdrawn)).0
}

fn to_bytes(vector: &[f32]) -> Vec<u8> {
    let mut halves = vec![f16::ZERO; vector.len()];
    halves.convert_from_f32_slice(vector);
    halves.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A paper's values as the columns hold them.
struct Columns {
    id: String,
    title_key: String,
    authors: String,
    categories: String,
    published: Option<String>,
    updated: Option<String>,
    day: Option<String>,
    text_hash: [u8; 16],
}

impl Columns {
    fn of(paper: &Paper) -> Self {
        let json = |texts: &[String]| serde_json::to_string(texts).expect("texts are JSON");
        Self {
            id: paper.id().to_string(),
            title_key: title_key(&paper.title),
            authors: json(&paper.authors),
            categories: json(&paper.categories),
            published: paper.published.map(|day| day.to_string()),
            updated: paper.updated.map(|day| day.to_string()),
            day: paper.day.map(|day| day.to_string()),
            text_hash: paper.text_hash().0,
        }
    }
}

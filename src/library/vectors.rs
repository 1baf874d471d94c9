//! Spaces, stored vectors, and embedding anew beside the old ones.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rusqlite::{OptionalExtension, params};

use super::{Library, PaperRow};
use crate::error::{Error, Result};
use crate::paper::{Paper, TextHash, embedding_text, title_key};
use crate::vector::{RowId, Space, Vectors};

/// The vectors of a library, and which paper each row is.
pub struct StoredVectors {
    /// Row after row, in the order of `papers`.
    pub vectors: Vectors,
    /// The paper of each row, ascending.
    pub papers: Vec<PaperRow>,
}

/// A paper whose text is to be embedded anew.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Which.
    pub row: PaperRow,
    /// Its text.
    pub text: String,
    /// The text's hash.
    pub hash: TextHash,
}

impl Library {
    /// The space of the library's vectors; `None` before the first one.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], or [`Error::LibraryDamaged`] if the stamp cannot be read.
    pub fn space(&self) -> Result<Option<Space>> {
        let sql = "SELECT stamp FROM spaces WHERE space = (SELECT value FROM meta WHERE key = 'space')";
        let stamp: Option<String> = self.connection.query_row(sql, [], |row| row.get(0)).optional()?;
        let parse = |stamp: String| serde_json::from_str(&stamp);
        stamp.map(parse).transpose().map_err(|e| Error::LibraryDamaged { what: format!("the stamp of its vectors: {e}") })
    }

    /// Refuses a space whose vectors may not stand beside the library's.
    ///
    /// # Errors
    ///
    /// [`Error::OtherModel`] names both.
    pub fn require_space(&self, asked: &Space) -> Result<()> {
        match self.space()? {
            Some(space) => match space.differs_from(asked) {
                Some(difference) => Err(Error::OtherModel { library: space.name(), asked: asked.name(), difference }),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// All vectors, as f32.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], or [`Error::LibraryDamaged`] if one has another length than its space says.
    pub fn vectors(&self) -> Result<StoredVectors> {
        let count = self.count("SELECT count(*) FROM vectors")? as usize;
        self.read_vectors("SELECT row, vector FROM vectors ORDER BY row", count)
    }

    /// The vectors of a query for rows and vectors, of which there are about `count`.
    pub(super) fn read_vectors(&self, sql: &str, count: usize) -> Result<StoredVectors> {
        let dim = self.space()?.map_or(1, |space| space.dim);
        let mut data = Vec::with_capacity(count * dim);
        let mut papers = Vec::with_capacity(count);
        let mut query = self.connection.prepare(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let paper = PaperRow(row.get(0)?);
            data.resize(data.len() + dim, 0.0);
            let start = data.len() - dim;
            from_bytes(row.get_ref(1)?.as_blob().unwrap_or_default(), &mut data[start..]).ok_or_else(|| wrong_length(paper))?;
            papers.push(paper);
        }
        Ok(StoredVectors { vectors: Vectors::from_rows(dim, data), papers })
    }

    /// The vector of one paper.
    ///
    /// # Errors
    ///
    /// As [`Library::vectors`].
    pub fn vector(&self, row: PaperRow) -> Result<Option<Vec<f32>>> {
        let Some(space) = self.space()? else { return Ok(None) };
        let mut query = self.connection.prepare_cached("SELECT vector FROM vectors WHERE row = ?1")?;
        let bytes: Option<Vec<u8>> = query.query_row([row.0], |row| row.get(0)).optional()?;
        let read = |bytes: Vec<u8>| {
            let mut vector = vec![0.0; space.dim];
            from_bytes(&bytes, &mut vector).map(|()| vector).ok_or_else(|| wrong_length(row))
        };
        bytes.map(read).transpose()
    }

    /// The vector of just this text in this space, whichever paper it stands with: papers of one text mostly have one title.
    pub(crate) fn vector_of_text(&self, record: &Paper, space: &Space) -> Result<Option<Vec<f32>>> {
        let key = title_key(&record.title);
        if key.is_empty() {
            return Ok(None);
        }
        let mut query = self.connection.prepare_cached(
            "SELECT v.row FROM papers p JOIN vectors v ON v.row = p.row JOIN spaces s ON s.space = v.space
             WHERE p.title_key = ?1 AND v.text_hash = ?2 AND s.stamp = ?3 ORDER BY v.row LIMIT 1",
        )?;
        let row = query.query_row(params![key, record.text_hash().0, stamp(space)], |row| row.get(0).map(PaperRow)).optional()?;
        row.map_or(Ok(None), |row| self.vector(row))
    }

    /// The number of the space, which it gets here if it is new. The first one becomes the library's.
    pub(super) fn register(&self, space: &Space) -> Result<i64> {
        let stamp = stamp(space);
        self.connection.prepare_cached("INSERT INTO spaces (stamp) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([&stamp])?;
        let number: i64 = self.connection.prepare_cached("SELECT space FROM spaces WHERE stamp = ?1")?.query_row([&stamp], |row| row.get(0))?;
        self.connection.prepare_cached("INSERT INTO meta VALUES ('space', ?1) ON CONFLICT DO NOTHING")?.execute([number])?;
        Ok(number)
    }

    /// The next papers behind `after`, at most `count`, that have a vector, or an abstract, but no new vector of this space yet.
    ///
    /// At the beginning, behind no paper, new vectors of any other space, from a `reindex` that was given up, are dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn pending(&mut self, space: &Space, after: Option<PaperRow>, count: usize) -> Result<Vec<Pending>> {
        self.in_transaction(|library| {
            if after.is_none() {
                let number = library.register(space)?;
                library.connection.execute("DELETE FROM next_vectors WHERE space <> ?1", [number])?;
            }
            let mut query = library.connection.prepare_cached(
                "SELECT p.row, p.title, p.abstract, p.text_hash FROM papers p
                 LEFT JOIN next_vectors n ON n.row = p.row AND n.text_hash = p.text_hash
                 WHERE p.row > ?1 AND n.row IS NULL AND (p.abstract <> '' OR EXISTS (SELECT 1 FROM vectors v WHERE v.row = p.row))
                 ORDER BY p.row LIMIT ?2",
            )?;
            let after = after.map_or(0, |paper| paper.0);
            let pending = query.query_map([after, count as i64], |row| {
                let (title, text): (String, String) = (row.get(1)?, row.get(2)?);
                Ok(Pending { row: PaperRow(row.get(0)?), text: embedding_text(&title, &text), hash: TextHash(row.get(3)?) })
            })?;
            Ok(pending.collect::<rusqlite::Result<Vec<_>>>()?)
        })
    }

    /// How many papers [`Library::pending`] would give in all.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn count_pending(&self) -> Result<u64> {
        let sql = "SELECT count(*) FROM papers p LEFT JOIN next_vectors n ON n.row = p.row AND n.text_hash = p.text_hash
            WHERE n.row IS NULL AND (p.abstract <> '' OR EXISTS (SELECT 1 FROM vectors v WHERE v.row = p.row))";
        self.count(sql)
    }

    /// Keeps new vectors beside the old ones, which still answer.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; then none was kept.
    pub fn keep_next(&mut self, pending: &[Pending], vectors: &Vectors, space: &Space) -> Result<()> {
        self.in_transaction(|library| {
            let number = library.register(space)?;
            for (i, paper) in pending.iter().enumerate() {
                library.write_vector("next_vectors", paper.row, paper.hash, vectors.row(RowId(i as u32)), number)?;
            }
            Ok(())
        })
    }

    /// Puts the new vectors in the place of the old ones, in one transaction.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; then the old ones are in place.
    pub fn swap_vectors(&mut self, space: &Space) -> Result<()> {
        self.in_transaction(|library| {
            let number = library.register(space)?;
            library.connection.execute_batch("DELETE FROM vectors; INSERT INTO vectors SELECT * FROM next_vectors; DELETE FROM next_vectors; DELETE FROM meta WHERE key = 'index';")?;
            library.connection.execute("UPDATE meta SET value = ?1 WHERE key = 'space'", params![number])?;
            library.connection.execute("DELETE FROM spaces WHERE space <> ?1 AND space NOT IN (SELECT space FROM vectors)", [number])?;
            library.bump_generation()
        })
    }
}

fn stamp(space: &Space) -> String {
    serde_json::to_string(space).expect("a stamp of texts and numbers is JSON")
}

/// Reads little-endian f16; `None` if the length is another.
pub(super) fn from_bytes(bytes: &[u8], vector: &mut [f32]) -> Option<()> {
    if bytes.len() != vector.len() * 2 {
        return None;
    }
    let halves: Vec<f16> = bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])).collect();
    halves.convert_to_f32_slice(vector);
    Some(())
}

fn wrong_length(paper: PaperRow) -> Error {
    Error::LibraryDamaged { what: format!("the vector of paper {} has not the length that its space says", paper.0) }
}

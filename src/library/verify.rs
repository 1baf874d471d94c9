//! The structure checks itself: what SQLite knows, and what only we do.

use serde::Serialize;

use super::vectors::from_bytes;
use super::{Library, PaperRow};
use crate::error::Result;
use crate::paper::{PaperId, TextHash, embedding_text, title_key};

/// What was checked, and what is wrong.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verification {
    /// Papers looked at.
    pub papers: u64,
    /// Vectors looked at.
    pub vectors: u64,
    /// Everything that is wrong, in words; empty if the library is sound.
    pub problems: Vec<String>,
}

impl Library {
    /// Checks every page, every paper and every vector.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`] if the database cannot even be read; everything else is a problem in the answer.
    pub fn verify(&self) -> Result<Verification> {
        let mut found = Verification::default();
        self.check_database(&mut found)?;
        self.check_papers(&mut found)?;
        self.check_vectors(&mut found)?;
        found.problems.extend(self.index_damage());
        Ok(found)
    }

    fn check_database(&self, found: &mut Verification) -> Result<()> {
        let texts = |sql: &str| -> rusqlite::Result<Vec<String>> {
            let mut query = self.connection.prepare(sql)?;
            query.query_map([], |row| row.get::<_, String>(0))?.collect()
        };
        found.problems.extend(texts("PRAGMA integrity_check")?.into_iter().filter(|line| line != "ok").map(|line| format!("database: {line}")));
        let dangling = texts("SELECT \"table\" FROM pragma_foreign_key_check")?;
        found.problems.extend(dangling.into_iter().map(|table| format!("a row of {table} belongs to no paper")));
        // A reader may not run the text index's own check, which is a write; the counts can be compared by anyone.
        let indexed = self.count("SELECT count(*) FROM papers_text_docsize")?;
        let papers = self.len()?;
        if indexed != papers {
            found.problems.push(format!("the text index holds {indexed} papers of {papers}"));
        }
        Ok(())
    }

    fn check_papers(&self, found: &mut Verification) -> Result<()> {
        let sql = "SELECT p.row, p.id, p.title, p.abstract, p.title_key, p.text_hash, v.text_hash, v.row IS NOT NULL,
                EXISTS (SELECT 1 FROM sources s WHERE s.row = p.row)
            FROM papers p LEFT JOIN vectors v ON v.row = p.row ORDER BY p.row";
        let mut query = self.connection.prepare(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            found.papers += 1;
            let (number, id): (i64, String) = (row.get(0)?, row.get(1)?);
            let (title, text): (String, String) = (row.get(2)?, row.get(3)?);
            let hash = TextHash::of(&embedding_text(&title, &text));
            let vector_hash: Option<[u8; 16]> = row.get(6)?;
            let has_vector: bool = row.get(7)?;
            let ids = self.ids_of(PaperRow(number))?;
            let checks = [
                (row.get::<_, [u8; 16]>(5)? == hash.0, "its text is not the one that was stored"),
                (row.get::<_, String>(4)? == title_key(&title), "its title is not filed under its normal form"),
                (has_vector || text.is_empty(), "it has an abstract and no vector"),
                (!has_vector || vector_hash == Some(hash.0), "its vector is of another text"),
                (ids.first() == Some(&PaperId::parse(&id)), "it is not known by its id"),
                (row.get(8)?, "no source told of it"),
            ];
            found.problems.extend(checks.iter().filter(|(holds, _)| !holds).map(|(_, what)| format!("paper {id}: {what}")));
        }
        Ok(())
    }

    fn check_vectors(&self, found: &mut Verification) -> Result<()> {
        let Some(space) = self.space()? else { return Ok(()) };
        let mut query = self.connection.prepare("SELECT p.id, v.vector FROM vectors v JOIN papers p ON p.row = v.row ORDER BY v.row")?;
        let mut rows = query.query([])?;
        let mut vector = vec![0.0f32; space.dim];
        while let Some(row) = rows.next()? {
            found.vectors += 1;
            let id: String = row.get(0)?;
            let problem = match from_bytes(row.get_ref(1)?.as_blob().unwrap_or_default(), &mut vector) {
                None => Some(format!("it has not {} numbers", space.dim)),
                Some(()) => {
                    let length = crate::vector::dot(&vector, &vector).sqrt();
                    // f16 rounds each number to three digits: the length of 384 of them stays within a thousandth.
                    ((length - 1.0).abs() > 0.01 || !length.is_finite()).then(|| format!("its length is {length}, not 1"))
                }
            };
            found.problems.extend(problem.map(|what| format!("the vector of {id}: {what}")));
        }
        Ok(())
    }
}

//! Questions to a library, and their answers: what is like these papers, what is about this sentence.
//!
//! Vectors have length 1. Several seeds count as one: the mean of their vectors, scaled to length 1. Seeds are never
//! in the answer. Asking never writes.

use serde::Serialize;

use crate::embed::{Embedder, Role};
use crate::error::{Error, Result};
use crate::index::{Neighbour, nearest};
use crate::library::{Library, PaperRow, StoredVectors};
use crate::paper::{Date, Paper};
use crate::vector::{RowId, Vectors, dot, normalise};

/// A paper in an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The paper.
    pub paper: Paper,
    /// What the answer is ranked by; higher is better.
    pub score: f32,
    /// The cosine to the query.
    pub cosine: f32,
    /// Why it is here.
    pub reasons: Vec<Reason>,
}

/// Why a paper is in an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// The seed that it is most like.
    Nearest {
        /// The seed's id.
        seed: String,
        /// The seed's title.
        title: String,
        /// The cosine of the two.
        cosine: f32,
    },
}

/// What limits an answer.
#[derive(Debug, Clone)]
pub struct Limits {
    /// At most so many papers.
    pub count: usize,
    /// Published on this day or later.
    pub since: Option<Date>,
    /// Published on this day or earlier.
    pub until: Option<Date>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { count: 10, since: None, until: None }
    }
}

/// A library with its vectors in memory, ready for many questions.
pub struct Desk<'a> {
    library: &'a Library,
    stored: StoredVectors,
}

impl<'a> Desk<'a> {
    /// Loads the vectors.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] or [`Error::LibraryDamaged`].
    pub fn new(library: &'a Library) -> Result<Self> {
        Ok(Self { library, stored: library.vectors()? })
    }

    /// The papers most like the seeds, without them.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] without a seed, or where a seed has no vector.
    pub fn similar(&self, seeds: &[PaperRow], limits: &Limits) -> Result<Vec<Hit>> {
        let rows = seeds.iter().map(|&seed| self.row_of(seed)).collect::<Result<Vec<_>>>()?;
        if rows.is_empty() {
            return Err(Error::usage("no paper to start from"));
        }
        let mut query = vec![0.0; self.stored.vectors.dim()];
        for &row in &rows {
            query.iter_mut().zip(self.stored.vectors.row(row)).for_each(|(sum, x)| *sum += x);
        }
        normalise(&mut query);
        let found = self.nearest(&query, limits, |row| !rows.contains(&row))?;
        found.into_iter().map(|neighbour| self.hit(neighbour, &rows)).collect()
    }

    /// The papers nearest to a text.
    ///
    /// # Errors
    ///
    /// [`Error::OtherModel`] if the library's vectors are of another model than the embedder's.
    pub fn search(&self, text: &str, embedder: &Embedder, limits: &Limits) -> Result<Vec<Hit>> {
        self.library.require_space(embedder.space())?;
        let query = embedder.embed(&[text], Role::Query)?;
        if self.stored.papers.is_empty() {
            return Ok(Vec::new());
        }
        let query = rounded(&query);
        self.nearest(&query, limits, |_| true)?.into_iter().map(|neighbour| self.hit(neighbour, &[])).collect()
    }

    fn nearest(&self, query: &[f32], limits: &Limits, keep: impl Fn(RowId) -> bool + Sync) -> Result<Vec<Neighbour>> {
        if limits.since.is_none() && limits.until.is_none() {
            return Ok(nearest(&self.stored.vectors, query, limits.count, keep));
        }
        let allowed = self.library.published_between(limits.since, limits.until)?;
        let papers = &self.stored.papers;
        let is_allowed = |row: RowId| allowed.binary_search(&papers[row.index()]).is_ok();
        Ok(nearest(&self.stored.vectors, query, limits.count, |row| keep(row) && is_allowed(row)))
    }

    fn row_of(&self, paper: PaperRow) -> Result<RowId> {
        self.stored.row_of(paper).ok_or_else(|| {
            let id = self.library.paper(paper).map(|paper| paper.id().to_string()).unwrap_or_default();
            Error::Usage {
                message: format!("{id} has no abstract, and so no vector"),
                hint: Some("`paperkin add --title-only FILE` embeds such papers by their title; `paperkin search TITLE` asks with it".to_owned()),
            }
        })
    }

    fn hit(&self, neighbour: Neighbour, seeds: &[RowId]) -> Result<Hit> {
        let Neighbour { row, cosine } = neighbour;
        let vector = self.stored.vectors.row(row);
        let paper = self.library.paper(self.stored.papers[row.index()])?;
        let with_cosine = seeds.iter().map(|&seed| (seed, dot(vector, self.stored.vectors.row(seed))));
        let nearest_seed = with_cosine.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let reasons = match nearest_seed {
            Some((seed, cosine)) if seeds.len() > 1 => {
                let seed = self.library.paper(self.stored.papers[seed.index()])?;
                vec![Reason::Nearest { seed: seed.id().to_string(), title: seed.title, cosine }]
            }
            _ => Vec::new(),
        };
        Ok(Hit { paper, score: cosine, cosine, reasons })
    }
}

/// A query is rounded to f16 as stored vectors are, so that a text finds itself with the same number everywhere.
fn rounded(query: &Vectors) -> Vec<f32> {
    query.row(RowId(0)).iter().map(|&x| half::f16::from_f32(x).to_f32()).collect()
}

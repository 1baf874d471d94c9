//! Questions to a library, and their answers: what is like these papers, what is about this sentence.
//!
//! Vectors have length 1. Several seeds count as one: the mean of their vectors, scaled to length 1. Seeds are never
//! in the answer. Asking never writes.

mod duplicates;

use std::cell::OnceCell;

use serde::Serialize;

use crate::embed::{Embedder, Role};
use crate::error::{Error, Result};
use crate::index::{Index, Neighbour, RowSet, Search};
use crate::library::{GRAPH_FROM, Indexed, Library, Moment, PaperRow};
use crate::paper::{Date, Paper};
use crate::vector::{RowId, Vectors, dot, normalise};

pub use duplicates::{Group, duplicates};

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
    /// How to look for them.
    pub search: Search,
}

impl Default for Limits {
    fn default() -> Self {
        Self { count: 10, since: None, until: None, search: Search::Auto }
    }
}

/// A library with its index, ready for many questions.
pub struct Desk<'a> {
    library: &'a Library,
    /// Papers, vectors and index are of one moment, that of the first question.
    _moment: Option<Moment<'a>>,
    kept: Indexed,
    /// What answers in its place once it was found to be damaged, and what was found.
    rebuilt: OnceCell<(Index, String)>,
}

impl<'a> Desk<'a> {
    /// Opens the index, or makes it in memory.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] or [`Error::LibraryDamaged`].
    pub fn new(library: &'a Library) -> Result<Self> {
        Ok(Self { library, _moment: library.moment()?, kept: library.index()?, rebuilt: OnceCell::new() })
    }

    /// What was found to be wrong with the index so far. The answers were right all the same.
    pub fn damage(&self) -> Option<&str> {
        self.rebuilt.get().map(|(_, damage)| damage).or(self.kept.damage.as_ref()).map(String::as_str)
    }

    /// Asks the index; one that turns out to be damaged is made anew, in memory.
    fn ask<T>(&self, question: impl Fn(&Index) -> Result<T>) -> Result<T> {
        if let Some((index, _)) = self.rebuilt.get() {
            return question(index);
        }
        match question(&self.kept.index) {
            Err(Error::IndexDamaged { what }) => {
                let index = self.library.build_index()?;
                question(&self.rebuilt.get_or_init(|| (index, what)).0)
            }
            answer => answer,
        }
    }

    /// The papers most like the seeds, without them.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] without a seed, or where a seed has no vector.
    pub fn similar(&self, seeds: &[PaperRow], limits: &Limits) -> Result<Vec<Hit>> {
        let vectors = seeds.iter().map(|&seed| self.vector_of(seed)).collect::<Result<Vec<_>>>()?;
        let Some(first) = vectors.first() else { return Err(Error::usage("no paper to start from")) };
        let mut query = vec![0.0; first.len()];
        for vector in &vectors {
            query.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
        normalise(&mut query);
        let found = self.nearest(&query, limits, seeds)?;
        found.into_iter().map(|near| self.hit(near, seeds, &vectors)).collect()
    }

    /// The papers nearest to a text.
    ///
    /// # Errors
    ///
    /// [`Error::OtherModel`] if the library's vectors are of another model than the embedder's.
    pub fn search(&self, text: &str, embedder: &Embedder, limits: &Limits) -> Result<Vec<Hit>> {
        self.library.require_space(embedder.space())?;
        let query = embedder.embed(&[text], Role::Query)?;
        if self.ask(|index| Ok(index.is_empty()))? {
            return Ok(Vec::new());
        }
        self.nearest(&rounded(&query), limits, &[])?.into_iter().map(|near| self.hit(near, &[], &[])).collect()
    }

    /// The papers nearest to a vector, without those given.
    fn nearest(&self, query: &[f32], limits: &Limits, without: &[PaperRow]) -> Result<Vec<Near>> {
        // One that is damaged is made anew, and until then every search is exact.
        if matches!(limits.search, Search::Graph(_)) && !self.kept.index.has_graph() && self.kept.damage.is_none() {
            return Err(no_graph());
        }
        let allowed = match (limits.since, limits.until) {
            (None, None) => None,
            (since, until) => Some(self.library.published_between(since, until)?),
        };
        self.ask(|index| {
            let labels = allowed.as_ref().map(|papers| papers.iter().map(|paper| paper.0).collect::<Vec<_>>());
            let mut within = labels.map_or_else(|| Ok(RowSet::all(index.len())), |labels| index.rows_of(&labels))?;
            for seed in without {
                index.row_of(seed.0)?.into_iter().for_each(|row| within.remove(row));
            }
            let near = |Neighbour { row, cosine }| Ok(Near { paper: PaperRow(index.label(row)?), vector: index.vector(row)?, cosine });
            index.nearest(query, limits.count, limits.search, &within)?.into_iter().map(near).collect()
        })
    }

    fn vector_of(&self, paper: PaperRow) -> Result<Vec<f32>> {
        let vector = self.ask(|index| index.row_of(paper.0)?.map(|row| index.vector(row)).transpose())?;
        vector.ok_or_else(|| {
            let id = self.library.paper(paper).map(|paper| paper.id().to_string()).unwrap_or_default();
            Error::Usage {
                message: format!("{id} has no abstract, and so no vector"),
                hint: Some("`paperkin add --title-only FILE` embeds such papers by their title; `paperkin search TITLE` asks with it".to_owned()),
            }
        })
    }

    fn hit(&self, near: Near, seeds: &[PaperRow], vectors: &[Vec<f32>]) -> Result<Hit> {
        let Near { paper, vector, cosine } = near;
        let paper = self.library.paper(paper)?;
        let with_cosine = seeds.iter().zip(vectors).map(|(&seed, of_seed)| (seed, dot(&vector, of_seed)));
        let nearest_seed = with_cosine.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let reasons = match nearest_seed {
            Some((seed, cosine)) if seeds.len() > 1 => {
                let seed = self.library.paper(seed)?;
                vec![Reason::Nearest { seed: seed.id().to_string(), title: seed.title, cosine }]
            }
            _ => Vec::new(),
        };
        Ok(Hit { paper, score: cosine, cosine, reasons })
    }
}

fn no_graph() -> Error {
    Error::Usage {
        message: "the library's index has no graph, and so every search is exact".to_owned(),
        hint: Some(format!("a library has one from {GRAPH_FROM} papers on; `--search exact` and `--search auto` need none")),
    }
}

/// A paper that the index found.
struct Near {
    paper: PaperRow,
    vector: Vec<f32>,
    cosine: f32,
}

/// A query is rounded to f16 as stored vectors are, so that a text finds itself with the same number everywhere.
fn rounded(query: &Vectors) -> Vec<f32> {
    query.row(RowId(0)).iter().map(|&x| half::f16::from_f32(x).to_f32()).collect()
}

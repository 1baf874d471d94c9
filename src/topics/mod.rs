//! Papers to topics: groups of papers that are alike, with names, and the few that belong to none.
//!
//! ```text
//! papers ─ neighbours ─▶ graph ─ leiden ─▶ groups ─ names ─▶ topics
//!          few papers: every pair ─ linkage ─▶
//! ```
//!
//! The number of topics is found. Nothing is left to chance: the same papers give the same topics, whatever the number of
//! threads. What is computed is not kept: asking never writes.
//!
//! | file | what it does |
//! |---|---|
//! | `graph` | papers to a graph of those that are alike |
//! | `leiden` | communities of a graph |
//! | `linkage` | groups of a few papers |
//! | `names` | what a topic is called |
//! | `layout` | places on a map |

mod graph;
mod layout;
mod leiden;
mod linkage;
mod names;

use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::library::{Filter, Library, PaperRow};
use crate::vector::{Vectors, normalise};
use graph::Papers;

pub use layout::{Position, lay_out};

/// Below so many papers every pair is compared.
const FEW: usize = 60;

/// How fine topics are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum Granularity {
    Coarse,
    #[default]
    Medium,
    Fine,
}

impl FromStr for Granularity {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "coarse" => Ok(Self::Coarse),
            "medium" => Ok(Self::Medium),
            "fine" => Ok(Self::Fine),
            other => Err(Error::usage(format!("no granularity {other:?}; expected coarse, medium or fine"))),
        }
    }
}

/// What topics are to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which papers. Those without a vector are left out.
    pub filter: Filter,
    /// Only these of them.
    pub among: Option<Vec<PaperRow>>,
    /// How fine.
    pub granularity: Granularity,
    /// As many topics as this, if the papers allow; else their number is found.
    pub count: Option<usize>,
    /// The largest share of papers that may be left over.
    pub max_leftover: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self { filter: Filter::default(), among: None, granularity: Granularity::Medium, count: None, max_leftover: 0.1 }
    }
}

/// Papers in topics.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    /// The largest first.
    pub topics: Vec<Topic>,
    /// Papers in no topic, the one that comes nearest to belonging to one first.
    pub leftovers: Vec<Member>,
    /// Papers that have no vector.
    pub without_vector: u64,
}

/// A group of papers.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Two or three phrases.
    pub name: String,
    /// More of them, the most telling first.
    pub keywords: Vec<Keyword>,
    /// The most typical first: the first one is the medoid, and the last the most surprising.
    pub members: Vec<Member>,
}

/// A phrase that tells what a topic is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Keyword {
    /// As its papers write it.
    pub text: String,
    /// The share of the topic's papers that have it.
    pub share: f32,
}

/// A paper and a topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The paper.
    pub paper: PaperRow,
    /// Its topic; of a left-over, the nearest.
    pub topic: usize,
    /// Its cosine to the mean of the topic's papers.
    pub score: f32,
}

/// The topics of the papers that a filter lets through.
///
/// # Errors
///
/// [`Error::Usage`] if an option means nothing, and those of the library.
pub fn topics(library: &Library, options: &Options) -> Result<Topics> {
    if !(0.0..=1.0).contains(&options.max_leftover) {
        return Err(Error::usage(format!("left-overs of {}; expected a share from 0 to 1", options.max_leftover)));
    }
    if options.count == Some(0) {
        return Err(Error::usage("no topics: expected a number from 1 on"));
    }
    let (papers, without_vector) = Papers::read(library, options)?;
    let mut groups = match papers.len() {
        0..FEW => linkage::groups(&papers, options),
        _ => graph::groups(&papers, options)?,
    };
    // The largest first; of equals, the one whose first paper came first.
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group.first().copied()));
    let centroids: Vec<Vec<f32>> = groups.iter().map(|group| papers.centroid(group)).collect();
    let in_topic = |topic: usize, row: usize| Member { paper: papers.rows[row], topic, score: papers.score(row, &centroids[topic]) };
    let sorted = |mut members: Vec<Member>| {
        members.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.paper.cmp(&b.paper)));
        members
    };
    let mut is_placed = vec![false; papers.len()];
    groups.iter().flatten().for_each(|row| is_placed[*row] = true);
    let nearest = |row: usize| {
        let members = (0..groups.len()).map(|topic| in_topic(topic, row));
        members.reduce(|best, next| if next.score > best.score { next } else { best })
    };
    let alone = |row: usize| nearest(row).unwrap_or(Member { paper: papers.rows[row], topic: 0, score: 0.0 });
    let leftovers = sorted((0..papers.len()).filter(|row| !is_placed[*row]).map(alone).collect());
    let named = names::names(&papers, &groups);
    let topic = |((number, group), (name, keywords)): ((usize, &Vec<usize>), (String, Vec<Keyword>))| Topic {
        name,
        keywords,
        members: sorted(group.iter().map(|&row| in_topic(number, row)).collect()),
    };
    let topics = groups.iter().enumerate().zip(named).map(topic).collect();
    Ok(Topics { topics, leftovers, without_vector })
}

/// The place on a map of each of some papers: near those that it is like. A paper without a vector has none.
///
/// # Errors
///
/// Those of the library.
pub fn places(library: &Library, papers: &[PaperRow]) -> Result<Vec<Option<Position>>> {
    /// Neighbours that hold a paper in its place.
    const NEIGHBOURS: usize = 15;
    let vectors = papers.iter().map(|&paper| library.vector(paper)).collect::<Result<Vec<_>>>()?;
    let with_vector: Vec<&Vec<f32>> = vectors.iter().flatten().collect();
    let Some(dim) = with_vector.first().map(|vector| vector.len()) else { return Ok(vec![None; papers.len()]) };
    let matrix = Vectors::from_rows(dim, with_vector.into_iter().flatten().copied().collect());
    let neighbours = graph::nearest(&matrix, NEIGHBOURS)?;
    let mut positions = lay_out(&matrix, &neighbours).into_iter();
    Ok(vectors.iter().map(|vector| vector.as_ref().and_then(|_| positions.next())).collect())
}

impl Papers {
    /// The mean of some papers' vectors, of length 1.
    fn centroid(&self, group: &[usize]) -> Vec<f32> {
        let mut mean = vec![0.0; self.dim()];
        for &row in group {
            mean.iter_mut().zip(&self.features[row].vector).for_each(|(sum, x)| *sum += x);
        }
        normalise(&mut mean);
        mean
    }

    fn score(&self, row: usize, centroid: &[f32]) -> f32 {
        crate::vector::dot(&self.features[row].vector, centroid)
    }
}

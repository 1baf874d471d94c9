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
//! | `papers` | what is known of the papers; middles of topics |
//! | `graph` | many papers: the graph of those that are alike, and its communities |
//! | `leiden` | communities of a graph |
//! | `linkage` | a few papers: groups |
//! | `spans`, `names` | phrases, and what a topic is called |
//! | `days`, `assign` | topics that go on from day to day |
//! | `layout` | places on a map |

mod assign;
mod days;
mod graph;
mod layout;
mod leiden;
mod linkage;
mod names;
mod papers;
mod spans;

use std::str::FromStr;

use rayon::prelude::*;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::library::{Filter, Library, PaperRow};
use crate::paper::Date;
use crate::vector::Vectors;
use graph::Tied;
use names::Named;
use papers::{Centroid, Papers};

pub use days::{Before, Change, Gone, by_day, partners};
pub use layout::{Position, lay_out};

/// Up to so many papers every pair is compared.
const FEW: usize = 100;
/// The most typical paper of a topic is looked for among so many that are most like the others.
const CENTRAL: usize = 100;
/// A topic of so many papers has topics of its own.
const MANY: usize = 150;

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
    /// The day whose papers they are, if they are of a day.
    pub day: Option<Date>,
    /// True if earlier days are known with which they may go on.
    pub is_compared: bool,
    /// Topics of the day before that are not there any more.
    pub gone: Vec<Gone>,
}

/// A group of papers.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its number: of a day's topic, that of the topic of earlier days with which it goes on.
    pub id: i64,
    /// How it stood before, if it goes on.
    pub before: Option<Before>,
    /// What it is called: two or three phrases, in parentheses those that fewer than half of its papers have.
    pub name: String,
    /// Phrases that its papers have and others have not: first those of the name, and then the most telling first.
    pub keywords: Vec<Keyword>,
    /// How many of the keywords are in the name; none if it is called as on an earlier day, or by a command, or, as no phrase tells
    /// anything, by the title of its medoid.
    pub in_name: usize,
    /// Those most like the others first: the first one is the medoid, and the last the most surprising.
    pub members: Vec<Member>,
    /// The most typical paper: the one that belongs most clearly here and to no other topic.
    pub typical: Option<PaperRow>,
    /// Topics within it, if it has many papers.
    pub parts: Vec<Topic>,
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
    /// How like the topic it is: the cosine, in meaning and words, to the middle of the topic's other papers.
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
    let (topics, leftovers) = papers.sort(&(0..papers.len()).collect::<Vec<_>>(), options, None)?;
    Ok(Topics { topics, leftovers, without_vector, ..Topics::default() })
}

impl Papers {
    /// Topics of some papers, and those of them that are left over. Ties that are known need not be looked for.
    fn sort(&self, rows: &[usize], options: &Options, tied: Option<&Tied>) -> Result<(Vec<Topic>, Vec<Member>)> {
        let (groups, tied) = self.groups(rows, options, tied)?;
        let centroids: Vec<Centroid> = groups.par_iter().map(|group| self.centroid(group)).collect();
        let named = names::names(self, rows, &groups);
        let topics = groups.iter().zip(named).enumerate().map(|(number, (group, named))| {
            let mut topic = self.topic(number, group, &centroids, named);
            if group.len() >= MANY && groups.len() > 1 {
                topic.parts = self.parts(group, tied.as_ref())?;
            }
            Ok(topic)
        });
        let topics = topics.collect::<Result<Vec<Topic>>>()?;
        let left = rows.iter().filter(|row| !groups.iter().any(|group| group.binary_search(row).is_ok()));
        let leftovers = left.filter_map(|row| self.nearest(*row, &centroids, None)).collect();
        Ok((topics, by_score(leftovers)))
    }

    fn topic(&self, number: usize, group: &[usize], centroids: &[Centroid], named: Named) -> Topic {
        let score = |row: &usize| (centroids[number].cosine_of_member(&self.features[*row]), *row);
        let mut scored: Vec<(f32, usize)> = group.par_iter().map(score).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(self.rows[a.1].cmp(&self.rows[b.1])));
        let other = |row: usize| self.nearest(row, centroids, Some(number)).map_or(0.0, |other| other.score);
        let leads = scored.iter().take(CENTRAL).map(|&(score, row)| (score - other(row), row));
        let typical = leads.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, row)| self.rows[row]);
        let title = scored.first().map(|(_, row)| self.briefs[*row].title.as_str()).unwrap_or_default();
        Topic {
            id: number as i64 + 1,
            before: None,
            name: named.label(title),
            in_name: named.in_name,
            keywords: named.keywords,
            members: scored.iter().map(|&(score, row)| Member { paper: self.rows[row], topic: number, score }).collect(),
            typical,
            parts: Vec::new(),
        }
    }

    /// Groups of some papers, the largest first; rows ascend. One in none of them is left over.
    fn groups(&self, rows: &[usize], options: &Options, tied: Option<&Tied>) -> Result<(Vec<Vec<usize>>, Option<Tied>)> {
        let distinct = self.distinct(rows);
        let first: Vec<usize> = distinct.iter().map(|same| same[0]).collect();
        let tied = match tied {
            _ if first.len() <= FEW => None,
            Some(tied) => Some(tied.within(first.clone())),
            None => Some(Tied::new(self, first.clone())?),
        };
        let mut groups = match &tied {
            Some(tied) => graph::groups(self, tied, options),
            None => linkage::groups(self, &first, options),
        };
        // What is the same to the bit is in the same topic.
        let place = |row: usize| first.partition_point(|other| *other < row);
        for group in &mut groups {
            *group = group.iter().flat_map(|row| distinct[place(*row)].iter().copied()).collect();
            group.sort_unstable();
        }
        groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group.first().copied()));
        Ok((groups, tied))
    }

    /// Topics within a topic; none if it is one.
    fn parts(&self, group: &[usize], tied: Option<&Tied>) -> Result<Vec<Topic>> {
        let (parts, _) = self.sort(group, &Options { max_leftover: 0.0, ..Options::default() }, tied)?;
        Ok(if parts.len() > 1 { parts } else { Vec::new() })
    }

    /// The topic that a paper is most like, but for one; of equals the first.
    fn nearest(&self, row: usize, centroids: &[Centroid], without: Option<usize>) -> Option<Member> {
        let others = (0..centroids.len()).filter(|topic| Some(*topic) != without);
        let members = others.map(|topic| Member { paper: self.rows[row], topic, score: centroids[topic].cosine(&self.features[row]) });
        members.reduce(|best, next| if next.score > best.score { next } else { best })
    }
}

/// The highest score first.
fn by_score(mut members: Vec<Member>) -> Vec<Member> {
    members.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.paper.cmp(&b.paper)));
    members
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

//! How well papers are found that ought to be: recall@k, nDCG and MRR on a person's own data.
//!
//! ```text
//! recall@k  the share of the relevant papers among the first k
//! nDCG@10   Σ 1 / log2(1 + place) over the relevant ones of the first 10, divided by the highest possible (Järvelin and Kekäläinen, 2002)
//! MRR       1 / the place of the first relevant one of 100
//! ```
//!
//! Each is a mean over the queries, also over those of every other number: settings that are chosen on the one half of the queries
//! should be better on the other half too.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::{Desk, Options, Query};
use crate::error::{Error, Result};
use crate::library::{Library, PaperRow};

/// Papers that are cited by more than this many say nothing about likeness.
pub const HUB: usize = 100;
/// A paper that cites fewer is no query.
pub const FEWEST: usize = 5;
/// Papers that are looked at of each answer.
const DEPTH: usize = 100;

/// A question, and the papers that ought to be found.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The paper that is asked with.
    pub query: PaperRow,
    /// Ascending.
    pub relevant: Vec<PaperRow>,
}

/// What there is to measure with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgements {
    /// In the order of the queries' ids.
    pub all: Vec<Judgement>,
    /// Lines whose papers the library does not have, or has without a vector.
    pub unknown: u64,
}

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// With the paper.
    Paper,
    /// With every other one of the papers that ought to be found, for the rest of them.
    Profile,
}

/// Means over queries, from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Scores {
    pub queries: u64,
    pub recall_at_10: f64,
    pub ndcg_at_10: f64,
    pub recall_at_100: f64,
    pub mrr: f64,
}

/// Over all queries, over the 1st, 3rd and so on, and over the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Evaluation {
    pub all: Scores,
    pub odd: Scores,
    pub even: Scores,
}

impl Judgements {
    /// Reads pairs of ids, a paper and one that it cites, with a tab between them, or TREC's qrels: query, a number, paper,
    /// relevance. Of pairs, papers cited by more than [`HUB`] are set aside, and then papers that cite fewer than [`FEWEST`].
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] names the first line that is neither, and [`Error::Usage`] if the library knows nothing of it all.
    pub fn read(library: &Library, origin: &str, text: &str) -> Result<Self> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        let mut is_qrels = false;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let relevance = words.get(3).and_then(|word| word.parse::<i64>().ok());
            match (words.as_slice(), relevance) {
                ([query, _, paper, _], Some(relevance)) => {
                    is_qrels = true;
                    pairs.extend((relevance > 0).then_some((*query, *paper)));
                }
                ([query, paper, ..], None) => pairs.push((query, paper)),
                _ => {
                    let hint = Some("expected two ids with a tab between them, or `query 0 paper relevance`".to_owned());
                    return Err(Error::Unreadable { origin: format!("{origin}:{}", number + 1), what: format!("no pair of papers: {line:?}"), hint });
                }
            }
        }
        let mut rows: BTreeMap<&str, Option<PaperRow>> = pairs.iter().flat_map(|(query, paper)| [(*query, None), (*paper, None)]).collect();
        for (id, row) in &mut rows {
            let found = library.by_id(id)?;
            *row = found.map(|row| Ok::<_, Error>(library.vector(row)?.map(|_| row))).transpose()?.flatten();
        }
        let mut cited: BTreeMap<&str, usize> = BTreeMap::new();
        pairs.iter().for_each(|(_, paper)| *cited.entry(paper).or_default() += 1);
        let (hub, fewest) = if is_qrels { (usize::MAX, 1) } else { (HUB, FEWEST) };
        let mut found: BTreeMap<&str, Vec<PaperRow>> = BTreeMap::new();
        let mut unknown = 0;
        for (query, paper) in pairs.into_iter().filter(|(_, paper)| cited[paper] <= hub) {
            match (rows[query], rows[paper]) {
                (Some(of_query), Some(row)) if of_query != row => found.entry(query).or_default().push(row),
                (Some(_), Some(_)) => {}
                _ => unknown += 1,
            }
        }
        let judgement = |(query, mut relevant): (&str, Vec<PaperRow>)| {
            relevant.sort_unstable();
            relevant.dedup();
            (relevant.len() >= fewest).then_some(Judgement { query: rows[query]?, relevant })
        };
        let all: Vec<Judgement> = found.into_iter().filter_map(judgement).collect();
        if all.is_empty() {
            let what = if is_qrels { "no query has a relevant paper".to_owned() } else { format!("no paper cites {FEWEST} others") };
            return Err(Error::Usage { message: format!("{origin}: {what} that the library has, of {unknown} unknown"), hint: None });
        }
        Ok(Self { all, unknown })
    }
}

impl Desk<'_> {
    /// Asks every question; `progress` is called after each.
    ///
    /// # Errors
    ///
    /// As [`Desk::rank`].
    pub fn evaluate(&self, judgements: &Judgements, ask: Ask, options: &Options, progress: &mut dyn FnMut(u64)) -> Result<Evaluation> {
        let options = Options { count: DEPTH, ..options.clone() };
        let mut scores = [Scores::default(), Scores::default()];
        // Of one citation none would be left to be found.
        let fewest = if ask == Ask::Profile { 2 } else { 1 };
        for (number, Judgement { query, relevant }) in judgements.all.iter().filter(|judgement| judgement.relevant.len() >= fewest).enumerate() {
            let (likes, wanted): (Vec<PaperRow>, HashSet<PaperRow>) = match ask {
                Ask::Paper => (vec![*query], relevant.iter().copied().collect()),
                Ask::Profile => (relevant.iter().step_by(2).copied().collect(), relevant.iter().skip(1).step_by(2).copied().collect()),
            };
            let likes = likes.into_iter().map(|row| self.seed(row, 1.0)).collect::<Result<Vec<_>>>()?;
            let ranked = self.rank(&Query { likes, without: vec![*query], ..Query::default() }, &options)?;
            scores[number % 2].take(&ranked.iter().map(|ranked| wanted.contains(&ranked.paper)).collect::<Vec<_>>(), wanted.len());
            progress(number as u64 + 1);
        }
        let [odd, even] = scores;
        let all = odd + even;
        Ok(Evaluation { all: all.means(), odd: odd.means(), even: even.means() })
    }
}

impl std::ops::Add for Scores {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            queries: self.queries + other.queries,
            recall_at_10: self.recall_at_10 + other.recall_at_10,
            ndcg_at_10: self.ndcg_at_10 + other.ndcg_at_10,
            recall_at_100: self.recall_at_100 + other.recall_at_100,
            mrr: self.mrr + other.mrr,
        }
    }
}

impl Scores {
    /// Takes one answer in: of each place, whether its paper is relevant, of so many that are.
    fn take(&mut self, hits: &[bool], relevant: usize) {
        let among = |k: usize| hits.iter().take(k).filter(|hit| **hit).count() as f64 / relevant as f64;
        let gain = |place: usize| 1.0 / (place as f64 + 2.0).log2();
        let best: f64 = (0..relevant.min(10)).map(gain).sum();
        self.queries += 1;
        self.recall_at_10 += among(10);
        self.recall_at_100 += among(100);
        self.ndcg_at_10 += hits.iter().take(10).enumerate().filter(|(_, hit)| **hit).map(|(place, _)| gain(place)).sum::<f64>() / best;
        self.mrr += hits.iter().position(|hit| *hit).map_or(0.0, |place| 1.0 / (place as f64 + 1.0));
    }

    fn means(self) -> Self {
        let mean = |sum: f64| sum / self.queries.max(1) as f64;
        Self {
            queries: self.queries,
            recall_at_10: mean(self.recall_at_10),
            ndcg_at_10: mean(self.ndcg_at_10),
            recall_at_100: mean(self.recall_at_100),
            mrr: mean(self.mrr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_formulas() {
        let mut scores = Scores::default();
        // Two of four relevant papers, at the 1st and the 3rd place.
        scores.take(&[true, false, true], 4);
        scores.take(&[false, true], 1);
        let means = scores.means();
        let first = (1.0 + 1.0 / 4f64.log2()) / (1.0 + 1.0 / 3f64.log2() + 1.0 / 4f64.log2() + 1.0 / 5f64.log2());
        assert_eq!((means.recall_at_10, means.mrr), (0.75, 0.75));
        assert!((means.ndcg_at_10 - (first + 1.0 / 3f64.log2()) / 2.0).abs() < 1e-12);
    }
}

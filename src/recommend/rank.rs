//! From a pool of papers to their order: likeness, then their neighbours, then what else a person asked for.

use rayon::prelude::*;

use super::extras;
use super::linear::Direction;
use super::query::{Options, Query};
use super::reasons::counted;
use super::smooth::smoothed;
use super::strategy::Judge;
use crate::library::{Brief, PaperRow};
use crate::likeness::{Compared, Counted, Features, Rarities};

/// A paper that may be in the answer.
pub(super) struct Candidate {
    pub paper: PaperRow,
    /// To the mean of the liked.
    pub cosine: Option<f32>,
    /// Zeros for a paper without one.
    pub vector: Vec<f32>,
}

/// A paper in its place, before anybody asked why.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// The paper.
    pub paper: PaperRow,
    /// As of a [`super::Hit`].
    pub score: f32,
    /// As of a [`super::Hit`].
    pub cosine: Option<f32>,
    /// What the dislikes took from the score.
    pub(super) cost: f32,
    pub(super) gain_of_day: f32,
    pub(super) gain_of_votes: f32,
    pub(super) features: Features,
}

/// The best of a pool. `briefs` are those of its papers, or empty if nothing but vectors counts.
pub(super) fn rank(query: &Query, options: &Options, pool: Vec<Candidate>, briefs: &[Brief], learnt: Option<Direction>) -> Vec<Ranked> {
    let blend = options.blend;
    let (judge, features) = features(query, options, &pool, briefs, learnt);
    let judged = judge.judge(&features);
    let ranked = |((Candidate { paper, cosine, .. }, features), (score, cost)): ((Candidate, Features), (f32, f32))| Ranked {
        paper,
        score,
        cosine,
        cost,
        gain_of_day: 0.0,
        gain_of_votes: 0.0,
        features,
    };
    let most_votes = briefs.iter().filter_map(|brief| brief.upvotes).max().unwrap_or(0);
    let gains = |brief: &Brief| {
        let of_day = options.recent.map_or(0.0, |recent| extras::of_day(brief.published, recent));
        (of_day, extras::of_votes(brief.upvotes, most_votes, options.popular))
    };
    let mut ranked: Vec<Ranked> = pool.into_iter().zip(features).zip(judged).map(ranked).collect();
    ranked.iter_mut().zip(briefs.iter().map(gains)).for_each(|(ranked, gains)| (ranked.gain_of_day, ranked.gain_of_votes) = gains);
    sort(&mut ranked);
    if blend > 0.0 && blend < 1.0 {
        let scores: Vec<f32> = ranked.iter().map(|ranked| ranked.score).collect();
        let new = smoothed(&scores, |one, count| likeness(&ranked, one, count, blend));
        ranked.iter_mut().zip(new).for_each(|(ranked, score)| ranked.score = score);
    }
    ranked.iter_mut().for_each(|ranked| ranked.score += ranked.gain_of_day + ranked.gain_of_votes);
    sort(&mut ranked);
    if options.diversity > 0.0 {
        let scores: Vec<f32> = ranked.iter().map(|ranked| ranked.score).collect();
        let order = extras::diverse(&scores, |one| likeness(&ranked, one, ranked.len(), blend), options.count, options.diversity);
        return order.into_iter().map(|place| ranked[place].clone()).collect();
    }
    ranked.truncate(options.count);
    ranked
}

/// Papers behind the pool, in the order of their cosines: the lowest score of the pool, less what a cosine is short of 1.
pub(super) fn append(ranked: &mut Vec<Ranked>, behind: impl Iterator<Item = Candidate>, count: usize) {
    let lowest = ranked.iter().map(|ranked| ranked.score).fold(0.0, f32::min);
    let one = |Candidate { paper, cosine, vector }| {
        let score = lowest + cosine.unwrap_or(-1.0) - 1.0;
        Ranked { paper, score, cosine, cost: 0.0, gain_of_day: 0.0, gain_of_votes: 0.0, features: Features::of_vector(vector) }
    };
    let mut behind: Vec<Ranked> = behind.map(one).collect();
    sort(&mut behind);
    ranked.extend(behind);
    ranked.truncate(count);
}

/// How like one paper is to each of the first so many.
fn likeness(ranked: &[Ranked], one: usize, count: usize, blend: f32) -> Vec<f32> {
    let one = Compared::new(&ranked[one].features, blend);
    ranked[..count].iter().map(|other| one.to(&other.features)).collect()
}

/// The best first; of equals, the one that came first.
fn sort(ranked: &mut [Ranked]) {
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.paper.cmp(&b.paper)));
}

/// What is compared: of the seeds, as those who judge, and of the pool.
fn features(query: &Query, options: &Options, pool: &[Candidate], briefs: &[Brief], learnt: Option<Direction>) -> (Judge, Vec<Features>) {
    let seeds = || query.likes.iter().chain(&query.dislikes);
    let vectors = || seeds().map(|seed| &seed.vector).chain(pool.iter().map(|candidate| &candidate.vector)).cloned();
    let mut all: Vec<Features> = match options.blend > 0.0 {
        true => {
            let texts: Vec<&Brief> = seeds().map(|seed| &seed.text).chain(briefs).collect();
            let words: Vec<Counted> = texts.into_par_iter().map(counted).collect();
            let rarities = Rarities::of(&words, seeds().count());
            vectors().zip(&words).map(|(vector, words)| rarities.features(vector, words)).collect()
        }
        false => vectors().map(Features::of_vector).collect(),
    };
    let of_pool = all.split_off(seeds().count());
    let dislikes = all.split_off(query.likes.len());
    (Judge::new(query, options, [all, dislikes], learnt), of_pool)
}

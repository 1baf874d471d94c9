//! The likeness of a paper to several seeds as one number.
//!
//! With `l` the likeness to a liked seed, `d` that to a disliked one, `w` their weights, which sum to 1 on either side, and `s` the
//! mean weight of the disliked as it was given, 1 unless somebody says otherwise:
//!
//! ```text
//! average   2 · Σ w·l - s · Σ w·d, or Σ w·l without dislikes
//! best      f(the highest l), or -f(the highest d) if that is as high, with f(x) = (x / (1 + |x|) + 1) / 2
//! sum       Σ w·l - Σ w·d, both with the weights as they were given
//! auto      ((1 - h) · Σ w·l + h · the highest l + t · what was learnt) / (1 + t)
//!           - s · (0.1 · Σ w·d + as far as the highest d is more than 0.05 above the highest l)
//! ```
//!
//! The first three are those of Qdrant's recommendation API, with likeness in place of the cosine, which it is with a blend of 0.
//! `h` is 0.3, and 0.15 from ten likes on; what is learnt is the paper's place along the direction of `linear`, and `t` is 0 for one
//! or two likes, 0.3 from three on and 0.5 from ten on. `benches/README.md` has what each of them found; a greater weight of the
//! dislikes found less.

use std::str::FromStr;

use super::OWN_NEAREST;
use super::linear::Direction;
use super::query::{Options, Query, Seed};
use crate::error::{Error, Result};
use crate::likeness::{Compared, Features};
use crate::vector::normalise;

/// How several seeds count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// What was measured to be best.
    #[default]
    Auto,
    /// The likeness to the mean of the liked, less that to the mean of the disliked.
    Average,
    /// The highest likeness to a liked one, unless one to a disliked is higher.
    Best,
    /// The sum of the likenesses.
    Sum,
}

impl Strategy {
    /// Their names.
    pub const NAMES: [&'static str; 4] = ["auto", "average", "best", "sum"];
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "average" => Ok(Self::Average),
            "best" => Ok(Self::Best),
            "sum" => Ok(Self::Sum),
            other => Err(Error::usage(format!("no strategy {other:?}; expected one of {}", Self::NAMES.join(", ")))),
        }
    }
}

/// The mean of the seeds' vectors by their weights.
pub(super) fn weighted_mean(seeds: &[Seed]) -> Vec<f32> {
    let mut mean = vec![0.0; seeds.first().map_or(0, |seed| seed.vector.len())];
    let weights: f32 = seeds.iter().map(|seed| seed.weight).sum();
    for seed in seeds {
        mean.iter_mut().zip(&seed.vector).for_each(|(sum, x)| *sum += seed.weight / weights * x);
    }
    mean
}

/// The same, of length 1; one seed is its own mean, to the last bit.
pub(super) fn mean(seeds: &[Seed]) -> Vec<f32> {
    if let [seed] = seeds {
        return seed.vector.clone();
    }
    let mut mean = weighted_mean(seeds);
    normalise(&mut mean);
    mean
}

/// The vectors whose nearest papers are the pool: the mean, with what was learnt or less what is disliked, and the heaviest seeds.
pub(super) fn directions(query: &Query, strategy: Strategy, learnt: Option<&Direction>) -> Vec<Vec<f32>> {
    let total = |seeds: &[Seed]| seeds.iter().map(|seed| seed.weight).sum::<f32>();
    let mut first = mean(&query.likes);
    let add = |first: &mut Vec<f32>, factor: f32, x: &[f32]| first.iter_mut().zip(x).for_each(|(to, x)| *to += factor * x);
    if let Some(Direction { along, .. }) = learnt {
        first = weighted_mean(&query.likes);
        add(&mut first, weight_of_learnt(query.likes.len()), along);
    }
    let against = match strategy {
        Strategy::Average => total(&query.dislikes) / query.dislikes.len() as f32 / 2.0,
        Strategy::Sum => total(&query.dislikes) / total(&query.likes),
        Strategy::Auto | Strategy::Best => 0.0,
    };
    if against > 0.0 {
        first = weighted_mean(&query.likes);
        add(&mut first, -against, &weighted_mean(&query.dislikes));
    }
    if learnt.is_some() || against > 0.0 {
        normalise(&mut first);
    }
    let mut directions = vec![first];
    if query.likes.len() > 1 || against > 0.0 {
        let mut heaviest: Vec<&Seed> = query.likes.iter().collect();
        heaviest.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        directions.extend(heaviest.iter().take(OWN_NEAREST).map(|seed| seed.vector.clone()));
    }
    directions
}

/// From so many likes on the mean counts more, and so does what is learnt.
const MANY: usize = 10;
/// From so many on anything is learnt.
pub(super) const LEARNS_FROM: usize = 3;

/// How much the nearest seed counts beside the mean.
fn weight_of_highest(likes: usize) -> f32 {
    if likes < MANY { 0.3 } else { 0.15 }
}

/// How much what was learnt counts beside likeness.
fn weight_of_learnt(likes: usize) -> f32 {
    match likes {
        ..LEARNS_FROM => 0.0,
        LEARNS_FROM..MANY => 0.3,
        MANY.. => 0.5,
    }
}

/// How much the mean of the disliked counts.
const DISLIKED: f32 = 0.1;
/// By how much a paper may be liker to a disliked one than to any liked.
const TOLERANCE: f32 = 0.05;

/// Seeds on one side.
struct Side {
    seeds: Vec<Features>,
    weights: Vec<f32>,
    /// The sum of the weights as they were given.
    total: f32,
}

impl Side {
    fn new(seeds: Vec<Features>, weights: &[f32]) -> Self {
        let total: f32 = weights.iter().sum();
        Self { seeds, weights: weights.iter().map(|weight| weight / total).collect(), total }
    }

    /// The mean weight as it was given.
    fn strength(&self) -> f32 {
        self.total / self.seeds.len().max(1) as f32
    }

    /// What the side says of each paper.
    fn judged(&self, papers: &[Features], blend: f32) -> Vec<Judged> {
        let mut judged = vec![Judged { highest: f32::NEG_INFINITY, average: 0.0 }; papers.len()];
        for (seed, weight) in self.seeds.iter().zip(&self.weights) {
            let seed = Compared::new(seed, blend);
            for (judged, paper) in judged.iter_mut().zip(papers) {
                let likeness = seed.to(paper);
                judged.highest = judged.highest.max(likeness);
                judged.average += weight * likeness;
            }
        }
        judged
    }
}

/// The likeness of a paper to the seeds of one side.
#[derive(Debug, Clone, Copy)]
struct Judged {
    highest: f32,
    average: f32,
}

/// Seeds ready to judge papers.
pub(super) struct Judge {
    strategy: Strategy,
    blend: f32,
    likes: Side,
    dislikes: Side,
    learnt: Option<Direction>,
}

impl Judge {
    /// The features are those of the liked and of the disliked.
    pub(super) fn new(query: &Query, options: &Options, [likes, dislikes]: [Vec<Features>; 2], learnt: Option<Direction>) -> Self {
        let weights = |seeds: &[Seed]| seeds.iter().map(|seed| seed.weight).collect::<Vec<_>>();
        let (likes, dislikes) = (Side::new(likes, &weights(&query.likes)), Side::new(dislikes, &weights(&query.dislikes)));
        Self { strategy: options.strategy, blend: options.blend, likes, dislikes, learnt }
    }

    /// How like the query each paper is, and what the dislikes took of that.
    pub(super) fn judge(&self, papers: &[Features]) -> Vec<(f32, f32)> {
        let (liked, disliked) = (self.likes.judged(papers, self.blend), self.dislikes.judged(papers, self.blend));
        let has_dislikes = !self.dislikes.seeds.is_empty();
        let judge = |((paper, liked), disliked): ((&Features, &Judged), &Judged)| {
            let learnt = self.learnt.as_ref().map_or(0.0, |direction| direction.of(&paper.vector));
            let alone = self.of(liked, None, learnt);
            let score = if has_dislikes { self.of(liked, Some(disliked), learnt) } else { alone };
            (score, alone - score)
        };
        papers.iter().zip(&liked).zip(&disliked).map(judge).collect()
    }

    fn of(&self, liked: &Judged, disliked: Option<&Judged>, learnt: f32) -> f32 {
        let scaled = |x: f32| 0.5 * (x / (1.0 + x.abs()) + 1.0);
        let strength = self.dislikes.strength();
        match (self.strategy, disliked) {
            // One seed by itself: the likeness to it, whatever the strategy.
            (_, None) if self.likes.seeds.len() == 1 => liked.highest,
            (Strategy::Average, None) => liked.average,
            (Strategy::Average, Some(disliked)) => 2.0 * liked.average - strength * disliked.average,
            (Strategy::Best, Some(disliked)) if disliked.highest >= liked.highest => -scaled(disliked.highest),
            (Strategy::Best, _) => scaled(liked.highest),
            (Strategy::Sum, None) => liked.average * self.likes.total,
            (Strategy::Sum, Some(disliked)) => liked.average * self.likes.total - disliked.average * self.dislikes.total,
            (Strategy::Auto, disliked) => {
                let likes = self.likes.seeds.len();
                let (highest, of_learnt) = (weight_of_highest(likes), if self.learnt.is_some() { weight_of_learnt(likes) } else { 0.0 });
                let cost = |disliked: &Judged| strength * (DISLIKED * disliked.average + (disliked.highest - liked.highest - TOLERANCE).max(0.0));
                let likeness = (1.0 - highest) * liked.average + highest * liked.highest;
                (likeness + of_learnt * learnt) / (1.0 + of_learnt) - disliked.map_or(0.0, cost)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Brief;

    const SIDEWAYS: [f32; 2] = [0.0, 1.0];

    fn seed(vector: [f32; 2], weight: f32) -> Seed {
        Seed { name: String::new(), text: Brief::default(), vector: vector.to_vec(), weight, is: Vec::new(), is_question: false }
    }

    /// The score of a paper whose vector is (0.6, 0.8), which has cosines 0.6 and 0.8 to the axes, and what the dislikes cost.
    fn judged(strategy: Strategy, likes: &[Seed], dislikes: &[Seed]) -> (f32, f32) {
        let query = Query { likes: likes.to_vec(), dislikes: dislikes.to_vec(), ..Query::default() };
        let features = |seeds: &[Seed]| seeds.iter().map(|seed| Features::of_vector(seed.vector.clone())).collect::<Vec<_>>();
        let options = Options { strategy, blend: 0.0, ..Options::default() };
        let judge = Judge::new(&query, &options, [features(likes), features(dislikes)], None);
        judge.judge(&[Features::of_vector(vec![0.6, 0.8])])[0]
    }

    #[test]
    fn strategies_are_their_formulas() {
        let (ahead, sideways, half) = (seed([1.0, 0.0], 1.0), seed(SIDEWAYS, 1.0), seed(SIDEWAYS, 0.5));
        let f = |x: f32| 0.5 * (x / (1.0 + x) + 1.0);
        let both = [ahead.clone(), seed(SIDEWAYS, 3.0)];
        let cases = [
            (Strategy::Average, &both[..], None, 0.75),
            (Strategy::Sum, &both, None, 3.0),
            (Strategy::Best, &both, None, f(0.8)),
            (Strategy::Auto, &both, None, 0.7 * 0.75 + 0.3 * 0.8),
            (Strategy::Average, &both[..1], Some(&sideways), 1.2 - 0.8),
            (Strategy::Average, &both[..1], Some(&half), 1.2 - 0.4),
            (Strategy::Sum, &both[..1], Some(&half), 0.6 - 0.4),
            (Strategy::Best, &both[..1], Some(&half), -f(0.8)),
            (Strategy::Best, &both[1..], Some(&ahead), f(0.8)),
            (Strategy::Auto, &both[..1], Some(&sideways), 0.6 - (0.08 + 0.15)),
            (Strategy::Auto, &both[..1], Some(&half), 0.6 - 0.5 * (0.08 + 0.15)),
        ];
        for (strategy, likes, dislike, expected) in cases {
            let (score, cost) = judged(strategy, likes, &dislike.into_iter().cloned().collect::<Vec<_>>());
            let alone = judged(strategy, likes, &[]).0;
            assert!((score - expected).abs() < 1e-6, "{strategy:?}: {score}, expected {expected}");
            assert!((alone - score - cost).abs() < 1e-6, "{strategy:?}: {cost}");
        }
    }
}

//! Topics of a few papers, by average linkage: the two groups whose papers are most alike on average become one, again and again.
//!
//! Papers of one day have much in common, so that most of the mean of their vectors is taken away first; and a word of one paper
//! alone does not count. Of the numbers of groups that suit so many papers, the one is taken with which papers are most liker to
//! their own group than to the next, on average; a silhouette would take two groups of most days. In each, papers first go where
//! they are most at home. Between so few papers a graph of neighbours would tie most to most others.

use super::papers::{Papers, terms_and_pairs};
use super::{Granularity, Options};
use crate::likeness::{Compared, Counted, Features, Rarities};
use crate::vector::normalise;

/// Below so many papers there is one group.
const FEWEST: usize = 6;
/// How much of the mean vector is taken away.
const COMMON: f32 = 0.7;
/// How much words count beside meaning.
const WORDS: f32 = 0.4;
/// Rounds in which papers go where they are most at home.
const ROUNDS: usize = 20;
/// A paper is left over if it is less like its group than two papers are on average, and so many standard deviations.
const ABOVE_MEAN: f32 = 0.25;
/// What a move must gain, and groups must be apart.
const LEAST: f32 = 1e-6;

/// Groups of some papers. One in none of them is left over.
pub(super) fn groups(papers: &Papers, rows: &[usize], options: &Options) -> Vec<Vec<usize>> {
    let count = rows.len();
    let one = || if count == 0 { Vec::new() } else { vec![(0..count).collect()] };
    let found = match options.count {
        None if count < FEWEST => one(),
        _ => {
            let alike = likenesses(papers, rows);
            let groups = match options.count {
                Some(wanted) => of_count(&alike, wanted),
                None => best(&alike, options.granularity).unwrap_or_else(one),
            };
            leave_over(&alike, groups, (options.max_leftover * count as f32) as usize)
        }
    };
    found.into_iter().map(|group| group.into_iter().map(|place| rows[place]).collect()).collect()
}

/// How many groups suit so many papers: from a fifth of them to a third, and fewer of many.
fn suitable(count: usize, granularity: Granularity) -> (usize, usize) {
    let (least, most) = ((count as f64 / 5.0).min(1.1 * (count as f64).sqrt()), (count as f64 / 3.0).min(1.6 * (count as f64).sqrt()));
    let (least, most) = match granularity {
        Granularity::Coarse => (0.4 * least, 0.6 * most),
        Granularity::Medium => (least, most),
        Granularity::Fine => (most, 1.5 * most),
    };
    let least = (least.ceil() as usize).max(2);
    (least, (most as usize).max(least))
}

/// The groups that are most apart; none if all papers are alike.
fn best(alike: &[Vec<f32>], granularity: Granularity) -> Option<Vec<Vec<usize>>> {
    let (least, most) = suitable(alike.len(), granularity);
    // The most groups come first: of equals the fewest.
    let candidates = levels(alike, most).into_iter().filter(|groups| groups.len() >= least).map(|groups| settled(alike, groups));
    let scored = candidates.map(|groups| (separation(alike, &groups), groups));
    let best = scored.reduce(|best, next| if next.0 >= best.0 { next } else { best });
    best.filter(|(separation, _)| *separation > LEAST).map(|(_, groups)| groups)
}

/// So many groups, or the nearest number above at which enough stay.
fn of_count(alike: &[Vec<f32>], wanted: usize) -> Vec<Vec<usize>> {
    let levels = levels(alike, alike.len());
    let enough = levels.iter().rev().filter(|groups| groups.len() >= wanted).map(|groups| settled(alike, groups.clone()));
    let found = enough.into_iter().find(|groups| groups.len() >= wanted);
    // Where no group can be had without single papers, they stay single.
    found.or_else(|| levels.iter().rev().find(|groups| groups.len() >= wanted).or(levels.first()).cloned()).unwrap_or_default()
}

fn likenesses(papers: &Papers, rows: &[usize]) -> Vec<Vec<f32>> {
    let vector = |row: &usize| &papers.features[*row].vector;
    let mut mean = vec![0.0; papers.dim()];
    rows.iter().for_each(|row| mean.iter_mut().zip(vector(row)).for_each(|(sum, x)| *sum += x / rows.len() as f32));
    let counted: Vec<Counted> = rows.iter().map(|row| Counted::of(terms_and_pairs(&papers.words[*row]))).collect();
    let rarities = Rarities::of_shared(&counted);
    let apart = |(row, counted): (&usize, &Counted)| {
        let mut apart: Vec<f32> = vector(row).iter().zip(&mean).map(|(x, mean)| x - COMMON * mean).collect();
        normalise(&mut apart);
        rarities.features(apart, counted)
    };
    let features: Vec<Features> = rows.iter().zip(&counted).map(apart).collect();
    let row = |features_of_one| {
        let one = Compared::new(features_of_one, WORDS);
        features.iter().map(|other| one.to(other)).collect()
    };
    features.iter().map(row).collect()
}

/// The groups from `most` down to one.
fn levels(alike: &[Vec<f32>], most: usize) -> Vec<Vec<Vec<usize>>> {
    let mut groups: Vec<Vec<usize>> = (0..alike.len()).map(|row| vec![row]).collect();
    let mut levels = Vec::new();
    loop {
        if groups.len() <= most.max(1) {
            levels.push(groups.clone());
        }
        if groups.len() == 1 {
            return levels;
        }
        let pairs = (0..groups.len()).flat_map(|a| (a + 1..groups.len()).map(move |b| (a, b)));
        let scored = pairs.map(|(a, b)| (mean(alike, &groups[a], &groups[b]), a, b));
        // Of equals, the first.
        let Some((_, a, b)) = scored.reduce(|best, next| if next.0 > best.0 { next } else { best }) else { return levels };
        let joined = groups.remove(b);
        groups[a].extend(joined);
        groups[a].sort_unstable();
    }
}

/// How alike the papers of two groups are on average.
fn mean(alike: &[Vec<f32>], one: &[usize], other: &[usize]) -> f32 {
    let sum: f32 = one.iter().flat_map(|a| other.iter().map(|b| alike[*a][*b])).sum();
    sum / (one.len() * other.len()) as f32
}

/// How alike a paper is to the others of a group on average; nothing if there are none.
fn to_group(alike: &[Vec<f32>], row: usize, group: &[usize]) -> Option<f32> {
    let others = group.iter().filter(|other| **other != row);
    let (sum, count) = others.fold((0.0, 0), |(sum, count), other| (sum + alike[row][*other], count + 1));
    (count > 0).then(|| sum / count as f32)
}

/// The group to which a paper is most alike, and how much; of equals the first.
fn home(alike: &[Vec<f32>], row: usize, groups: &[Vec<usize>], without: Option<usize>) -> Option<(usize, f32)> {
    let numbers = (0..groups.len()).filter(|number| Some(*number) != without);
    let scored = numbers.filter_map(|number| Some((number, to_group(alike, row, &groups[number])?)));
    scored.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// Papers by themselves join others, and then all go where they are most at home; no group becomes a single paper again.
fn settled(alike: &[Vec<f32>], groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut groups = without_singles(alike, groups);
    for _ in 0..ROUNDS {
        let mut moved = false;
        for row in 0..alike.len() {
            let Some(own) = groups.iter().position(|group| group.contains(&row)).filter(|own| groups[*own].len() > 2) else { continue };
            let inside = to_group(alike, row, &groups[own]).unwrap_or(0.0);
            if let Some((to, _)) = home(alike, row, &groups, Some(own)).filter(|(_, outside)| *outside > inside + LEAST) {
                groups[own].retain(|other| *other != row);
                groups[to].push(row);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups
}

/// Each paper by itself joins the group that it is most like, as long as there are more than two groups.
fn without_singles(alike: &[Vec<f32>], mut groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    while let Some(single) = groups.iter().position(|group| group.len() == 1).filter(|_| groups.len() > 2) {
        let row = groups.remove(single)[0];
        let Some((to, _)) = home(alike, row, &groups, None) else { break };
        groups[to].push(row);
    }
    groups
}

/// By how much papers are liker to their own group than to the next, on average.
fn separation(alike: &[Vec<f32>], groups: &[Vec<usize>]) -> f32 {
    let of_paper = |own: usize, row: usize| {
        let inside = to_group(alike, row, &groups[own]).unwrap_or(0.0);
        inside - home(alike, row, groups, Some(own)).map_or(0.0, |(_, outside)| outside)
    };
    let all = groups.iter().enumerate().flat_map(|(own, group)| group.iter().map(move |row| (own, *row)));
    all.map(|(own, row)| of_paper(own, row)).sum::<f32>() / alike.len() as f32
}

/// Papers that are hardly more like their own group than any two papers are like each other are left over, as far as they may be.
fn leave_over(alike: &[Vec<f32>], mut groups: Vec<Vec<usize>>, may_be_left: usize) -> Vec<Vec<usize>> {
    let pairs: Vec<f32> = (0..alike.len()).flat_map(|a| alike[a][a + 1..].iter().copied()).collect();
    let mean = pairs.iter().sum::<f32>() / pairs.len().max(1) as f32;
    let variance = pairs.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / pairs.len().max(1) as f32;
    let at_home = mean + ABOVE_MEAN * variance.sqrt();
    let all = groups.iter().enumerate().flat_map(|(own, group)| group.iter().map(move |row| (own, *row)));
    let inside = |(own, row): (usize, usize)| Some((to_group(alike, row, &groups[own])?, own, row));
    let mut strange: Vec<(f32, usize, usize)> = all.filter_map(inside).filter(|(inside, ..)| *inside < at_home).collect();
    strange.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
    // One group that holds all has no other to be compared with.
    for (_, own, row) in strange.into_iter().take(if groups.len() > 1 { may_be_left } else { 0 }) {
        if groups[own].len() > 2 {
            groups[own].retain(|other| *other != row);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Papers in groups of these sizes, alike by 0.8 inside and by 0.1 outside.
    fn alike(sizes: &[usize]) -> Vec<Vec<f32>> {
        let group: Vec<usize> = sizes.iter().enumerate().flat_map(|(number, size)| vec![number; *size]).collect();
        let cell = |a: usize, b: usize| match (a == b, group[a] == group[b]) {
            (true, _) => 1.0,
            (_, true) => 0.8,
            _ => 0.1,
        };
        (0..group.len()).map(|a| (0..group.len()).map(|b| cell(a, b)).collect()).collect()
    }

    #[test]
    fn groups_that_are_there_are_found() {
        let alike = alike(&[4, 3, 5, 1]);
        let found = levels(&alike, 4).swap_remove(0);
        assert_eq!(found, [vec![0, 1, 2, 3], vec![4, 5, 6], vec![7, 8, 9, 10, 11], vec![12]]);
        let groups = settled(&alike, found.clone());
        assert_eq!((groups.len(), groups.concat().len()), (3, 13));
        assert!(separation(&alike, &found) > separation(&alike, &levels(&alike, 2).swap_remove(0)));
    }

    #[test]
    fn papers_go_home_and_strangers_may_stay_out() {
        let alike = alike(&[3, 3]);
        let groups = settled(&alike, vec![vec![0, 1, 2, 5], vec![3, 4]]);
        assert_eq!(groups, [vec![0, 1, 2], vec![3, 4, 5]]);
        let mut far = alike.clone();
        (0..6).filter(|other| *other != 5).for_each(|other| (far[5][other], far[other][5]) = (-0.1, -0.1));
        assert_eq!(leave_over(&far, groups.clone(), 1), [vec![0, 1, 2], vec![3, 4]]);
        assert_eq!(leave_over(&far, groups.clone(), 0), groups);
    }
}

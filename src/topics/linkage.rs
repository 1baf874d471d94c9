//! Groups of a few papers, by average linkage: the two groups whose papers are most alike on average become one, again and again.
//!
//! Papers of one day have much in common, so that most of the mean of their vectors is taken away first. Of the numbers of groups
//! from a fifth to a third of the papers, the one is taken with which papers are most liker to their own group than to the next, on
//! average; a silhouette would take two groups of most days. In each, papers first go where they are most at home. Between so few
//! papers a graph of neighbours would tie most to most others.

use super::Options;
use super::graph::Papers;
use crate::likeness::{BLEND, Compared, Features};
use crate::vector::normalise;

/// Below so many papers there is one group.
const FEWEST: usize = 6;
/// How much of the mean vector is taken away.
const COMMON: f32 = 0.7;
/// Rounds in which papers go where they are most at home.
const ROUNDS: usize = 5;

/// A paper in none of the groups is left over.
pub(super) fn groups(papers: &Papers, options: &Options) -> Vec<Vec<usize>> {
    let count = papers.len();
    if count < FEWEST && options.count.is_none() {
        return if count == 0 { Vec::new() } else { vec![(0..count).collect()] };
    }
    let alike = likenesses(papers);
    let (least, most) = match options.count {
        Some(wanted) => (wanted.min(count), wanted.min(count)),
        None => (count.div_ceil(5).max(2), count / 3),
    };
    let candidates = levels(&alike, most).into_iter().filter(|groups| groups.len() >= least).map(|groups| settled(&alike, groups));
    let scored = candidates.map(|groups| (separation(&alike, &groups), groups));
    let best = scored.reduce(|best, next| if next.0 >= best.0 { next } else { best });
    match best {
        Some((separation, groups)) if separation > 1e-3 || options.count.is_some() => {
            let may_be_left = (options.max_leftover * count as f32) as usize;
            leave_over(&alike, groups, may_be_left)
        }
        // Papers that are all alike are one group.
        _ => {
            if count == 0 {
                Vec::new()
            } else {
                vec![(0..count).collect()]
            }
        }
    }
}

fn likenesses(papers: &Papers) -> Vec<Vec<f32>> {
    let mut mean = vec![0.0; papers.dim()];
    papers.features.iter().for_each(|features| mean.iter_mut().zip(&features.vector).for_each(|(sum, x)| *sum += x / papers.len() as f32));
    let apart = |features: &Features| {
        let mut features = features.clone();
        features.vector.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= COMMON * mean);
        normalise(&mut features.vector);
        features
    };
    let features: Vec<Features> = papers.features.iter().map(apart).collect();
    let row = |features_of_one| {
        let one = Compared::new(features_of_one, BLEND);
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
fn settled(alike: &[Vec<f32>], mut groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    if groups.iter().all(|group| group.len() == 1) {
        return groups;
    }
    let (single, rest): (Vec<Vec<usize>>, Vec<Vec<usize>>) = groups.drain(..).partition(|group| group.len() == 1);
    groups = rest;
    for row in single.into_iter().flatten() {
        if let Some((number, _)) = home(alike, row, &groups, None) {
            groups[number].push(row);
        }
    }
    for _ in 0..ROUNDS {
        let mut moved = false;
        for row in 0..alike.len() {
            let Some(own) = groups.iter().position(|group| group.contains(&row)).filter(|own| groups[*own].len() > 2) else { continue };
            let inside = to_group(alike, row, &groups[own]).unwrap_or(0.0);
            if let Some((to, _)) = home(alike, row, &groups, Some(own)).filter(|(_, outside)| *outside > inside) {
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

/// By how much papers are liker to their own group than to the next, on average.
fn separation(alike: &[Vec<f32>], groups: &[Vec<usize>]) -> f32 {
    let of_paper = |own: usize, row: usize| {
        let inside = to_group(alike, row, &groups[own]).unwrap_or(0.0);
        inside - home(alike, row, groups, Some(own)).map_or(0.0, |(_, outside)| outside)
    };
    let all = groups.iter().enumerate().flat_map(|(own, group)| group.iter().map(move |row| (own, *row)));
    all.map(|(own, row)| of_paper(own, row)).sum::<f32>() / alike.len() as f32
}

/// Papers that are no more like their own group than any two papers are like each other are left over, as far as they may be.
fn leave_over(alike: &[Vec<f32>], mut groups: Vec<Vec<usize>>, may_be_left: usize) -> Vec<Vec<usize>> {
    let inside = |groups: &[Vec<usize>], own: usize, row: usize| to_group(alike, row, &groups[own]).unwrap_or(f32::INFINITY);
    let all = groups.iter().enumerate().flat_map(|(own, group)| group.iter().map(move |row| (own, *row)));
    let mut strange: Vec<(f32, usize, usize)> =
        all.map(|(own, row)| (inside(&groups, own, row), own, row)).filter(|(inside, ..)| *inside <= 0.0).collect();
    strange.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
    for (_, own, row) in strange.into_iter().take(may_be_left) {
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

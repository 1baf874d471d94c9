//! What comes first: likeness, votes and age; what is trending; what surprises.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::{Sort, Wishes};
use crate::error::Result;
use crate::library::{Filter, Library, PaperRow};
use crate::paper::{Date, Paper};
use crate::recommend::{Desk, Hit, Options, Query, Ranked, Reason, Recent};

/// The age in days at which a paper's being new counts half.
const HALF_LIFE: f32 = 14.0;
/// The age in days at which votes count half.
const HALF_LIFE_OF_VOTES: f32 = 3.0;
/// A comment beside a vote.
const COMMENT: f32 = 0.5;
/// Papers that are trending.
const TRENDING: usize = 3;
/// A topic is as interesting as so many of its papers.
const BEST: usize = 3;
/// Of fewer papers none surprises.
const FEW: usize = 8;

/// What papers are ranked by.
pub(super) struct Ranking {
    papers: HashMap<PaperRow, Paper>,
    seen: HashMap<PaperRow, String>,
    trends: HashMap<PaperRow, f32>,
    ranked: HashMap<PaperRow, Ranked>,
    options: Options,
    sort: Sort,
}

impl Ranking {
    /// Ages count up to `until`, or up to the last day of the papers.
    pub(super) fn new(library: &Library, rows: &[PaperRow], (profile, wishes): (&str, &Wishes), until: Option<Date>) -> Result<Self> {
        let papers = rows.iter().map(|&row| Ok((row, library.paper(row)?))).collect::<Result<HashMap<_, _>>>()?;
        let today = until.or_else(|| papers.values().filter_map(day).max()).unwrap_or_default();
        let seen = rows.iter().copied().zip(library.seen(profile, rows)?).filter_map(|(row, seen)| Some((row, seen?))).collect();
        let options = Options {
            count: rows.len(),
            recent: Some(Recent { today, half_life: HALF_LIFE }),
            popular: 1.0,
            profile: profile.to_owned(),
            ..Options::default()
        };
        let trends = papers.iter().map(|(row, paper)| (*row, trend(paper, today))).collect();
        Ok(Self { papers, seen, trends, ranked: HashMap::new(), options, sort: wishes.sort })
    }

    /// Ranks the papers by what somebody likes.
    pub(super) fn rank(&mut self, desk: &Desk<'_>, query: &Query, filter: &Filter) -> Result<()> {
        self.options.filter = filter.clone();
        let ranked = desk.rank(query, &self.options)?;
        self.ranked = ranked.into_iter().map(|ranked| (ranked.paper, ranked)).collect();
        Ok(())
    }

    /// The papers that were seen.
    pub(super) fn seen(&self) -> impl Iterator<Item = PaperRow> + '_ {
        self.seen.keys().copied()
    }

    /// The first and the last day of the papers.
    pub(super) fn days(&self) -> Option<(Date, Date)> {
        let days = || self.papers.values().filter_map(day);
        Some((days().min()?, days().max()?))
    }

    fn trend(&self, row: PaperRow) -> f32 {
        self.trends.get(&row).copied().unwrap_or(0.0)
    }

    /// What a paper is ranked by, and what decides between equals.
    fn keys(&self, row: PaperRow) -> [f32; 2] {
        let trend = self.trend(row);
        match self.sort {
            Sort::Trending => [trend, self.score(row)],
            Sort::Published => [self.papers.get(&row).and_then(day).map_or(f32::NEG_INFINITY, number), self.score(row)],
            // Without a taste there is nothing but votes.
            Sort::Likeness if self.ranked.is_empty() => [trend, 0.0],
            Sort::Likeness => [self.score(row), trend],
        }
    }

    fn score(&self, row: PaperRow) -> f32 {
        self.ranked.get(&row).map_or(f32::NEG_INFINITY, |ranked| ranked.score)
    }

    /// The best first; of equals, the one that came first.
    pub(super) fn sort(&self, rows: &mut [PaperRow]) {
        rows.sort_by(|a, b| descending(&self.keys(*a), &self.keys(*b)).then(a.cmp(b)));
    }

    /// How interesting some papers are together, which are in their order: as the best of them on the whole, and then as many as they are.
    pub(super) fn worth(&self, rows: &[PaperRow]) -> [f32; 2] {
        let best: Vec<f32> = rows.iter().take(BEST).map(|row| self.keys(*row)[0]).filter(|key| key.is_finite()).collect();
        let mean = if best.is_empty() { f32::NEG_INFINITY } else { best.iter().sum::<f32>() / best.len() as f32 };
        [mean, rows.len() as f32]
    }

    /// The papers with the most votes and comments; none where they come first anyway.
    pub(super) fn trending(&self, rows: &[PaperRow]) -> Vec<PaperRow> {
        if self.sort == Sort::Trending || (self.sort == Sort::Likeness && self.ranked.is_empty()) {
            return Vec::new();
        }
        let mut rows: Vec<PaperRow> = rows.iter().copied().filter(|row| self.trend(*row) > 0.0).collect();
        rows.sort_by(|a, b| self.trend(*b).total_cmp(&self.trend(*a)).then(a.cmp(b)));
        rows.truncate(TRENDING);
        rows
    }

    /// Of the half that is least like what is liked, the paper with the most votes; without votes, the one that is least like it.
    pub(super) fn surprise(&self, rows: &[PaperRow]) -> Option<PaperRow> {
        let mut ranked: Vec<&Ranked> = rows.iter().filter_map(|row| self.ranked.get(row)).collect();
        if ranked.len() < FEW {
            return None;
        }
        let likeness = |ranked: &Ranked| ranked.cosine.unwrap_or(-1.0);
        ranked.sort_by(|a, b| likeness(a).total_cmp(&likeness(b)).then(a.paper.cmp(&b.paper)));
        ranked.truncate(ranked.len() / 2);
        ranked.reverse();
        ranked.into_iter().map(|ranked| ranked.paper).max_by(|a, b| self.trend(*a).total_cmp(&self.trend(*b)))
    }

    /// The papers that are shown: the trending ones, and the best up to so many.
    pub(super) fn chosen(&self, mut rows: Vec<PaperRow>, trending: &[PaperRow], most: usize) -> Vec<PaperRow> {
        self.sort(&mut rows);
        let (mut chosen, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| trending.contains(row));
        chosen.truncate(most);
        chosen.extend(others.into_iter().take(most - chosen.len()));
        chosen
    }

    /// Papers with the reasons for being there.
    pub(super) fn hits(&self, desk: &Desk<'_>, query: &Query, rows: impl Iterator<Item = PaperRow>) -> Result<HashMap<PaperRow, Hit>> {
        let (ranked, others): (Vec<_>, Vec<_>) = rows.partition(|row| self.ranked.contains_key(row));
        let ranked = ranked.iter().filter_map(|row| self.ranked.get(row).cloned()).collect();
        let mut hits = desk.explain(query, &self.options, ranked)?;
        for row in others {
            let Some(paper) = self.papers.get(&row).cloned() else { continue };
            let reasons = self.seen.get(&row).map(|when| Reason::Seen { when: when.clone() }).into_iter().collect();
            hits.push(Hit { row, paper, score: 0.0, cosine: None, reasons });
        }
        Ok(hits.into_iter().map(|hit| (hit.row, hit)).collect())
    }
}

/// Votes and comments, of which half is left after three days.
pub fn trend(paper: &Paper, today: Date) -> f32 {
    let said = paper.upvotes.unwrap_or(0) as f32 + COMMENT * paper.comments.unwrap_or(0) as f32;
    let age = day(paper).and_then(|day| today.since(day).ok()).map_or(0, |age| age.get_days()).max(0);
    said * (-(age as f32) / HALF_LIFE_OF_VOTES).exp2()
}

/// The day of a digest, or else of publication.
fn day(paper: &Paper) -> Option<Date> {
    paper.day.or(paper.published)
}

/// Days, counted.
fn number(day: Date) -> f32 {
    day.since(Date::constant(1970, 1, 1)).map_or(0, |age| age.get_days()) as f32
}

/// The greater first.
pub(super) fn descending(a: &[f32; 2], b: &[f32; 2]) -> Ordering {
    b[0].total_cmp(&a[0]).then(b[1].total_cmp(&a[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_and_comments_count_less_as_they_age() {
        let day = Date::constant(2026, 8, 11);
        let paper = Paper { upvotes: Some(10), comments: Some(4), day: Some(day), ..Paper::default() };
        assert_eq!(trend(&paper, day), 12.0);
        assert_eq!(trend(&paper, Date::constant(2026, 8, 14)), 6.0);
        // The digest's day counts, not that of publication; a day to come is as today.
        assert_eq!(trend(&Paper { published: Some(Date::constant(2020, 1, 1)), ..paper.clone() }, day), 12.0);
        assert_eq!(trend(&paper, Date::constant(2026, 8, 1)), 12.0);
        assert_eq!(trend(&Paper::default(), day), 0.0);
    }
}

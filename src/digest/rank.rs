//! What comes first: likeness, votes and age; what is trending; what surprises.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::{Group, Sort, Wishes};
use crate::error::Result;
use crate::library::{Days, Filter, Library, PaperRow};
use crate::paper::{Date, Paper};
use crate::recommend::{Desk, Hit, Options, Query, Ranked, Reason, Recent};
use crate::topics::Topics;

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
/// What a paper that is shown takes from the wish for another of its topic: likeness differs by about 0.2 from the first paper to the
/// tenth.
const ENOUGH: f32 = 0.01;
/// One of so many papers of several days is late.
const LATE: usize = 10;
/// Of fewer papers none surprises.
const FEW: usize = 8;

/// What papers are ranked by.
pub(super) struct Ranking {
    papers: HashMap<PaperRow, Paper>,
    /// The day of each that is one of the digest's.
    days: HashMap<PaperRow, Date>,
    seen: HashMap<PaperRow, String>,
    trends: HashMap<PaperRow, f32>,
    /// True if some paper has votes or comments.
    pub has_votes: bool,
    /// How typical of its topic each is.
    typical: HashMap<PaperRow, f32>,
    ranked: HashMap<PaperRow, Ranked>,
    options: Options,
    sort: Sort,
}

/// What is shown.
pub(super) struct Chosen {
    pub shown: Vec<PaperRow>,
    pub trending: Vec<PaperRow>,
    pub surprise: Option<PaperRow>,
}

impl Ranking {
    /// Ages count up to the last day of the papers.
    pub(super) fn new(library: &Library, rows: &[PaperRow], found: &Topics, (profile, wishes, asked): (&str, &Wishes, Days)) -> Result<Self> {
        let papers = rows.iter().map(|&row| Ok((row, library.paper(row)?))).collect::<Result<HashMap<_, _>>>()?;
        // A paper that stood in several digests stands in this one on a day of this one.
        let within = |day: Date| day.max(asked.since.unwrap_or(day)).min(asked.until.unwrap_or(day));
        let day = |(row, paper): (&PaperRow, &Paper)| Some((*row, within(paper.day.or(paper.published)?)));
        let days: HashMap<PaperRow, Date> = papers.iter().filter_map(day).collect();
        let today = days.values().max().copied().or(asked.until).unwrap_or_default();
        let seen = rows.iter().copied().zip(library.seen(profile, rows)?).filter_map(|(row, seen)| Some((row, seen?))).collect();
        let options = Options {
            count: rows.len(),
            recent: Some(Recent { today, half_life: HALF_LIFE }),
            popular: 1.0,
            profile: profile.to_owned(),
            ..Options::default()
        };
        let trends: HashMap<PaperRow, f32> = papers.iter().map(|(row, paper)| (*row, trend(paper, days.get(row).copied(), today))).collect();
        let typical = found.topics.iter().flat_map(|topic| &topic.members).map(|member| (member.paper, member.score)).collect();
        let has_votes = trends.values().any(|trend| *trend > 0.0);
        Ok(Self { papers, days, seen, trends, has_votes, typical, ranked: HashMap::new(), options, sort: wishes.sort })
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
        Some((*self.days.values().min()?, *self.days.values().max()?))
    }

    /// The same, or without the few papers that came late, which make no digest of a day one of two weeks.
    pub(super) fn days_of_papers(&self, without_late: bool) -> Option<(Date, Date)> {
        let mut days: Vec<Date> = self.days.values().copied().collect();
        days.sort_unstable();
        let late = if without_late { days.len() / LATE } else { 0 };
        Some((*days.get(late)?, *days.last()?))
    }

    fn trend(&self, row: PaperRow) -> f32 {
        self.trends.get(&row).copied().unwrap_or(0.0)
    }

    /// What a paper is ranked by, and what decides between equals.
    fn keys(&self, row: PaperRow) -> [f32; 2] {
        let (trend, typical) = (self.trend(row), self.typical.get(&row).copied().unwrap_or(0.0));
        match self.sort {
            Sort::Trending => [trend, self.score(row)],
            Sort::Published => [self.days.get(&row).map_or(f32::NEG_INFINITY, |day| number(*day)), self.score(row)],
            Sort::Likeness if !self.ranked.is_empty() => [self.score(row), trend],
            // Without a taste there are votes, and without votes what topics are about.
            Sort::Likeness if self.has_votes => [trend, typical],
            Sort::Likeness => [typical, 0.0],
        }
    }

    fn score(&self, row: PaperRow) -> f32 {
        self.ranked.get(&row).map_or(f32::NEG_INFINITY, |ranked| ranked.score)
    }

    /// The best first; of equals, the one that came first.
    pub(super) fn sort(&self, rows: &mut [PaperRow]) {
        let mut keyed: Vec<([f32; 2], PaperRow)> = rows.iter().map(|row| (self.keys(*row), *row)).collect();
        keyed.sort_by(|a, b| descending(&a.0, &b.0).then(a.1.cmp(&b.1)));
        rows.iter_mut().zip(keyed).for_each(|(row, (_, sorted))| *row = sorted);
    }

    /// How interesting some papers are together, which are in their order: as the best of them on the whole, and then as many as they are.
    pub(super) fn worth(&self, rows: &[PaperRow]) -> [f32; 2] {
        let best: Vec<f32> = rows.iter().take(BEST).map(|row| self.keys(*row)[0]).filter(|key| key.is_finite()).collect();
        let mean = if best.is_empty() { f32::NEG_INFINITY } else { best.iter().sum::<f32>() / best.len() as f32 };
        [mean, rows.len() as f32]
    }

    /// The papers that are shown, at most so many.
    pub(super) fn choose(&self, groups: &[Group], most: usize) -> Chosen {
        let rows: Vec<PaperRow> = groups.iter().flat_map(|group| &group.rows).copied().collect();
        let mut trending = self.most_voted(&rows);
        // What is liked is not to be crowded out.
        trending.truncate(most / 2);
        let surprise = self.surprise(&rows, &trending).filter(|_| most >= FEW);
        let shown = self.wanted(groups, (&trending, surprise), most - usize::from(surprise.is_some()));
        Chosen { shown, trending, surprise }
    }

    /// The papers with the most votes and comments; none where they come first anyway.
    fn most_voted(&self, rows: &[PaperRow]) -> Vec<PaperRow> {
        if self.sort == Sort::Trending || (self.sort == Sort::Likeness && self.ranked.is_empty()) {
            return Vec::new();
        }
        let mut rows: Vec<PaperRow> = rows.iter().copied().filter(|row| self.trend(*row) > 0.0).collect();
        rows.sort_by(|a, b| self.trend(*b).total_cmp(&self.trend(*a)).then(a.cmp(b)));
        rows.truncate(TRENDING);
        rows
    }

    /// Of the half that is least like what is liked, the paper with the most votes that is not told anyway; without votes, the one that
    /// is least like it.
    fn surprise(&self, rows: &[PaperRow], trending: &[PaperRow]) -> Option<PaperRow> {
        let mut ranked: Vec<&Ranked> = rows.iter().filter_map(|row| self.ranked.get(row)).collect();
        if ranked.len() < FEW {
            return None;
        }
        let likeness = |ranked: &Ranked| ranked.cosine.unwrap_or(-1.0);
        ranked.sort_by(|a, b| likeness(a).total_cmp(&likeness(b)).then(a.paper.cmp(&b.paper)));
        ranked.truncate(ranked.len() / 2);
        let others = ranked.into_iter().rev().map(|ranked| ranked.paper).filter(|row| !trending.contains(row));
        others.max_by(|a, b| self.trend(*a).total_cmp(&self.trend(*b)))
    }

    /// The trending papers, and the best up to so many. By likeness, each paper that a topic has makes its next one a little less wanted,
    /// or on a day of a thousand papers the one thing that is liked most would be all that is shown.
    fn wanted(&self, groups: &[Group], (trending, surprise): (&[PaperRow], Option<PaperRow>), most: usize) -> Vec<PaperRow> {
        let enough = if self.sort == Sort::Likeness { ENOUGH } else { 0.0 };
        // Of each topic, what is left, the best last, and how many it has.
        let mut topics: Vec<(Vec<PaperRow>, f32)> = Vec::with_capacity(groups.len());
        for group in groups {
            let is_other = |row: &&PaperRow| !trending.contains(row) && Some(**row) != surprise;
            let mut rows: Vec<PaperRow> = group.rows.iter().filter(is_other).copied().collect();
            self.sort(&mut rows);
            rows.reverse();
            topics.push((rows, 0.0));
        }
        let mut shown = trending.to_vec();
        while shown.len() < most {
            let next = |(rows, has): &(Vec<PaperRow>, f32)| rows.last().map(|row| (self.keys(*row), *has));
            let wanted = topics
                .iter()
                .enumerate()
                .filter_map(|(number, topic)| next(topic).map(|([first, second], has)| ([first - enough * has, second], number)));
            let Some((_, best)) = wanted.min_by(|a, b| descending(&a.0, &b.0)) else { break };
            shown.extend(topics[best].0.pop());
            topics[best].1 += 1.0;
        }
        shown
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
fn trend(paper: &Paper, day: Option<Date>, today: Date) -> f32 {
    let said = paper.upvotes.unwrap_or(0) as f32 + COMMENT * paper.comments.unwrap_or(0) as f32;
    let age = day.and_then(|day| today.since(day).ok()).map_or(0, |age| age.get_days()).max(0);
    said * (-(age as f32) / HALF_LIFE_OF_VOTES).exp2()
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
        let paper = Paper { upvotes: Some(10), comments: Some(4), ..Paper::default() };
        assert_eq!(trend(&paper, Some(day), day), 12.0);
        assert_eq!(trend(&paper, Some(day), Date::constant(2026, 8, 14)), 6.0);
        assert_eq!(trend(&paper, None, day), 12.0);
        assert_eq!(trend(&Paper::default(), Some(day), day), 0.0);
    }
}

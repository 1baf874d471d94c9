//! Topics over days: what a day speaks of goes on with what earlier days spoke of.
//!
//! A topic of a day and one of an earlier day are compared by their papers, in meaning and words. Pairs are chosen by
//! assignment, so that the sum of their likeness is largest, and only those that are alike enough go on: then number and name stay.

use std::collections::{BTreeMap, HashSet};

use super::assign::assign;
use super::papers::{Apart, Papers};
use super::{Keyword, Member, Options, Topic, Topics, topics};
use crate::error::{Error, Result};
use crate::library::{Days, Filter, KeptTopic, Library, PaperRow};
use crate::paper::{Date, days_before};

/// From this likeness on two topics are one. In a week of arXiv it keeps together what a reader would, but for a group of four, and
/// what only shares a field apart, but for one that is as near to two.
const SAME: f32 = 0.6;
/// A topic that was not there for so many days is forgotten.
const MEMORY: i32 = 30;

/// How a topic stood before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// The last day on which it was there.
    pub day: Date,
    /// Its papers on that day.
    pub papers: usize,
}

/// A topic that is not there any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Gone {
    pub id: i64,
    pub name: String,
    pub before: Before,
}

/// What became of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    New,
    Grown,
    Shrunk,
    Same,
}

impl Before {
    fn of(topic: &KeptTopic) -> Self {
        Self { day: topic.day, papers: topic.papers.len() }
    }
}

impl Topic {
    /// What became of it since it was there before.
    pub fn change(&self) -> Change {
        match self.before.map(|before| self.members.len().cmp(&before.papers)) {
            None => Change::New,
            Some(std::cmp::Ordering::Greater) => Change::Grown,
            Some(std::cmp::Ordering::Less) => Change::Shrunk,
            Some(std::cmp::Ordering::Equal) => Change::Same,
        }
    }
}

impl Change {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grown => "grown",
            Self::Shrunk => "shrunk",
            Self::Same => "same",
        }
    }
}

/// The most days that are sorted at a time.
const MOST_DAYS: usize = 366;

/// The topics of every day of the filter's on which there are papers, each of which goes on with those before it and with
/// those that the library keeps. A day's own kept topics are found again. A day is that of a digest, or else of publication. What
/// the library keeps is of whole days, and is left aside where a filter lets only some papers through.
///
/// # Errors
///
/// As [`topics`], and [`Error::Usage`] for more than a year of days.
pub fn by_day(library: &Library, options: &Options) -> Result<Vec<Topics>> {
    let days = library.rows_by_day(options.filter.days)?;
    if days.len() > MOST_DAYS {
        let message = format!("there are papers of {} days; expected at most {MOST_DAYS}", days.len());
        return Err(Error::Usage { message, hint: Some("narrow them with --since and --until".to_owned()) });
    }
    let filter = Filter { days: Days::default(), ..options.filter.clone() };
    let is_whole = filter.is_open();
    let allowed: Option<HashSet<PaperRow>> = if is_whole { None } else { Some(library.rows_of(&filter)?.into_iter().collect()) };
    let mut known: BTreeMap<i64, KeptTopic> = BTreeMap::new();
    let mut next = if is_whole { library.next_topic()? } else { 1 };
    let mut previous = None;
    let mut followed = Vec::with_capacity(days.len());
    for (day, mut rows) in days {
        rows.retain(|row| allowed.as_ref().is_none_or(|allowed| allowed.contains(row)));
        if is_whole {
            let kept = library.kept_topics(days_before(day, MEMORY), day)?;
            // What was found for a day just now is newer than what is kept of it.
            kept.into_iter().for_each(|topic| _ = known.entry(topic.id).or_insert(topic));
            previous = previous.max(library.kept_day_before(day)?);
        }
        known.retain(|_, topic| topic.day >= days_before(day, MEMORY));
        let mut found = topics(library, &Options { filter: Filter::default(), among: Some(rows), ..options.clone() })?;
        (found.day, found.is_compared) = (Some(day), previous.is_some_and(|before| before >= days_before(day, MEMORY)));
        follow(library, &mut found, known.values().cloned().collect(), &mut next)?;
        let stays = |topic: &KeptTopic| found.topics.iter().any(|found| found.id == topic.id);
        let gone = known.values().filter(|topic| Some(topic.day) == previous && !stays(topic));
        found.gone = gone.map(|topic| Gone { id: topic.id, name: topic.name.clone(), before: Before::of(topic) }).collect();
        known.extend(found.topics.iter().map(|topic| (topic.id, topic.kept(day))));
        previous = Some(day);
        followed.push(found);
    }
    Ok(followed)
}

impl Topic {
    /// As the library keeps it.
    pub fn kept(&self, day: Date) -> KeptTopic {
        let keywords = self.keywords.iter().map(|keyword| (keyword.text.clone(), keyword.share)).collect();
        let papers = self.members.iter().map(|member| (member.paper, member.score)).collect();
        KeptTopic { id: self.id, name: self.name.clone(), day, keywords, typical: self.typical, papers }
    }

    /// As the library kept it; `before` is how it stood on the day before.
    pub fn of_kept(kept: &KeptTopic, before: Option<&KeptTopic>) -> Self {
        let keyword = |(text, share): &(String, f32)| Keyword { text: text.clone(), share: *share };
        Self {
            id: kept.id,
            before: before.map(Before::of),
            name: kept.name.clone(),
            keywords: kept.keywords.iter().map(keyword).collect(),
            in_name: 0,
            members: kept.papers.iter().map(|&(paper, score)| Member { paper, topic: 0, score }).collect(),
            typical: kept.typical,
            parts: Vec::new(),
        }
    }
}

/// Which of the topics of earlier days each topic goes on with, if with any; no two with the same.
///
/// # Errors
///
/// Those of the library.
pub fn partners(library: &Library, topics: &[Topic], earlier: &[Topic]) -> Result<Vec<Option<usize>>> {
    let rows = |topics: &[Topic]| topics.iter().map(|topic| topic.members.iter().map(|member| member.paper).collect()).collect::<Vec<Vec<_>>>();
    pairs(library, &rows(topics), &rows(earlier))
}

/// The same for the papers of topics.
fn pairs(library: &Library, topics: &[Vec<PaperRow>], earlier: &[Vec<PaperRow>]) -> Result<Vec<Option<usize>>> {
    let mut among: Vec<PaperRow> = topics.iter().chain(earlier).flatten().copied().collect();
    among.sort_unstable();
    among.dedup();
    let (papers, _) = Papers::read(library, &Options { among: Some(among), ..Options::default() })?;
    let places: BTreeMap<_, _> = papers.rows.iter().enumerate().map(|(place, row)| (*row, place)).collect();
    let middle = papers.centroid(&(0..papers.len()).collect::<Vec<_>>());
    let apart = |rows: &Vec<PaperRow>| {
        let places: Vec<usize> = rows.iter().filter_map(|row| places.get(row).copied()).collect();
        Apart::new(papers.centroid(&places), &middle)
    };
    let of_earlier: Vec<Apart> = earlier.iter().map(apart).collect();
    let worth = |one: Apart| of_earlier.iter().map(|other| f64::from(one.likeness(other) - SAME)).collect();
    let worth: Vec<Vec<f64>> = topics.iter().map(apart).map(worth).collect();
    Ok(assign(&worth))
}

/// Gives each topic the number and name of the one that it goes on with, or the next number.
fn follow(library: &Library, found: &mut Topics, known: Vec<KeptTopic>, next: &mut i64) -> Result<()> {
    let of_found: Vec<Vec<PaperRow>> = found.topics.iter().map(|topic| topic.members.iter().map(|member| member.paper).collect()).collect();
    let of_known: Vec<Vec<PaperRow>> = known.iter().map(|topic| topic.papers.iter().map(|(row, _)| *row).collect()).collect();
    let partners = pairs(library, &of_found, &of_known)?;
    for (topic, partner) in found.topics.iter_mut().zip(&partners) {
        match partner {
            Some(partner) => {
                let partner = &known[*partner];
                // Its keywords are those of today, of which the name knows nothing.
                (topic.id, topic.name, topic.in_name) = (partner.id, partner.name.clone(), 0);
                topic.before = match found.day {
                    // It was kept of this very day.
                    Some(day) if day == partner.day => library.kept_topic(partner.id)?.iter().rfind(|topic| topic.day < day).map(Before::of),
                    _ => Some(Before::of(partner)),
                };
            }
            None => {
                topic.id = *next;
                *next += 1;
            }
        }
    }
    Ok(())
}

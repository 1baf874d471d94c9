//! What goes on from the days before, and what was there and is not now.
//!
//! A digest is compared with as many days before it. One of a day or two of few papers is compared with the week before: its topics are
//! of three or four papers, and on the next day hardly one of them has another that is near enough to be the same.

use std::collections::HashSet;

use crate::error::Result;
use crate::library::{Days, Filter, Library, PaperRow};
use crate::paper::{Date, days_before};
use crate::topics::{self, Options, Topics};

/// A day of fewer papers is compared with a week.
const FEW: usize = 100;
const WEEK: i32 = 7;
/// Days without papers, after which nothing is said of what was before.
const MEMORY: i32 = 30;
/// Topics that are not there now, of which people are told.
const GONE: usize = 5;

/// How a topic was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// The first of the days.
    pub since: Date,
    /// The last of them.
    pub until: Date,
    /// Its papers.
    pub papers: usize,
}

/// The days before a digest.
pub(super) struct Earlier {
    /// The first and the last of them.
    pub days: (Date, Date),
    /// Topics that are not there now, with their papers.
    pub gone: Vec<(String, usize)>,
    of_topics: Vec<Option<Before>>,
}

/// The topics of the papers. Those of a whole day are called as the library keeps them, if it keeps topics; true if so.
pub(super) fn sorted(library: &Library, filter: &Filter, papers: &[PaperRow]) -> Result<(Topics, bool)> {
    let others = Filter { days: Days::default(), ..filter.clone() };
    let last = filter.days.until.map(|until| library.last_day(until)).transpose()?.flatten();
    if let Some(day) = last.filter(|_| others.is_open() && !papers.is_empty()) {
        let of_day = Filter { days: Days::one(day), ..Filter::default() };
        let keeps = !library.kept_topics(days_before(day, MEMORY), day)?.is_empty();
        if keeps && library.rows_of(&of_day)? == papers {
            let found = topics::by_day(library, &Options { filter: of_day, ..Options::default() })?;
            return Ok((found.into_iter().next().unwrap_or_default(), true));
        }
    }
    Ok((topics::topics(library, &Options { among: Some(papers.to_vec()), ..Options::default() })?, false))
}

impl Earlier {
    /// What the days before those of the digest spoke of; nothing where there are no papers of them.
    pub(super) fn of(library: &Library, filter: &Filter, found: &Topics, days: Option<(Date, Date)>) -> Result<Option<Self>> {
        let Some((first, last)) = days else { return Ok(None) };
        let Some(end) = library.last_day(days_before(first, 1))?.filter(|end| *end >= days_before(first, MEMORY)) else { return Ok(None) };
        let length = 1 + last.since(first).map_or(0, |span| span.get_days());
        let rows = |length: i32| library.rows_of(&Filter { days: Days::up_to(end, length), ..filter.clone() });
        let (mut length, mut papers) = (length, rows(length)?);
        if length <= 2 && papers.len() < FEW {
            (length, papers) = (WEEK, rows(WEEK)?);
        }
        let now: HashSet<PaperRow> = found.topics.iter().flat_map(|topic| &topic.members).map(|member| member.paper).collect();
        papers.retain(|row| !now.contains(row));
        if papers.is_empty() {
            return Ok(None);
        }
        let days = (days_before(end, length - 1), end);
        let earlier = topics::topics(library, &Options { among: Some(papers), ..Options::default() })?.topics;
        let partners = topics::partners(library, &found.topics, &earlier)?;
        let before = |partner: usize| Before { since: days.0, until: days.1, papers: earlier[partner].members.len() };
        let gone = earlier.iter().enumerate().filter(|(number, _)| !partners.contains(&Some(*number)));
        let gone = gone.take(GONE).map(|(_, topic)| (topic.name.clone(), topic.members.len())).collect();
        Ok(Some(Self { days, gone, of_topics: partners.iter().map(|partner| partner.map(before)).collect() }))
    }

    /// How a topic that was found was there before.
    pub(super) fn of_topic(&self, number: usize) -> Option<Before> {
        self.of_topics.get(number).copied().flatten()
    }
}

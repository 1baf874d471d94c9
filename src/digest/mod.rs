//! A digest: what some days brought, grouped into topics and ranked for one reader.
//!
//! ```text
//! days ─ wishes ─▶ papers ─ topics ─▶ groups ─ taste, votes, age ─▶ sections, the most interesting first
//! ```
//!
//! All papers of the days are sorted into topics, which go on with those of the days before; then papers that the profile knows are
//! left out or marked, and of the others the best are shown and the rest counted. A profile that likes nothing yet is told what has
//! votes. Computing a digest never writes: what it held, and that it was seen, is noted by a second call.
//!
//! | file | what it does |
//! |---|---|
//! | `wishes` | which papers, how many, in which order, when |
//! | `rank` | what comes first, what is trending, what surprises |

mod rank;
mod wishes;

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::library::{Days, Filter, Library, PaperRow, Uncovered};
use crate::paper::{Date, days_before};
use crate::recommend::{Desk, Hit};
use crate::topics::{self, Gone, Kept, Stretch, Topic, Topics};
use rank::Ranking;

pub use rank::trend;
pub use wishes::{At, Day, Every, Schedule, Seen, Sort, Wishes};

/// What some days brought.
#[derive(Debug, Clone)]
pub struct Digest {
    /// Whose.
    pub profile: String,
    /// The days that were asked for.
    pub asked: Days,
    /// The days of its papers; nothing if it has none.
    pub days: Option<(Date, Date)>,
    /// True if the profile likes something by which to rank.
    pub has_taste: bool,
    /// What comes first.
    pub sort: Sort,
    /// All papers of it, also those that are not shown.
    pub papers: Vec<PaperRow>,
    /// How many of them the profile has seen, and are left out.
    pub seen: u64,
    /// How many of them the profile rates, and are left out.
    pub rated: u64,
    /// The topics, the most interesting first; the last one may be of papers in no topic.
    pub sections: Vec<Section>,
    /// The papers with the most votes and comments, the first first; all are in a section.
    pub trending: Vec<PaperRow>,
    /// A paper that is not like what the profile likes.
    pub surprise: Option<Item>,
    /// True if earlier days are known with which topics may go on.
    pub is_compared: bool,
    /// Topics of the days before that are not there any more.
    pub gone: Vec<Gone>,
    /// Why some papers that the profile rates say nothing.
    pub silent: Vec<String>,
}

/// A topic of a digest.
#[derive(Debug, Clone)]
pub struct Section {
    /// The topic, with all of its papers; none for papers in no topic.
    pub topic: Option<Topic>,
    /// The papers that are shown, the best first.
    pub items: Vec<Item>,
    /// Papers that are not shown, and that the profile does not know.
    pub more: usize,
}

/// A paper of a digest.
#[derive(Debug, Clone)]
pub struct Item {
    /// The paper, and why it is here.
    pub hit: Hit,
    /// Its place among the trending, from 1.
    pub trending: Option<usize>,
}

impl Digest {
    /// The papers that are shown.
    pub fn shown(&self) -> impl Iterator<Item = &Item> {
        self.sections.iter().flat_map(|section| &section.items).chain(&self.surprise)
    }

    /// True if nothing is in it that the profile does not know.
    pub fn is_empty(&self) -> bool {
        self.shown().next().is_none() && self.sections.iter().all(|section| section.more == 0)
    }
}

/// The digest of the days of `period`, without the papers that it has as covered.
///
/// # Errors
///
/// [`crate::Error::Usage`] for wishes that mean nothing, and those of the library.
pub fn digest(library: &Library, profile: &str, wishes: &Wishes, period: &Uncovered) -> Result<Digest> {
    let filter = Filter { days: period.days, ..wishes.filter() };
    let mut papers = library.rows_of(&filter)?;
    papers.retain(|row| !period.covered.contains(row));
    let found = sorted(library, &filter, &papers)?;
    let desk = Desk::new(library)?;
    let (mut query, silent) = desk.taste(&library.ratings(profile)?)?;
    let rated: HashSet<PaperRow> = query.without.iter().copied().collect();
    query.without.extend(&period.covered);
    let mut ranking = Ranking::new(library, &papers, (profile, wishes), period.days.until)?;
    let has_taste = !query.likes.is_empty() && !papers.is_empty();
    if has_taste {
        ranking.rank(&desk, &query, &filter)?;
    }
    let seen: HashSet<PaperRow> = match wishes.seen {
        Seen::Hide => ranking.seen().filter(|row| !rated.contains(row)).collect(),
        Seen::Mark => HashSet::new(),
    };
    let is_new = |row: &PaperRow| !rated.contains(row) && !seen.contains(row);
    let mut groups = groups(&found, &papers);
    groups.iter_mut().for_each(|group| group.1.retain(is_new));
    let rows: Vec<PaperRow> = papers.iter().copied().filter(is_new).collect();
    let surprise = ranking.surprise(&rows);
    let trending = ranking.trending(&rows);
    let chosen = ranking.chosen(rows.into_iter().filter(|row| Some(*row) != surprise).collect(), &trending, wishes.papers);
    let mut hits: HashMap<PaperRow, Hit> = ranking.hits(&desk, &query, chosen.iter().copied().chain(surprise))?;
    let item = |row: PaperRow, hits: &mut HashMap<PaperRow, Hit>| {
        let place = trending.iter().position(|other| *other == row).map(|place| place + 1);
        hits.remove(&row).map(|hit| Item { hit, trending: place })
    };
    let section = |(topic, mut rows): (Option<Topic>, Vec<PaperRow>)| {
        rows.retain(|row| Some(*row) != surprise);
        ranking.sort(&mut rows);
        let worth = ranking.worth(&rows);
        let all = rows.len();
        let items: Vec<Item> = rows.into_iter().filter_map(|row| item(row, &mut hits)).collect();
        (worth, Section { topic, more: all - items.len(), items })
    };
    let mut sections: Vec<_> = groups.into_iter().filter(|(_, rows)| !rows.is_empty()).map(section).collect();
    sections.retain(|(_, section)| section.more > 0 || !section.items.is_empty());
    // What is in no topic comes last, and of equals the larger topic first.
    sections.sort_by(|a, b| a.1.topic.is_none().cmp(&b.1.topic.is_none()).then(rank::descending(&a.0, &b.0)));
    Ok(Digest {
        profile: profile.to_owned(),
        asked: period.days,
        days: ranking.days(),
        has_taste,
        sort: wishes.sort,
        seen: seen.len() as u64,
        rated: papers.iter().filter(|row| rated.contains(row)).count() as u64,
        surprise: surprise.and_then(|row| item(row, &mut hits)),
        sections: sections.into_iter().map(|(_, section)| section).collect(),
        trending,
        is_compared: found.is_compared,
        gone: found.gone,
        silent,
        papers,
    })
}

/// Topics and their papers, and then the papers in no topic.
fn groups(found: &Topics, papers: &[PaperRow]) -> Vec<(Option<Topic>, Vec<PaperRow>)> {
    let rows = |topic: &Topic| topic.members.iter().map(|member| member.paper).collect::<Vec<_>>();
    let mut groups: Vec<_> = found.topics.iter().map(|topic| (Some(topic.clone()), rows(topic))).collect();
    let in_topics: HashSet<PaperRow> = groups.iter().flat_map(|(_, rows)| rows).copied().collect();
    groups.push((None, papers.iter().copied().filter(|row| !in_topics.contains(row)).collect()));
    groups
}

/// The topics of the papers, going on with those of the days before. Those of a whole day are the ones that the library keeps.
fn sorted(library: &Library, filter: &Filter, papers: &[PaperRow]) -> Result<Topics> {
    let Days { since: Some(since), until: Some(until) } = filter.days else {
        return topics::topics(library, &topics::Options { among: Some(papers.to_vec()), ..topics::Options::default() });
    };
    if papers.is_empty() {
        return Ok(Topics::default());
    }
    let options = topics::Options::default();
    let others = Filter { days: Days::default(), ..filter.clone() };
    let last = library.last_day(until)?.unwrap_or(until);
    let is_whole = others.is_open() && library.rows_of(&Filter { days: Days::one(last), ..Filter::default() })? == papers;
    let (first, day) = if is_whole { (last, last) } else { (since, until) };
    let mut stretches = Vec::new();
    let keeps = is_whole && library.kept_day_before(first)?.is_some();
    if let Some(end) = library.last_day(days_before(first, 1))?.filter(|_| !keeps) {
        let days = 1 + day.since(first).map_or(0, |span| span.get_days());
        let before = Days { since: Some(days_before(end, days - 1)), until: Some(end) };
        stretches.push(Stretch { day: end, papers: library.rows_of(&Filter { days: before, ..others })? });
    }
    stretches.push(Stretch { day, papers: papers.to_vec() });
    let kept = if is_whole { Kept::Known } else { Kept::Aside };
    Ok(topics::in_turn(library, stretches, &options, kept)?.pop().unwrap_or_default())
}

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
//! | `before` | what goes on from the days before |

mod before;
mod rank;
mod wishes;

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::library::{Days, Filter, Library, PaperRow, Uncovered};
use crate::paper::Date;
use crate::recommend::{Desk, Hit};
use crate::topics::{Topic, Topics};
use before::Earlier;
use rank::Ranking;

pub use before::Before;
pub use wishes::{At, Day, Every, Schedule, Seen, Sort, Wishes};

/// What some days brought.
#[derive(Debug, Clone)]
pub struct Digest {
    /// Whose; nothing if of nobody.
    pub profile: String,
    /// What was wished.
    pub wishes: Wishes,
    /// The days that were asked for.
    pub asked: Days,
    /// The days of its papers; nothing if it has none.
    pub days: Option<(Date, Date)>,
    /// True if the profile likes something by which to rank.
    pub has_taste: bool,
    /// True if some paper has votes or comments.
    pub has_votes: bool,
    /// All papers of it, also those that are left out.
    pub papers: Vec<PaperRow>,
    /// How many of them the profile has seen, and are left out.
    pub seen: u64,
    /// How many of them the profile rates, and are left out.
    pub rated: u64,
    /// How many topics all of its papers are in.
    pub topics: usize,
    /// True if the numbers of topics are those under which the library keeps them.
    pub has_kept_topics: bool,
    /// The topics with papers that are not left out, the most interesting first; the last one may be of papers in no topic.
    pub sections: Vec<Section>,
    /// The papers with the most votes and comments, the first first; all are in a section.
    pub trending: Vec<PaperRow>,
    /// A paper that is not like what the profile likes.
    pub surprise: Option<Item>,
    /// The days before with which topics are compared, if there are papers of them.
    pub before: Option<(Date, Date)>,
    /// Topics of the days before that are not there now, with their papers; the largest first.
    pub gone: Vec<(String, usize)>,
    /// Why some papers that the profile rates say nothing.
    pub silent: Vec<String>,
}

/// A topic of a digest.
#[derive(Debug, Clone)]
pub struct Section {
    /// The topic, with all of its papers; none for papers in no topic.
    pub topic: Option<Topic>,
    /// How it was there before.
    pub before: Option<Before>,
    /// The papers that are shown, the best first.
    pub items: Vec<Item>,
    /// Papers that are neither shown nor left out.
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

/// The digest of the days of `period`, without the papers that it has as covered. Nobody's profile has no name.
///
/// # Errors
///
/// [`crate::Error::Usage`] for wishes that mean nothing, and those of the library.
pub fn digest(library: &Library, profile: &str, wishes: &Wishes, period: &Uncovered) -> Result<Digest> {
    let filter = Filter { days: period.days, ..wishes.filter() };
    let mut papers = library.rows_of(&filter)?;
    papers.retain(|row| !period.covered.contains(row));
    let (found, has_kept_topics) = before::sorted(library, &filter, &papers)?;
    let mut ranking = Ranking::new(library, &papers, &found, (profile, wishes, period.days))?;
    let own_days = match (period.covered.is_empty(), period.days.since.zip(period.days.until)) {
        // A week that is not yet over is compared with a whole one.
        (true, Some(asked)) if asked.0 < asked.1 => Some(asked).filter(|_| !papers.is_empty()),
        (is_first, _) => ranking.days_of_papers(!is_first),
    };
    let earlier = Earlier::of(library, &filter, &found, own_days)?;
    let desk = Desk::new(library)?;
    let (mut query, silent) = desk.taste(&library.ratings(profile)?)?;
    let rated: HashSet<PaperRow> = query.without.iter().copied().collect();
    query.without.extend(&period.covered);
    let has_taste = !query.likes.is_empty() && !papers.is_empty();
    if has_taste {
        ranking.rank(&desk, &query, &filter)?;
    }
    let seen: HashSet<PaperRow> = match wishes.seen {
        Seen::Hide => ranking.seen().filter(|row| !rated.contains(row) && !period.seen_in_mail.contains(row)).collect(),
        Seen::Mark => HashSet::new(),
    };
    let mut groups = groups(&found, &papers);
    groups.iter_mut().for_each(|group| group.rows.retain(|row| !rated.contains(row) && !seen.contains(row)));
    let chosen = ranking.choose(&groups, wishes.papers);
    let hits = ranking.hits(&desk, &query, chosen.shown.iter().copied().chain(chosen.surprise))?;
    let mut digest = Digest {
        profile: profile.to_owned(),
        wishes: wishes.clone(),
        asked: period.days,
        days: ranking.days(),
        has_taste,
        has_votes: ranking.has_votes,
        seen: seen.len() as u64,
        rated: papers.iter().filter(|row| rated.contains(row)).count() as u64,
        topics: found.topics.len(),
        has_kept_topics,
        sections: Vec::new(),
        trending: chosen.trending,
        surprise: None,
        before: earlier.as_ref().map(|earlier| earlier.days),
        gone: earlier.as_ref().map(|earlier| earlier.gone.clone()).unwrap_or_default(),
        silent,
        papers,
    };
    fill(&mut digest, (groups, chosen.surprise), (&ranking, earlier.as_ref()), hits);
    Ok(digest)
}

/// Puts papers into their sections, and these into their order.
fn fill(
    digest: &mut Digest,
    (groups, surprise): (Vec<Group>, Option<PaperRow>),
    (ranking, earlier): (&Ranking, Option<&Earlier>),
    mut hits: HashMap<PaperRow, Hit>,
) {
    let trending = digest.trending.clone();
    let mut item = |row: PaperRow| {
        let trending = trending.iter().position(|other| *other == row).map(|place| place + 1);
        hits.remove(&row).map(|hit| Item { hit, trending })
    };
    digest.surprise = surprise.and_then(&mut item);
    let mut sections = Vec::new();
    for Group { topic, number, mut rows } in groups {
        rows.retain(|row| Some(*row) != surprise);
        if rows.is_empty() {
            continue;
        }
        ranking.sort(&mut rows);
        let (worth, all) = (ranking.worth(&rows), rows.len());
        let items: Vec<Item> = rows.into_iter().filter_map(&mut item).collect();
        let before = number.and_then(|number| earlier.and_then(|earlier| earlier.of_topic(number)));
        sections.push((worth, Section { topic, before, more: all - items.len(), items }));
    }
    // What is in no topic comes last, and of equals the larger topic first.
    sections.sort_by(|a, b| a.1.topic.is_none().cmp(&b.1.topic.is_none()).then(rank::descending(&a.0, &b.0)));
    digest.sections = sections.into_iter().map(|(_, section)| section).collect();
}

/// The papers of a topic, or those in none.
struct Group {
    topic: Option<Topic>,
    /// Its place among the topics that were found.
    number: Option<usize>,
    rows: Vec<PaperRow>,
}

/// Topics, and then the papers in no topic.
fn groups(found: &Topics, papers: &[PaperRow]) -> Vec<Group> {
    let rows = |topic: &Topic| topic.members.iter().map(|member| member.paper).collect::<Vec<_>>();
    let group = |(number, topic): (usize, &Topic)| Group { topic: Some(topic.clone()), number: Some(number), rows: rows(topic) };
    let mut groups: Vec<Group> = found.topics.iter().enumerate().map(group).collect();
    let in_topics: HashSet<PaperRow> = groups.iter().flat_map(|group| &group.rows).copied().collect();
    let others = papers.iter().copied().filter(|row| !in_topics.contains(row)).collect();
    groups.push(Group { topic: None, number: None, rows: others });
    groups
}

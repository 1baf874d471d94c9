//! From what was typed to a question: options, seeds and filters, the same for `similar`, `search` and `recommend`.

use std::io::Read;
use std::path::Path;

use paperkin::library::{Filter, Keyword, Library, PaperRow, Place, Unseen};
use paperkin::paper::Paper;
use paperkin::recommend::{Desk, Hit, Options, Recent, Seed};
use paperkin::source::{self, Item};
use paperkin::{Error, Result};

use crate::args::{Narrow, Order, Seen};
use crate::output;
use crate::settings::{Settings, day, now, today};

/// A text that is read from a file or standard input may have this many bytes.
const LONGEST_TEXT: u64 = 1 << 20;

pub(crate) fn filter(narrow: &Narrow, keywords: &[String]) -> Result<Filter> {
    let keyword = |text: &String| Keyword { text: text.clone(), place: Place::Anywhere };
    Ok(Filter {
        since: day(narrow.since.as_deref())?,
        until: day(narrow.until.as_deref())?,
        categories: narrow.categories.clone(),
        authors: narrow.authors.clone(),
        keywords: keywords.iter().map(keyword).collect(),
        exclude: narrow.exclude.iter().map(keyword).collect(),
        sources: narrow.sources.clone(),
        min_upvotes: narrow.min_upvotes,
        ..Filter::default()
    })
}

pub(crate) fn order(order: &Order, strategy: &str) -> Result<Options> {
    let default = Options::default();
    let options = Options {
        search: order.way.search.parse()?,
        strategy: strategy.parse()?,
        blend: order.blend.unwrap_or(default.blend),
        diversity: order.diversity.unwrap_or(default.diversity),
        recent: order.recent.map(|half_life| Recent { today: today(), half_life }),
        popular: order.popular.unwrap_or(default.popular),
        ..default
    };
    options.check()?;
    Ok(options)
}

/// All options of an answer.
pub(crate) fn options(narrow: &Narrow, keywords: &[String], (by, strategy): (&Order, &str), seen: &Seen, settings: &Settings) -> Result<Options> {
    let options = order(by, strategy)?;
    let unseen = seen.unseen.as_deref().map(|when| unseen(when, &seen.profile.profile)).transpose()?;
    Ok(Options {
        count: narrow.limit.or(settings.limit).unwrap_or(options.count),
        filter: Filter { unseen, ..filter(narrow, keywords)? },
        profile: seen.profile.profile.clone(),
        ..options
    })
}

/// `ever`, or `7d`: seen in the last seven days.
fn unseen(when: &str, profile: &str) -> Result<Unseen> {
    let wrong = || Error::usage(format!("no time {when:?}; expected ever, or a number of days such as 7d"));
    let since = match when {
        "ever" => None,
        days => {
            let days: i64 = days.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| (1..100_000).contains(days)).ok_or_else(wrong)?;
            let ago = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(24 * days)).map_err(|_| wrong())?;
            Some(ago.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        }
    };
    Ok(Unseen { profile: profile.to_owned(), since })
}

/// `ID` or `ID:WEIGHT`. An id may have a colon itself, and then is taken whole if the library knows it.
pub(crate) fn weighted(library: &Library, asked: &str) -> Result<(PaperRow, f32)> {
    let unknown = match library.find(asked) {
        Ok(row) => return Ok((row, 1.0)),
        Err(error @ Error::UnknownPaper { .. }) => error,
        Err(error) => return Err(error),
    };
    match asked.rsplit_once(':').and_then(|(id, weight)| Some((id, weight.trim().parse::<f32>().ok()?))) {
        Some((id, weight)) if weight > 0.0 && weight.is_finite() => Ok((library.find(id)?, weight)),
        Some((id, weight)) if library.find(id).is_ok() => Err(Error::Usage {
            message: format!("a weight of {weight}; expected a number above 0"),
            hint: Some("dislikes have weights above 0 too".to_owned()),
        }),
        _ => Err(unknown),
    }
}

pub(crate) fn seeds(library: &Library, desk: &Desk<'_>, asked: &[String]) -> Result<Vec<Seed>> {
    let seed = |asked: &String| weighted(library, asked).and_then(|(row, weight)| desk.seed(row, weight));
    asked.iter().map(seed).collect()
}

/// The text itself, or what standard input holds.
pub(crate) fn text(text: &str) -> Result<String> {
    let text = if text == "-" { read_text(std::io::stdin(), "-")? } else { text.to_owned() };
    if text.trim().is_empty() { Err(Error::usage("nothing to look for: the text is empty")) } else { Ok(text) }
}

/// The text of a file that is read whole, or of standard input.
pub(crate) fn read_file(path: &Path) -> Result<String> {
    let read = if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    read.map_err(|e| Error::io("cannot read", path, e))
}

fn read_text(input: impl Read, origin: &str) -> Result<String> {
    let mut bytes = Vec::new();
    input.take(LONGEST_TEXT + 1).read_to_end(&mut bytes).map_err(|e| Error::io("cannot read", origin.as_ref(), e))?;
    if bytes.len() as u64 > LONGEST_TEXT {
        return Err(Error::usage(format!("{origin}: a text of more than {} KiB; a seed is an abstract", LONGEST_TEXT >> 10)));
    }
    String::from_utf8(bytes).map_err(|_| Error::usage(format!("{origin} is neither papers nor text")))
}

/// The papers of a file that `source` reads, else its text as one paper without a title.
pub(crate) fn papers(path: &Path, settings: &Settings) -> Result<Vec<Paper>> {
    let origin = path.display().to_string();
    let open = || std::fs::File::open(path).map_err(|e| Error::io("cannot open", path, e));
    let options = source::Options { today: Some(today()), ..source::Options::default() };
    let reader = match source::open(&origin, std::io::BufReader::new(open()?), &options) {
        Err(Error::UnknownFormat { .. }) => {
            let text = source::clean(&read_text(open()?, &origin)?);
            return Ok(vec![Paper { abstract_text: text, ..Paper::default() }]);
        }
        reader => reader?,
    };
    let mut papers = Vec::new();
    for item in reader {
        match item? {
            Item::Paper(paper) => papers.push(*paper),
            Item::Failed(failure) => output::complain(&format!("failed: {}: {}", failure.place, failure.reason)),
            Item::Note(note) => output::say(settings, &format!("note: {note}")),
        }
    }
    if papers.is_empty() { Err(Error::NoPapers { origin, files: 1 }) } else { Ok(papers) }
}

/// Notes that an answer was seen, if that was asked for.
pub(crate) fn mark_seen<'h>(seen: &Seen, hits: impl Iterator<Item = &'h Hit>, settings: &Settings) -> Result<()> {
    if !seen.mark_seen {
        return Ok(());
    }
    let rows: Vec<PaperRow> = hits.map(|hit| hit.row).collect();
    settings.library_to_write()?.mark_seen(&seen.profile.profile, &rows, &now())
}

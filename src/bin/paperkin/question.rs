//! From what was typed to a question: options, seeds and filters, the same for `similar`, `search` and `recommend`.

use std::io::Read;
use std::path::Path;

use paperkin::library::{Filter, Keyword, Library, PaperRow, Place, Unseen};
use paperkin::paper::{Kind, Paper, PaperId, utc};
use paperkin::recommend::{Desk, Options, Recent, Seed};
use paperkin::render::{self, Answer, Format};
use paperkin::source::{self, Item};
use paperkin::{Error, Result};

use crate::args::{Choice, Narrow, Order, Seen};
use crate::output;
use crate::settings::{Settings, day, now, timestamp, today};

/// Papers of one file that are seeds.
const MOST_SEEDS: usize = 1000;
/// A text that is read from a file or standard input may have this many bytes.
const LONGEST_TEXT: u64 = 1 << 20;

pub(crate) fn filter(narrow: &Narrow, keywords: &[String]) -> Result<Filter> {
    let keyword = |text: &String| Keyword { text: text.clone(), place: Place::Anywhere };
    let choice = &narrow.choice;
    check(choice)?;
    Ok(Filter {
        since: day(narrow.since.as_deref())?,
        until: day(narrow.until.as_deref())?,
        categories: choice.categories.clone(),
        authors: choice.authors.clone(),
        keywords: keywords.iter().map(keyword).collect(),
        exclude: choice.exclude.iter().map(keyword).collect(),
        sources: choice.sources.clone(),
        min_upvotes: choice.min_upvotes,
        ..Filter::default()
    })
}

/// A name that is empty would let everything through, or nothing.
pub(crate) fn check(choice: &Choice) -> Result<()> {
    for (name, values) in [("category", &choice.categories), ("author", &choice.authors), ("source", &choice.sources)] {
        if values.iter().any(|value| value.trim().is_empty()) {
            return Err(Error::usage(format!("--{name} is empty")));
        }
    }
    Ok(())
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
            let ago = timestamp().checked_sub(jiff::SignedDuration::from_hours(24 * days)).map_err(|_| wrong())?;
            Some(utc(ago))
        }
    };
    Ok(Unseen { profile: profile.to_owned(), since })
}

/// `ID` or `ID:WEIGHT`. An id or a whole title may have a colon and a number at its end, and then is taken as it is; a part of a
/// title may not.
pub(crate) fn weighted(library: &Library, asked: &str) -> Result<(PaperRow, f32)> {
    if let Some(row) = library.by_id(asked)?.map_or_else(|| library.by_title(asked), |row| Ok(Some(row)))? {
        return Ok((row, 1.0));
    }
    let Some((id, weight)) = asked.rsplit_once(':').and_then(|(id, weight)| Some((id, weight.trim().parse::<f32>().ok()?))) else {
        return Ok((library.find(asked)?, 1.0));
    };
    // The number behind `arxiv:` is no weight of a title that has the word; that behind a DOI may be one.
    let is_id = matches!(PaperId::parse(asked).kind(), Kind::Arxiv | Kind::Doi);
    let found = if is_id { library.by_id(id)?.map_or_else(|| library.find(asked), Ok) } else { library.find(id) };
    match found {
        Ok(row) if weight > 0.0 && weight.is_finite() => Ok((row, weight)),
        Ok(_) => Err(Error::Usage {
            message: format!("a weight of {weight}; expected a number above 0"),
            hint: Some("dislikes have weights above 0 too".to_owned()),
        }),
        // Perhaps the number is a part of the title.
        Err(unknown) => library.find(asked).map(|row| (row, 1.0)).map_err(|_| unknown),
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

/// The text of a file that is read whole, or of standard input, without the mark that some programs put before it.
pub(crate) fn read_file(path: &Path) -> Result<String> {
    let read = if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = read.map_err(|e| Error::io("cannot read", path, e))?;
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

fn read_text(input: impl Read, origin: &str) -> Result<String> {
    let mut bytes = Vec::new();
    input.take(LONGEST_TEXT + 1).read_to_end(&mut bytes).map_err(|e| Error::io("cannot read", origin.as_ref(), e))?;
    if bytes.len() as u64 > LONGEST_TEXT {
        return Err(Error::usage(format!("{origin}: a text of more than {} KiB; a seed is an abstract", LONGEST_TEXT >> 10)));
    }
    String::from_utf8(bytes).map_err(|_| Error::usage(format!("{origin} is neither papers nor text")))
}

/// The papers of a file that `source` reads, else its text as one paper that is named after the file.
pub(crate) fn papers(path: &Path, settings: &Settings) -> Result<Vec<Paper>> {
    let origin = path.display().to_string();
    let mut input: Box<dyn Read> = match path {
        path if path == Path::new("-") => Box::new(std::io::stdin()),
        path => Box::new(std::fs::File::open(path).map_err(|e| Error::io("cannot open", path, e))?),
    };
    // A pipe can be read but once: its beginning is kept for who reads it as text.
    let mut head = Vec::new();
    input.by_ref().take(LONGEST_TEXT + 1).read_to_end(&mut head).map_err(|e| Error::io("cannot read", path, e))?;
    let options = source::Options { today: Some(today()), ..source::Options::default() };
    let whole = std::io::Cursor::new(head.clone()).chain(std::io::BufReader::new(input));
    let reader = match source::open(&origin, whole, &options) {
        Err(Error::UnknownFormat { .. }) => {
            let text = source::clean(&read_text(head.as_slice(), &origin)?);
            if text.is_empty() {
                return Err(Error::usage(format!("{origin} is empty")));
            }
            let name = path.file_name().map_or(origin, |name| name.to_string_lossy().into_owned());
            return Ok(vec![Paper { ids: vec![PaperId::Given(name)], abstract_text: text, ..Paper::default() }]);
        }
        reader => reader?,
    };
    let mut papers = Vec::new();
    for item in reader {
        match item? {
            Item::Paper(_) if papers.len() == MOST_SEEDS => {
                let message = format!("{origin} has more than {MOST_SEEDS} papers, which is too many for one question");
                return Err(Error::Usage {
                    message,
                    hint: Some("`paperkin add` keeps them, and `paperkin like` makes a profile of some".to_owned()),
                });
            }
            Item::Paper(paper) => papers.push(*paper),
            Item::Failed(failure) | Item::Lost(failure) => output::complain(&format!("failed: {}: {}", failure.place, failure.reason)),
            Item::Deleted(_) => {}
            Item::Note(note) => output::say(settings, &format!("note: {note}")),
        }
    }
    if papers.is_empty() { Err(Error::NoPapers { origin, files: 1 }) } else { Ok(papers) }
}

/// Shows an answer, and notes that it was seen if that was asked for. `heading` stands above a table.
pub(crate) fn show(desk: &Desk<'_>, answer: Answer, heading: &str, (format, seen): (Format, &Seen), settings: &Settings) -> Result<()> {
    output::mend_index(desk.damage(), settings);
    if matches!(format, Format::Table) && !heading.is_empty() {
        output::say(settings, heading);
    }
    let answer = [answer];
    output::print(&render::answers(&answer, format, output::width())?)?;
    if seen.mark_seen {
        let rows: Vec<PaperRow> = answer[0].hits.iter().map(|hit| hit.row).collect();
        settings.library_to_write()?.mark_seen(&seen.profile.profile, &rows, &now())?;
    }
    Ok(())
}

//! The Daily Papers page as text: what one gets by selecting the page and copying.
//!
//! ```text
//! new / Get trending papers in your email inbox! / Subscribe / Daily Papers / byAK and the research community
//! Dec 10                                  the banner ends with the day
//!
//! A title
//!
//! An abstract, of one or several lines or paragraphs.
//!
//!   • 8 authors                           these three lines may lack
//! ·
//! Nov 25, 2022                            or `Jun 4` in the capture's own year, or `Jun 4 3` with three comments
//! ```
//!
//! Blank lines part the blocks. No ids, no links and no names are in it.

use super::clean::{abstract_of, clean, is_blank};
use super::{Failure, Item, Options, unreadable};
use crate::error::Result;
use crate::paper::{Date, Paper, parse_date, parse_month_day};

pub(super) fn read(origin: &str, text: &str, options: &Options) -> Result<Vec<Item>> {
    let blocks = blocks(text);
    let (banner_day, body) = without_banner(&blocks);
    let entries = entries(body);
    if entries.is_empty() {
        return Err(unreadable(origin, "a Daily Papers page without a paper in it"));
    }
    let (day, note) = capture_day(banner_day, &entries, options);
    let mut items: Vec<Item> = note.map(|note| Item::Note(format!("{origin}: {note}"))).into_iter().collect();
    items.extend(entries.into_iter().map(|entry| entry.into_item(origin, day)));
    Ok(items)
}

/// True for a line of the banner that stands above every copy of the page.
pub(super) fn is_banner(line: &str) -> bool {
    matches!(line, "new" | "Get trending papers in your email inbox!" | "Get trending papers in your email inbox" | "Subscribe" | "Daily Papers")
        || line.starts_with("by") && line.ends_with("and the research community")
}

/// The day in the banner, as written, and the blocks below it.
fn without_banner(blocks: &[Block]) -> (Option<String>, &[Block]) {
    let first_meta = blocks.iter().position(|b| matches!(b.kind, Kind::Meta(_))).unwrap_or(blocks.len());
    let banner_end = blocks[..first_meta].iter().take(12).rposition(|b| is_banner(&b.text)).map_or(0, |at| at + 1);
    match blocks[banner_end..].split_first() {
        Some((Block { kind: Kind::Date(date, _), .. }, body)) => (Some(date.clone()), body),
        _ => (None, &blocks[banner_end..]),
    }
}

/// Lines between two blank lines.
struct Block {
    /// Its first line, from 1.
    line: usize,
    text: String,
    kind: Kind,
}

enum Kind {
    Prose,
    /// A day that stands alone, and a number of comments: the banner's, or one below an abstract.
    Date(String, Option<u32>),
    /// `·` alone, between the authors and the day.
    Dot,
    /// The lines below an abstract.
    Meta(Meta),
}

#[derive(Default, Clone)]
struct Meta {
    authors_count: Option<u32>,
    date: Option<String>,
    comments: Option<u32>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines: Vec<(usize, &str)> = Vec::new();
    for (at, line) in text.lines().map(|line| line.trim_matches(is_blank)).chain([""]).enumerate() {
        if !line.is_empty() {
            lines.push((at + 1, line));
            continue;
        }
        // The lines below an abstract may follow it without a blank line.
        let meta_at = lines.iter().position(|(_, line)| authors_line(line).is_some()).unwrap_or(lines.len());
        let (prose, meta) = lines.split_at(meta_at);
        blocks.extend([prose, meta].into_iter().filter_map(block));
        lines.clear();
    }
    blocks
}

fn block(numbered: &[(usize, &str)]) -> Option<Block> {
    let lines: Vec<&str> = numbered.iter().map(|(_, line)| *line).collect();
    let (line, _) = numbered.first()?;
    Some(Block { line: *line, text: lines.join(" "), kind: kind(&lines) })
}

fn kind(lines: &[&str]) -> Kind {
    if lines.iter().any(|line| authors_line(line).is_some()) {
        let (date, comments) = lines.iter().find_map(|line| date_line(line)).unzip();
        let authors_count = lines.iter().find_map(|line| authors_line(line));
        return Kind::Meta(Meta { authors_count, date, comments: comments.flatten() });
    }
    match lines {
        [line] | ["·", line] => match date_line(line) {
            Some((date, comments)) => Kind::Date(date, comments),
            None if *line == "·" => Kind::Dot,
            None => Kind::Prose,
        },
        _ => Kind::Prose,
    }
}

/// `• 8 authors`
fn authors_line(line: &str) -> Option<u32> {
    let words: Vec<&str> = line.trim_start_matches(['•', '·', '*', '-', ' ', '\t']).split_whitespace().collect();
    match words.as_slice() {
        [number, "author" | "authors"] => number.parse().ok(),
        _ => None,
    }
}

/// `Nov 25, 2022`, `Jun 4`, and either with a number of comments behind it: the date as written, and the comments.
fn date_line(line: &str) -> Option<(String, Option<u32>)> {
    const LONGEST_DATE: usize = "September 30, 2025 1000".len();
    if line.len() > LONGEST_DATE {
        return None;
    }
    let words: Vec<&str> = line.trim_start_matches(['·', ' ']).split_whitespace().collect();
    let (date, comments) = match words.as_slice() {
        [month, day] => (format!("{month} {day}"), None),
        [month, day, year] if day.ends_with(',') && year.len() == 4 => (format!("{month} {day} {year}"), None),
        [month, day, comments] => (format!("{month} {day}"), Some(comments)),
        [month, day, year, comments] => (format!("{month} {day} {year}"), Some(comments)),
        _ => return None,
    };
    let valid = parse_date(&date).is_some() || parse_month_day(&date).is_some();
    let comments = comments.map(|number| number.parse().ok());
    (valid && comments != Some(None)).then_some((date, comments.flatten()))
}

/// One paper as it stands in the text.
struct Entry {
    line: usize,
    title: String,
    paragraphs: Vec<String>,
    meta: Meta,
}

/// Groups blocks to papers. A title begins a paper; the lines below an abstract end it.
fn entries(blocks: &[Block]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut open = false;
    for (at, block) in blocks.iter().enumerate() {
        match (&block.kind, entries.last_mut()) {
            (Kind::Meta(meta), Some(entry)) if open => {
                entry.meta = meta.clone();
                open = false;
            }
            (Kind::Prose, Some(entry)) if open && (entry.paragraphs.is_empty() || !begins_paper(blocks, at)) => {
                entry.paragraphs.push(block.text.clone());
            }
            (Kind::Prose, _) => {
                entries.push(Entry { line: block.line, title: block.text.clone(), paragraphs: Vec::new(), meta: Meta::default() });
                open = true;
            }
            // Some browsers part the lines below an abstract by blank ones.
            (Kind::Date(date, comments), Some(entry)) if entry.meta.date.is_none() && !entry.paragraphs.is_empty() => {
                entry.meta.date = Some(date.clone());
                entry.meta.comments = *comments;
                open = false;
            }
            // Outside a paper they belong to nothing.
            (Kind::Meta(_) | Kind::Date(..) | Kind::Dot, _) => {}
        }
    }
    entries
}

/// True if the block at `at`, which follows an abstract, is the title of the next paper and not a further
/// paragraph: short, not a sentence, and followed by prose that is longer than itself.
fn begins_paper(blocks: &[Block], at: usize) -> bool {
    const LONGEST_TITLE: usize = 300;
    const SHORTEST_ABSTRACT: usize = 200;
    let text = &blocks[at].text;
    let reads_as_title = text.chars().count() <= LONGEST_TITLE && !text.ends_with(['.', ';', ':', ',']) && !text.contains("://");
    let next = blocks.get(at + 1).filter(|next| matches!(next.kind, Kind::Prose));
    reads_as_title && next.is_some_and(|next| next.text.len() > text.len() && (next.text.len() >= SHORTEST_ABSTRACT || next.text.ends_with('.')))
}

/// The day of the capture, and a note where its year had to be inferred.
///
/// Nothing in a capture says its year. Papers dated without a year are of the capture's own, and all others show
/// theirs, so that the year is the one after the latest that is shown. Without such dates it is the last such day up to today.
fn capture_day(banner: Option<String>, entries: &[Entry], options: &Options) -> (Option<Date>, Option<String>) {
    let full = banner.as_deref().and_then(parse_date);
    if let Some(day) = options.day.or(full) {
        return (Some(day), None);
    }
    let Some((month, day)) = banner.as_deref().and_then(parse_month_day) else { return (None, None) };
    let dates = || entries.iter().filter_map(|entry| entry.meta.date.as_deref());
    let latest_shown = dates().filter_map(parse_date).map(Date::year).max();
    let some_without_year = dates().any(|date| parse_date(date).is_none());
    let year = match latest_shown {
        Some(year) if some_without_year => Some(year + 1),
        _ => options.today.map(|today| if (month, day) <= (today.month(), today.day()) { today.year() } else { today.year() - 1 }),
    };
    let inferred = year.and_then(|year| Date::new(year, month, day).ok());
    let written = banner.unwrap_or_default();
    let note = match inferred {
        Some(day) => format!("the page says \"{written}\" without a year; taken as {day} (`add --date` sets it)"),
        None => format!("the page says \"{written}\" without a year; its day is left open (`add --date` sets it)"),
    };
    (inferred, Some(note))
}

impl Entry {
    fn into_item(self, origin: &str, day: Option<Date>) -> Item {
        let failed = |reason: &str| Item::Failed(Failure { place: format!("{origin}:{}", self.line), reason: reason.to_owned() });
        if self.paragraphs.is_empty() {
            return failed("a title without an abstract");
        }
        let date = self.meta.date.as_deref();
        let in_year_of_capture = |text| parse_month_day(text).and_then(|(month, of_month)| Date::new(day?.year(), month, of_month).ok());
        Item::Paper(Box::new(Paper {
            title: clean(&self.title),
            abstract_text: abstract_of(&self.paragraphs.join(" ")),
            authors_count: self.meta.authors_count,
            published: date.and_then(|text| parse_date(text).or_else(|| in_year_of_capture(text))),
            day,
            comments: self.meta.comments,
            ..Paper::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANNER: &str = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nbyAK and the research community\n\n";

    fn papers(body: &str, options: &Options) -> (Vec<Paper>, Vec<Item>) {
        let mut papers = Vec::new();
        let mut others = Vec::new();
        for item in read("c.txt", &format!("{BANNER}{body}"), options).unwrap() {
            match item {
                Item::Paper(paper) => papers.push(*paper),
                other => others.push(other),
            }
        }
        (papers, others)
    }

    #[test]
    fn dates_comments_and_missing_lines_are_read() {
        let body = "Dec 10\n\nFirst title\n\nAn abstract.\n\n  • 8 authors\n·\nNov 25, 2022\n\n\
            Second title\n\nOne line\nand another.\n\nA further paragraph, with code at https://example.org\n\n  • 2 authors\n·\nJun 4 3\n\n\
            Third title, which lacks its lines\n\nThe abstract of the third, longer than its title.\n\n\
            Fourth\n\nShort but whole.\n\n• 1 author\n·\nJun 13, 2024 1\n";
        let (papers, notes) = papers(body, &Options::default());
        let read: Vec<_> = papers.iter().map(|p| (p.title.as_str(), p.authors_count, p.published.map(|d| d.to_string()), p.comments)).collect();
        assert_eq!(
            read,
            [
                ("First title", Some(8), Some("2022-11-25".to_owned()), None),
                ("Second title", Some(2), Some("2025-06-04".to_owned()), Some(3)),
                ("Third title, which lacks its lines", None, None, None),
                ("Fourth", Some(1), Some("2024-06-13".to_owned()), Some(1)),
            ]
        );
        assert_eq!(papers[1].abstract_text, "One line and another. A further paragraph, with code at https://example.org");
        assert_eq!(papers[0].day.unwrap().to_string(), "2025-12-10");
        assert_eq!(notes.len(), 1);
    }

    #[test]
    fn blank_lines_between_the_facts_and_a_banner_without_a_day_lose_nothing() {
        let body = "First\n\nAn abstract.\n\n  • 8 authors\n\n·\n\nNov 25, 2022\n\nSecond\n\nAnother abstract.\n\n• 1 author\n\n·\n\nJun 4, 2023 3\n";
        let (papers, notes) = papers(body, &Options::default());
        let read: Vec<_> = papers.iter().map(|p| (p.title.as_str(), p.authors_count, p.published.map(|d| d.to_string()), p.comments)).collect();
        assert_eq!(read, [("First", Some(8), Some("2022-11-25".to_owned()), None), ("Second", Some(1), Some("2023-06-04".to_owned()), Some(3))]);
        assert!(notes.is_empty() && papers[0].day.is_none());
    }

    #[test]
    fn the_year_is_the_one_given_or_the_last_that_fits() {
        let body = "Mar 11\n\nA title\n\nAn abstract that ends.\n";
        let day = |options: Options| papers(body, &options).0[0].day.map(|day| day.to_string());
        let date = |text| parse_date(text);
        assert_eq!(day(Options { day: date("2025-03-11"), ..Options::default() }).as_deref(), Some("2025-03-11"));
        assert_eq!(day(Options { today: date("2026-03-11"), ..Options::default() }).as_deref(), Some("2026-03-11"));
        assert_eq!(day(Options { today: date("2026-03-10"), ..Options::default() }).as_deref(), Some("2025-03-11"));
        assert_eq!(day(Options::default()), None);
    }

    #[test]
    fn a_line_without_a_letter_is_blank() {
        let (papers, _) = papers("Mar 11\n\n\u{feff}\n\nA title\n\u{1}\nAn abstract that ends.\n", &Options::default());
        assert_eq!((papers[0].title.as_str(), papers[0].abstract_text.as_str()), ("A title", "An abstract that ends."));
    }

    #[test]
    fn a_title_alone_is_a_failure_with_its_line() {
        let (papers, others) = papers("Mar 11\n\nA title\n\nAn abstract that ends.\n\n  • 1 author\n\nLonely title\n", &Options::default());
        assert_eq!(papers.len(), 1);
        let failed = Item::Failed(Failure { place: "c.txt:17".into(), reason: "a title without an abstract".into() });
        assert!(others.contains(&failed), "{others:?}");
    }
}

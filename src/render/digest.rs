//! A digest: for a terminal and the plain part of mail, as Markdown, as a page, as JSON, as a feed.

mod atom;
mod page;

use std::path::Path;
use std::str::FromStr;

use serde_json::{Value, json};

use super::table::{SEED, fit, one_line, reasons, row, wrap};
use super::{link, markdown, markdown_title, plural, pretty, reason_json, rounded, titled};
use crate::digest::{Before, Digest, Item, Section, Sort};
use crate::error::{Error, Result};
use crate::library::PaperRow;
use crate::paper::{Date, Paper};
use crate::recommend::{Hit, Reason};

pub use page::digest_mail;

/// Authors that are named.
const AUTHORS: usize = 3;
/// Columns of the title of a liked paper, where there is room.
const LONG_SEED: usize = 60;
/// The plain part of mail is as wide as people quote it.
const MAIL_WIDTH: usize = 76;

/// The forms of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DigestForm {
    Table,
    Json,
    Markdown,
    Html,
    Atom,
    /// Ids of the papers that are shown, one a line.
    Ids,
}

impl DigestForm {
    /// The form that a file's name asks for.
    pub fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "html" | "htm" => Some(Self::Html),
            "md" | "markdown" => Some(Self::Markdown),
            "json" => Some(Self::Json),
            "xml" | "atom" => Some(Self::Atom),
            "txt" => Some(Self::Table),
            _ => None,
        }
    }
}

impl FromStr for DigestForm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let forms = [Self::Table, Self::Json, Self::Markdown, Self::Html, Self::Atom];
        let names = ["table", "json", "markdown", "html", "atom"];
        let found = names.iter().position(|known| *known == name);
        found.map(|at| forms[at]).ok_or_else(|| Error::usage(format!("no format {name:?} of a digest; expected one of {}", names.join(", "))))
    }
}

/// A digest in one of its forms; `width` is that of the terminal.
pub fn digest(digest: &Digest, form: DigestForm, width: usize) -> String {
    match form {
        DigestForm::Table => plain(digest, Plain::Terminal(width)),
        DigestForm::Json => as_json(digest),
        DigestForm::Markdown => as_markdown(digest),
        DigestForm::Html => page::digest_page(digest),
        DigestForm::Atom => atom::digest_feed(digest),
        DigestForm::Ids => digest.shown().map(|item| format!("{}\n", one_line(&item.hit.paper.id().to_string()))).collect(),
    }
}

/// A day, or a stretch of days, for people: `Tuesday, 11 August 2026`.
fn digest_title(digest: &Digest) -> String {
    let long = |day: Date| day.strftime("%A, %-d %B %Y").to_string();
    match digest.days.or(digest.asked.since.zip(digest.asked.until)) {
        Some((first, last)) if first == last => long(last),
        Some((first, last)) if first.first_of_month() == last.first_of_month() => format!("{} to {}", first.day(), last.strftime("%-d %B %Y")),
        Some((first, last)) => format!("{} to {}", first.strftime("%-d %B %Y"), last.strftime("%-d %B %Y")),
        None => "All papers".to_owned(),
    }
}

/// The subject of mail: `11 Aug: agent, harness; reward; 20 papers`.
pub fn digest_subject(digest: &Digest) -> String {
    /// Topics that are named.
    const NAMED: usize = 2;
    let days = digest.days.or(digest.asked.since.zip(digest.asked.until)).map_or_else(|| "All".to_owned(), stretch);
    let topics = digest.sections.iter().filter(|section| section.topic.is_some() && !section.items.is_empty());
    let mut parts: Vec<String> = topics.take(NAMED).map(|section| fit(&heading(section), 40)).collect();
    parts.push(plural(count(digest) as u64, "paper"));
    format!("{days}: {}", parts.join("; "))
}

/// Papers that are not left out.
fn count(digest: &Digest) -> usize {
    digest.shown().count() + digest.sections.iter().map(|section| section.more).sum::<usize>()
}

/// `22 papers in 4 topics, for default; 3 that you rate are left out`.
fn summary(digest: &Digest) -> String {
    let of_topics = if digest.topics > 0 { format!(" in {}", plural(digest.topics as u64, "topic")) } else { String::new() };
    let whose = if digest.profile.is_empty() { String::new() } else { format!(", for {}", one_line(&digest.profile)) };
    let left_out = [(digest.rated, "that you rate"), (digest.seen, "that you have seen")];
    let left_out: Vec<String> = left_out.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let left_out = if left_out.is_empty() { String::new() } else { format!("; left out: {}", left_out.join(", ")) };
    format!("{}{of_topics}{whose}{left_out}", plural(digest.papers.len() as u64, "paper"))
}

/// What a reader is told of how it came about, if it is worth a word.
fn remark(digest: &Digest) -> Option<String> {
    if digest.papers.is_empty() {
        return Some("There are no papers of these days.".to_owned());
    }
    if digest.is_empty() {
        return Some("Nothing is new.".to_owned());
    }
    let first = if digest.has_votes { "what has most votes comes first" } else { "what is most typical of its topic comes first" };
    match digest.profile.as_str() {
        _ if digest.has_taste || digest.wishes.sort != Sort::Likeness => None,
        "" => Some(format!("Files know no likes: {first}.")),
        who => Some(format!("{} likes no paper yet: {first}. “paperkin like ID” says what you like.", one_line(who))),
    }
}

/// What a topic is called.
fn heading(section: &Section) -> String {
    section.topic.as_ref().map_or_else(|| "Others".to_owned(), |topic| one_line(&topic.name))
}

/// How a topic goes on; nothing where no earlier day is known.
fn change(digest: &Digest, section: &Section) -> Option<String> {
    section.topic.as_ref()?;
    let of_before = |before: Before| format!("goes on from {} ({})", stretch((before.since, before.until)), plural(before.papers as u64, "paper"));
    digest.before.map(|_| section.before.map_or_else(|| "new".to_owned(), of_before))
}

fn short(day: Date) -> String {
    day.strftime("%-d %b").to_string()
}

fn stretch((first, last): (Date, Date)) -> String {
    match (first.first_of_month() == last.first_of_month(), first == last) {
        (_, true) => short(last),
        (true, _) => format!("{} to {}", first.day(), short(last)),
        _ => format!("{} to {}", short(first), short(last)),
    }
}

/// What was there on the days before.
fn gone(digest: &Digest) -> Option<String> {
    let days = digest.before.filter(|_| !digest.gone.is_empty())?;
    let names = digest.gone.iter().map(|(name, papers)| format!("{} ({papers})", one_line(name))).collect::<Vec<_>>().join("; ");
    let since = if days.0 == days.1 { "on" } else { "from" };
    Some(format!("There {since} {} and not now: {names}", stretch(days)))
}

/// Votes and comments.
fn votes(paper: &Paper) -> Option<String> {
    let number = |count: Option<u32>, what| count.filter(|count| *count > 0).map(|count| plural(count.into(), what));
    let said: Vec<String> = [number(paper.upvotes, "vote"), number(paper.comments, "comment")].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The first authors.
fn authors(paper: &Paper) -> Option<String> {
    let named = paper.authors.iter().take(AUTHORS).map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
    let all = paper.count_authors().unwrap_or(0) as usize;
    match all.saturating_sub(AUTHORS.min(paper.authors.len())) {
        _ if named.is_empty() => (all > 0).then(|| plural(all as u64, "author")),
        0 => Some(named),
        others => Some(format!("{named} and {others} more")),
    }
}

/// Id, authors, votes, and the day where it is not that of the digest.
fn facts(digest: &Digest, item: &Item) -> String {
    let paper = &item.hit.paper;
    let day = paper.day.or(paper.published);
    let other_day = day.filter(|_| digest.days.is_some_and(|(first, last)| first != last)).map(|day| day.to_string());
    let facts = [Some(one_line(&paper.id().to_string())), other_day, authors(paper), votes(paper)];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Why it is here; the liked paper it is near is named in so many columns.
fn why(item: &Item, seed: usize) -> String {
    /// Below this cosine nothing is near: two papers of different fields have one of 0.1 to 0.2.
    const NEAR: f32 = 0.3;
    let told = |reason: &&Reason| match reason {
        // Votes stand among the facts, and all papers of a day are as new.
        Reason::Popular { .. } | Reason::Recent { .. } => false,
        Reason::Nearest { cosine, .. } => *cosine >= NEAR,
        _ => true,
    };
    let hit = Hit { reasons: item.hit.reasons.iter().filter(told).cloned().collect(), ..item.hit.clone() };
    reasons(&hit, Some(seed))
}

/// Of a paper that surprises, only that it was seen is worth telling.
fn why_surprising(item: &Item) -> String {
    let told = |reason: &&Reason| matches!(reason, Reason::Seen { .. });
    let hit = Hit { reasons: item.hit.reasons.iter().filter(told).cloned().collect(), ..item.hit.clone() };
    reasons(&hit, None)
}

fn more(section: &Section) -> Option<String> {
    match (section.more, section.items.len()) {
        (0, _) => None,
        (count, 0) => Some(format!("{}, none of them among those shown", plural(count as u64, "paper"))),
        (count, _) => Some(format!("and {count} more")),
    }
}

/// Topics of which papers are shown, and the others.
fn parts(digest: &Digest) -> (Vec<&Section>, Vec<&Section>) {
    digest.sections.iter().partition(|section| !section.items.is_empty())
}

/// Topics of which no paper is shown, in a line.
fn others(sections: &[&Section]) -> Option<String> {
    let name = |section: &&Section| format!("{} ({})", heading(section), section.more);
    (!sections.is_empty()).then(|| format!("Also: {}", sections.iter().map(name).collect::<Vec<_>>().join("; ")))
}

fn item_of(digest: &Digest, row: PaperRow) -> Option<&Item> {
    digest.shown().find(|item| item.hit.row == row)
}

/// The plain part of mail: as for a terminal, with links; `footer` says why somebody gets it.
pub fn digest_letter(digest: &Digest, footer: &str) -> String {
    format!("{}\n-- \n{}", plain(digest, Plain::Mail), wrap(footer, MAIL_WIDTH))
}

/// A terminal has room for a line of each thing, and shows no links; mail has no width to be cut at.
#[derive(Clone, Copy, PartialEq)]
enum Plain {
    Terminal(usize),
    Mail,
}

fn plain(digest: &Digest, place: Plain) -> String {
    let (shown, rest) = parts(digest);
    let width = if let Plain::Terminal(width) = place { width } else { MAIL_WIDTH };
    let row = |head: &str, text: &str| match place {
        Plain::Terminal(width) => row(head, text, width),
        Plain::Mail => indented(head, text),
    };
    let link = |paper: &Paper| link(paper).filter(|_| place == Plain::Mail);
    let mut out = format!("{}\n{}", digest_title(digest), wrap(&summary(digest), width));
    out.extend(remark(digest).map(|remark| wrap(&remark, width)));
    for (place, item) in digest.trending.iter().filter_map(|row| item_of(digest, *row)).enumerate() {
        let votes = votes(&item.hit.paper).unwrap_or_default();
        let head = if place == 0 { "\nTrending\n" } else { "" };
        out.push_str(&format!("{head}{}", row(&format!("  {}. ", place + 1), &format!("{}: {votes}", titled(&item.hit.paper)))));
    }
    let item = |item: &Item, why: String| {
        let lines = [titled(&item.hit.paper).into_owned(), facts(digest, item), why];
        let lines = lines.iter().filter(|line| !line.is_empty()).zip([" - "].into_iter().chain(std::iter::repeat("     ")));
        let mut lines: String = lines.map(|(line, head)| row(head, line)).collect();
        // An address that is cut or wrapped leads nowhere.
        lines.extend(link(&item.hit.paper).map(|url| format!("     {}\n", one_line(&url))));
        lines
    };
    for section in shown {
        let papers = section.items.len() + section.more;
        let facts = [Some(plural(papers as u64, "paper")), change(digest, section)];
        let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        out.push_str(&row("\n", &format!("{} · {facts}", heading(section))));
        section.items.iter().for_each(|one| out.push_str(&item(one, why(one, SEED))));
        out.extend(more(section).map(|more| format!("   {more}\n")));
    }
    if let Some(one) = &digest.surprise {
        out.push_str(&format!("\nSomething else, unlike what {} likes\n{}", one_line(&digest.profile), item(one, why_surprising(one))));
    }
    for line in [others(&rest), gone(digest)].into_iter().flatten() {
        out.push_str(&format!("\n{}", wrap(&line, width)));
    }
    out
}

/// A text over several lines, each as far in as the first one's head is long.
fn indented(head: &str, text: &str) -> String {
    let wrapped = wrap(text, MAIL_WIDTH - head.len());
    wrapped.lines().enumerate().map(|(at, line)| if at == 0 { format!("{head}{line}\n") } else { format!("{:1$}{line}\n", "", head.len()) }).collect()
}

fn as_markdown(digest: &Digest) -> String {
    let (shown, rest) = parts(digest);
    let mut out = format!("# {}\n\n{}\n", digest_title(digest), markdown(&summary(digest)));
    out.extend(remark(digest).map(|remark| format!("\n{}\n", markdown(&remark))));
    for (place, item) in digest.trending.iter().filter_map(|row| item_of(digest, *row)).enumerate() {
        let head = if place == 0 { "\n**Trending**\n\n" } else { "" };
        let votes = votes(&item.hit.paper).unwrap_or_default();
        out.push_str(&format!("{head}{}. {} ({votes})\n", place + 1, markdown_title(&item.hit.paper)));
    }
    for section in shown {
        let papers = section.items.len() + section.more;
        let facts = [Some(plural(papers as u64, "paper")), change(digest, section)];
        out.push_str(&format!("\n## {}\n\n{}\n\n", markdown(&heading(section)), facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")));
        section.items.iter().for_each(|item| out.push_str(&item_markdown(digest, item, &why(item, LONG_SEED))));
        out.extend(more(section).map(|more| format!("- {more}\n")));
    }
    if let Some(item) = &digest.surprise {
        out.push_str(&format!(
            "\n## Something else\n\nUnlike what {} likes\n\n{}",
            markdown(&digest.profile),
            item_markdown(digest, item, &why_surprising(item))
        ));
    }
    for line in [others(&rest), gone(digest)].into_iter().flatten() {
        out.push_str(&format!("\n{}\n", markdown(&line)));
    }
    out
}

fn item_markdown(digest: &Digest, item: &Item, why: &str) -> String {
    let why = if why.is_empty() { String::new() } else { format!("\\\n  *{}*", markdown(why)) };
    format!("- **{}**\\\n  {}{why}\n", markdown_title(&item.hit.paper), markdown(&facts(digest, item)))
}

/// With abstracts. Topics have numbers where the library keeps them.
fn as_json(digest: &Digest) -> String {
    let days = |days: Option<(Date, Date)>| json!({ "since": days.map(|days| days.0), "until": days.map(|days| days.1) });
    let section = |section: &Section| {
        let topic = section.topic.as_ref();
        let before = section.before.map(|before| json!({ "since": before.since, "until": before.until, "papers": before.papers }));
        let keywords = topic.map(|topic| topic.keywords.iter().map(|keyword| keyword.text.as_str()).collect::<Vec<_>>());
        let change = digest.before.and(topic).map(|_| if section.before.is_some() { "goes on" } else { "new" });
        json!({
            "id": topic.filter(|_| digest.has_kept_topics).map(|topic| topic.id),
            "label": topic.map(|topic| topic.name.as_str()),
            "keywords": keywords.unwrap_or_default(),
            "change": change,
            "before": before,
            "papers": topic.map(|topic| topic.members.len()),
            "items": section.items.iter().map(item_json).collect::<Vec<_>>(),
            "more": section.more,
        })
    };
    pretty(&json!({
        "profile": digest.profile,
        "sort": digest.wishes.sort,
        "asked": { "since": digest.asked.since, "until": digest.asked.until },
        "days": days(digest.days),
        "papers": digest.papers.len(),
        "left_out": { "seen": digest.seen, "rated": digest.rated },
        "trending": digest.trending.iter().filter_map(|row| item_of(digest, *row)).map(|item| item.hit.paper.id()).collect::<Vec<_>>(),
        "topics": digest.sections.iter().map(section).collect::<Vec<_>>(),
        "surprise": digest.surprise.as_ref().map(item_json),
        "before": days(digest.before),
        "gone": digest.gone.iter().map(|(label, papers)| json!({ "label": label, "papers": papers })).collect::<Vec<_>>(),
    }))
}

fn item_json(item: &Item) -> Value {
    let paper = &item.hit.paper;
    let mut value = super::to_json(paper);
    value["link"] = json!(link(paper));
    value["score"] = item.hit.cosine.map_or(Value::Null, |_| rounded(item.hit.score));
    value["cosine"] = item.hit.cosine.map_or(Value::Null, rounded);
    value["reasons"] = item.hit.reasons.iter().map(reason_json).collect();
    value["trending"] = json!(item.trending);
    value
}

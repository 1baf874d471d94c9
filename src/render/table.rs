//! Tables and paragraphs for a terminal, cut and wrapped to its width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Answer, link, titled};
use crate::paper::{Paper, PaperId};
use crate::recommend::{Hit, Reason};

/// A title is not cut below this, however narrow the terminal.
const NARROWEST_TITLE: usize = 20;

pub(super) fn hits(answer: &Answer, with_query: bool, width: usize) -> String {
    let mut out = String::new();
    if with_query {
        out.push_str(&format!("{}\n", fit(&answer.query, width)));
    }
    if answer.hits.is_empty() {
        out.push_str("nothing found\n");
    }
    let ids: Vec<String> = answer.hits.iter().map(|hit| one_line(&hit.paper.id().to_string())).collect();
    let id_width = column(&ids);
    let seed = has_several_seeds(&answer.hits).then_some(SEED);
    // Where nothing but a filter was asked, nothing is scored.
    let is_list = answer.hits.iter().all(|hit| hit.cosine.is_none() && hit.score == 0.0);
    for (hit, id) in answer.hits.iter().zip(&ids) {
        let day = hit.paper.published.map_or_else(|| " ".repeat(10), |day| day.to_string());
        let score = if is_list { String::new() } else { format!("{:.3}  ", hit.score) };
        let head = format!("{score}{}  {day}  ", pad(id, id_width));
        out.push_str(&row(&head, &titled(&hit.paper), width));
        let reasons = reasons(hit, seed);
        if !reasons.is_empty() {
            out.push_str(&row(&" ".repeat(head.width()), &reasons, width));
        }
    }
    if with_query {
        out.push('\n');
    }
    out
}

/// True if not all papers are nearest to the same seed: only then is it worth a word.
fn has_several_seeds(hits: &[Hit]) -> bool {
    let seed = |hit: &Hit| {
        hit.reasons.iter().find_map(|reason| match reason {
            Reason::Nearest { seed, .. } => Some(seed.clone()),
            _ => None,
        })
    };
    let mut seeds = hits.iter().map(seed);
    let first = seeds.next();
    seeds.any(|other| Some(other) != first)
}

/// Columns of a seed's title among the reasons.
pub(super) const SEED: usize = 28;

/// The reasons of a paper on one line, the short ones first, so that they are not cut off. Seeds are named in so many columns, or not.
pub(super) fn reasons(hit: &Hit, seed: Option<usize>) -> String {
    // The dislikes cost every paper a little; that is worth a word only where it moved the paper.
    const COST: f32 = 0.05;
    let told = |reason: &Reason| {
        let (place, text) = match reason {
            Reason::Seen { when } => (0, format!("seen {}", when.get(..10).unwrap_or(when))),
            Reason::Disliked { title, cost, .. } if *cost >= COST => (1, format!("−{cost:.2} like {}", quoted(title, seed.unwrap_or(SEED)))),
            Reason::Recent { gain } => (2, format!("+{gain:.2} new")),
            Reason::Popular { votes, gain } => (2, format!("+{gain:.2} for {votes} votes")),
            Reason::Nearest { title, cosine, .. } => (3, format!("near {} ({cosine:.2})", quoted(title, seed?))),
            Reason::Shares { phrases } => (4, format!("shares {}", phrases.join(", "))),
            Reason::Disliked { .. } => return None,
        };
        Some((place, text))
    };
    let mut told: Vec<(u8, String)> = hit.reasons.iter().filter_map(told).collect();
    told.sort_by_key(|(place, _)| *place);
    told.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" · ")
}

fn quoted(title: &str, width: usize) -> String {
    format!("“{}”", fit(title, width))
}

/// One rating: what it is, and of which paper.
pub fn rating_line(rating: f32, id: &PaperId, title: &str, width: usize) -> String {
    row(&format!("{rating:+6.2}  {}  ", pad(&one_line(&id.to_string()), 12)), title, width)
}

pub(super) fn papers(papers: &[Paper], width: usize) -> String {
    let ids: Vec<String> = papers.iter().map(|paper| one_line(&paper.id().to_string())).collect();
    let id_width = column(&ids);
    let day = |paper: &Paper| paper.published.map_or_else(|| " ".repeat(10), |day| day.to_string());
    let number = |n: Option<u32>, mark: &str| n.map_or_else(|| " ".repeat(6), |n| format!("{n:>5}{mark}"));
    let has_votes = papers.iter().any(|paper| paper.upvotes.is_some());
    let line = |(paper, id): (&Paper, &String)| {
        let votes = if has_votes { format!("{}  ", number(paper.upvotes, "▲")) } else { String::new() };
        row(&format!("{}  {}  {votes}", pad(id, id_width), day(paper)), &titled(paper), width)
    };
    papers.iter().zip(&ids).map(line).collect()
}

pub(super) fn paper(paper: &Paper, sources: &[(String, String)], width: usize) -> String {
    let width = width.clamp(40, 100);
    let mut out = wrap(&titled(paper), width);
    out.push('\n');
    let authors = match (paper.authors.len(), paper.count_authors()) {
        (0, None) => None,
        (0, Some(n)) => Some(if n == 1 { "1 author".to_owned() } else { format!("{n} authors") }),
        (names, Some(n)) if n as usize > names => Some(format!("{} and others ({n} authors)", paper.authors.join(", "))),
        _ => Some(paper.authors.join(", ")),
    };
    let ids = paper.ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let votes = [paper.upvotes.map(|n| format!("{n} votes")), paper.comments.map(|n| format!("{n} comments"))];
    let votes = votes.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let told = sources.iter().map(|(format, origin)| format!("{origin} ({format})")).collect::<Vec<_>>().join(", ");
    let facts = [
        ("id", Some(ids)),
        ("authors", authors),
        ("categories", Some(paper.categories.join(" "))),
        ("published", paper.published.map(|day| day.to_string())),
        ("updated", paper.updated.map(|day| day.to_string())),
        ("version", paper.version.map(|n| n.to_string())),
        ("day", paper.day.map(|day| day.to_string())),
        ("votes", Some(votes)),
        ("link", link(paper)),
        ("from", Some(told)),
    ];
    for (name, value) in facts {
        let value = value.unwrap_or_default();
        if !value.is_empty() {
            let lines = wrap(&value, width - 12);
            for (i, line) in lines.lines().enumerate() {
                out.push_str(&format!("{:<12}{line}\n", if i == 0 { name } else { "" }));
            }
        }
    }
    let text = if paper.abstract_text.is_empty() { "(no abstract)" } else { &paper.abstract_text };
    format!("{out}\n{}", wrap(text, width))
}

/// `head` and as much of the title as fits.
pub(super) fn row(head: &str, title: &str, width: usize) -> String {
    let room = width.saturating_sub(head.width()).max(NARROWEST_TITLE);
    format!("{head}{}\n", fit(title, room))
}

fn column(texts: &[String]) -> usize {
    texts.iter().map(|text| text.width()).max().unwrap_or(0).min(32)
}

pub(super) fn pad(text: &str, width: usize) -> String {
    let text = if text.width() > width { fit(text, width) } else { text.to_owned() };
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// The text on one line, without what a terminal would obey: control characters, and marks that turn the writing direction.
pub fn one_line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !turns(*c)).collect()
}

/// As much of the text as `width` columns hold, with `…` where it is cut.
pub fn fit(text: &str, width: usize) -> String {
    let text = one_line(text);
    if text.width() <= width {
        return text;
    }
    let (mut out, mut used) = (String::new(), 1);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    format!("{}…", out.trim_end())
}

pub(super) fn wrap(text: &str, width: usize) -> String {
    let (mut out, mut used) = (String::new(), 0);
    for word in one_line(text).split_whitespace() {
        if used > 0 && used + 1 + word.width() > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += word.width();
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fits_and_cannot_command_a_terminal() {
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("longer than that", 8), "longer…");
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(one_line("a\u{1b}[31mb\u{202e}c\n"), "a [31mbc ");
        assert_eq!(wrap("one two three", 7), "one two\nthree\n");
    }
}

//! A digest as an Atom feed (RFC 4287): an entry a paper, whose id is that of the paper, so that a reader shows it once.

use std::fmt::Write;

use quick_xml::escape::escape;
use sha2::{Digest as _, Sha256};

use super::{LONG_SEED, digest_title, facts, heading, link, why, why_surprising};
use crate::digest::{Digest, Item};
use crate::paper::{Date, PaperId};
use crate::render::{html, one_line, titled};

/// As a feed.
pub(super) fn digest_feed(digest: &Digest) -> String {
    let updated = digest.days.map(|days| days.1).or(digest.asked.until).unwrap_or_default();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\">\n");
    let choice = choice(digest);
    let whose = if digest.profile.is_empty() { String::new() } else { format!(" for {}", digest.profile) };
    let of = if choice.is_empty() { String::new() } else { format!(": {choice}") };
    let _ = writeln!(out, "  <title>{}</title>", text(&format!("paperkin{whose}{of}")));
    let _ = writeln!(out, "  <subtitle>{}</subtitle>", text(&digest_title(digest)));
    let _ = writeln!(out, "  <id>{}</id>", uuid(&format!("feed {} {choice}", digest.profile)));
    let _ = writeln!(out, "  <updated>{}</updated>", time(updated));
    let _ = writeln!(out, "  <author><name>paperkin</name></author>\n  <generator>paperkin</generator>");
    for section in &digest.sections {
        section.items.iter().for_each(|item| entry(&mut out, (digest, item), &heading(section), &why(item, LONG_SEED)));
    }
    digest.surprise.iter().for_each(|item| entry(&mut out, (digest, item), "Something else", &why_surprising(item)));
    out.push_str("</feed>\n");
    out
}

/// Which papers the feed is of: another choice is another feed.
fn choice(digest: &Digest) -> String {
    let wishes = &digest.wishes;
    let lists = [("", &wishes.categories), ("by ", &wishes.authors), ("", &wishes.keywords), ("without ", &wishes.exclude), ("of ", &wishes.sources)];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(word, list)| format!("{word}{}", list.join(", ")));
    let votes = wishes.min_upvotes.map(|votes| format!("{votes} votes or more"));
    lists.chain(votes).collect::<Vec<_>>().join("; ")
}

fn entry(out: &mut String, (digest, item): (&Digest, &Item), topic: &str, why: &str) {
    let paper = &item.hit.paper;
    // That of the paper, and not of when it was asked for: else readers would show it again.
    let day = paper.day.or(paper.published).or(digest.asked.until).unwrap_or_default();
    let _ = writeln!(out, "  <entry>\n    <title>{}</title>", text(&titled(paper)));
    let _ = writeln!(out, "    <id>{}</id>", id(&paper.id()));
    if let Some(url) = link(paper) {
        let _ = writeln!(out, "    <link rel=\"alternate\" href=\"{}\"/>", text(&iri(&url)));
    }
    let _ = writeln!(out, "    <updated>{}</updated>", time(day));
    for name in paper.authors.iter().filter(|name| !name.trim().is_empty()) {
        let _ = writeln!(out, "    <author><name>{}</name></author>", text(name));
    }
    for term in paper.categories.iter().filter(|term| !term.trim().is_empty()) {
        let _ = writeln!(out, "    <category term=\"{}\"/>", text(term));
    }
    let lines = [format!("{topic} · {}", facts(digest, item)), why.to_owned(), paper.abstract_text.clone()];
    let lines = lines.iter().filter(|line| !line.is_empty()).map(|line| format!("<p>{}</p>", html::escape(line)));
    let _ = writeln!(out, "    <content type=\"html\">{}</content>\n  </entry>", text(&lines.collect::<String>()));
}

/// The address of a paper that has one for ever, else a name made of its id.
fn id(paper: &PaperId) -> String {
    match paper {
        PaperId::Arxiv(id) => format!("https://arxiv.org/abs/{}", text(&iri(id))),
        PaperId::Doi(doi) => format!("https://doi.org/{}", text(&iri(doi))),
        other => uuid(&other.to_string()),
    }
}

/// A name that is the same for the same text (RFC 9562, version 8).
fn uuid(text: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(format!("paperkin {text}").as_bytes())[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What may not stand in an address, as percents.
fn iri(url: &str) -> String {
    let plain = |c: char| !(c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c));
    one_line(url).chars().map(|c| if plain(c) { c.to_string() } else { c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect() }).collect()
}

/// Text in which nothing means something to XML, and nothing is that XML forbids.
fn text(text: &str) -> String {
    let allowed: String = one_line(text).chars().filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
    escape(&allowed).into_owned()
}

fn time(day: Date) -> String {
    format!("{day}T00:00:00Z")
}

//! Which format an input is in, by its first bytes. File names are never looked at.

use std::io::{BufRead, Read};

use super::{Format, article, bibtex, capture, page, ris, table, works};
use crate::error::{Error, Result};

/// The formats as they are read: [`super::Format`], with the two forms of a capture and of our own kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Capture,
    Page,
    Article,
    Hf,
    JsonLines,
    PaperArray,
    Feed,
    Oai,
    Bibtex,
    Ris,
    Table,
    Parquet,
    /// The JSON of an index of papers.
    Works(Format),
}

/// How much is looked at. A saved page names its papers some 20 kB from its top.
const HEAD: u64 = 256 << 10;

/// Takes the first bytes from the input.
pub(super) fn head(origin: &str, input: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(HEAD).read_to_end(&mut head).map_err(|e| Error::io("cannot read", origin.as_ref(), e))?;
    let bom = head.starts_with(b"\xef\xbb\xbf");
    if bom {
        head.drain(..3);
    }
    Ok(head)
}

/// Decides on the format; nothing if it is none that is known. What is certainly no list of papers is an error that names it.
pub(super) fn detect(origin: &str, head: &[u8]) -> Result<Option<Kind>> {
    let empty = || Error::UnknownFormat { origin: origin.to_owned(), what: "the input is empty".to_owned(), hint: None };
    if head.iter().all(u8::is_ascii_whitespace) {
        return Err(empty());
    }
    if head.starts_with(b"PAR1") {
        return Ok(Some(Kind::Parquet));
    }
    if let Some((name, hint)) = foreign(head) {
        let what = format!("this is {name}, not text");
        return Err(Error::UnknownFormat { origin: origin.to_owned(), what, hint: hint.map(str::to_owned) });
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start();
    // There are spaces beyond those of ASCII.
    let first = *text.as_bytes().first().ok_or_else(empty)?;
    Ok(match first {
        b'[' => Some(of_json(text, array_kind(text))),
        b'{' => Some(of_json(text, object_kind(text))),
        b'<' => markup_kind(origin, text)?,
        _ if is_capture(text) => Some(Kind::Capture),
        _ if ris::is_ris(text) => Some(Kind::Ris),
        _ if bibtex::is_bibtex(text) => Some(Kind::Bibtex),
        _ if has_json_lines(text) => Some(Kind::JsonLines),
        _ if table::is_table(head) => Some(Kind::Table),
        _ => None,
    })
}

/// The error for what begins with `head`, and is of no known format.
pub(super) fn unknown(origin: &str, head: &[u8]) -> Error {
    let text = String::from_utf8_lossy(head);
    Error::UnknownFormat {
        origin: origin.to_owned(),
        what: format!("no known format; it begins with {}", beginning(text.trim_start())),
        hint: Some("paperkin reads pasted or saved Daily Papers pages (capture), Daily Papers JSON (hf), JSON lines (jsonl), Atom and RSS (feed), OAI-PMH (oai), BibTeX (bibtex), RIS (ris), tables with a header (csv), Parquet (parquet) and the JSON of Semantic Scholar, OpenAlex and Crossref, packed or not".to_owned()),
    }
}

/// The beginning of a text, for a message.
fn beginning(text: &str) -> String {
    const SHOWN: usize = 40;
    let line: String = text.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
    format!("{line:?}")
}

/// Which XML it is, by its outermost element. A web page in place of what was asked for is an error that says so.
fn markup_kind(origin: &str, text: &str) -> Result<Option<Kind>> {
    let page = |what: &str, hint: &str| Err(Error::UnknownFormat { origin: origin.to_owned(), what: what.to_owned(), hint: Some(hint.to_owned()) });
    let name = outermost(text).to_ascii_lowercase();
    match name.rsplit(':').next().unwrap_or_default() {
        "feed" | "rss" => Ok(Some(Kind::Feed)),
        "rdf" if text.contains("purl.org/rss/") => Ok(Some(Kind::Feed)),
        "oai-pmh" => Ok(Some(Kind::Oai)),
        "html" if article::is_article(text) => Ok(Some(Kind::Article)),
        // A part that was cut out of a page is one too.
        "html" | "div" | "main" | "body" if page::is_page(text) => Ok(Some(Kind::Page)),
        "html" if ["captcha", "are human", "Access Detected"].iter().any(|sign| text.contains(sign)) => {
            page("this is a page that asks whether you are human, not a list of papers", "wait, and ask the server less often")
        }
        "html" => page(
            "this is a web page, not a list of papers",
            "of pages, paperkin reads those of Daily Papers, and those of papers that name themselves to search engines",
        ),
        _ => Ok(None),
    }
}

/// The name of the first element.
fn outermost(text: &str) -> &str {
    const HTML: &str = "!doctype html";
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with("!--") {
            rest = rest.split_once("-->").map_or("", |(_, rest)| rest);
        } else if rest.get(..HTML.len()).is_some_and(|start| start.eq_ignore_ascii_case(HTML)) {
            return "html";
        } else if rest.starts_with(|c: char| c.is_alphabetic()) {
            return rest.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next().unwrap_or_default();
        }
    }
    ""
}

/// Names what is no text at all.
fn foreign(head: &[u8]) -> Option<(&'static str, Option<&'static str>)> {
    const MAGIC: [(&[u8], &str, Option<&str>); 6] = [
        (b"\x1f\x8b", "a gzip file in another", Some("`zcat FILE | paperkin add -` reads it")),
        (b"PK\x03\x04", "a zip file in another", Some("unpack the inner one")),
        (b"%PDF", "a PDF", Some("paperkin reads lists of papers with their abstracts, not the papers themselves")),
        (b"SQLite format 3\0", "an SQLite database", Some("give the directory of a library with --library")),
        (b"\xff\xfe", "UTF-16 text", Some("`iconv -f UTF-16 -t UTF-8 FILE | paperkin add -` reads it")),
        (b"\xfe\xff", "UTF-16 text", Some("`iconv -f UTF-16 -t UTF-8 FILE | paperkin add -` reads it")),
    ];
    if let Some((_, name, hint)) = MAGIC.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Some((name, *hint));
    }
    // Real text may hold a stray NUL or a few broken characters; a binary file is full of them.
    let strange = head.iter().filter(|&&b| b < b' ' && !b.is_ascii_whitespace()).count() + broken(head);
    (strange * 50 > head.len()).then_some(("a binary file", None))
}

fn broken(head: &[u8]) -> usize {
    head.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count()
}

/// What looks like our own may be of an index of papers, whose keys say so.
fn of_json(text: &str, kind: Kind) -> Kind {
    match (kind, works::index_of(text)) {
        (Kind::JsonLines | Kind::PaperArray, Some(index)) => Kind::Works(index),
        (kind, _) => kind,
    }
}

/// An array of Daily Papers entries has a `paper` in each; anything else may be our own.
fn array_kind(text: &str) -> Kind {
    let first = text[1..].trim_start();
    if looks_like_entry(first) { Kind::Hf } else { Kind::PaperArray }
}

fn object_kind(text: &str) -> Kind {
    let wrapped = text[1..].trim_start().starts_with("\"dailyPapers\"");
    let over_lines = text.lines().next().is_some_and(|line| line.trim_end() == "{");
    match (wrapped || looks_like_entry(text), over_lines) {
        (true, _) => Kind::Hf,
        (false, true) => Kind::PaperArray,
        (false, false) => Kind::JsonLines,
    }
}

/// True if the first key of the object at the start of `text`, on its outermost level, includes `paper`.
fn looks_like_entry(text: &str) -> bool {
    let (mut depth, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return false,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let end = at + 1 + string_length(&bytes[at + 1..]);
                let is_key = bytes.get(end + 1..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"));
                if depth == 1 && is_key && &bytes[at + 1..end] == b"paper" {
                    return true;
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// The length of a JSON string whose opening quote has been passed.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// Two lines of the page's banner, which every copy of it holds, one of them no other page's.
fn is_capture(text: &str) -> bool {
    let banner: Vec<&str> = text.lines().take(40).map(str::trim).filter(|line| capture::is_banner(line)).collect();
    banner.len() >= 2 && banner.iter().any(|line| line.contains("trending papers") || line.contains("research community"))
}

/// A broken line or two before the first record do not make another format.
fn has_json_lines(text: &str) -> bool {
    text.lines().take(20).any(|line| line.trim_start().starts_with("{\"") && line.trim_end().ends_with('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_brackets_take_no_time() {
        assert_eq!(detect("x", "<".repeat(HEAD as usize).as_bytes()).unwrap(), None);
    }

    #[test]
    fn formats_are_told_by_their_content() {
        let cases: [(&[u8], Result<Kind, &str>); 32] = [
            (b"{\"id\": \"1\", \"title\": \"T\"}\n", Ok(Kind::JsonLines)),
            (b" \n[{\"title\": \"\\\"paper\\\":\"}]", Ok(Kind::PaperArray)),
            (b"[{\"title\": \"paper\", \"paper\": {}}]", Ok(Kind::Hf)),
            (b"[{\"x\": {\"paper\": 1}, \"title\": \"T\"}]", Ok(Kind::PaperArray)),
            (b"{\"dailyPapers\": []}", Ok(Kind::Hf)),
            (b"[]", Ok(Kind::PaperArray)),
            (b"{\n  \"title\": \"T\"\n}\n", Ok(Kind::PaperArray)),
            (b"new\n\nGet trending papers in your email inbox!\n\nSubscribe\n", Ok(Kind::Capture)),
            (b"<!doctype html><div data-target=\"DailyPapers\" data-props=\"{}\">", Ok(Kind::Page)),
            (b"<html><p>hello", Err("a web page")),
            (b"<!DOCTYPE html><title>Access Detected</title>", Err("asks whether you are human")),
            (b"<feed><entry><summary>See huggingface.co</summary>", Ok(Kind::Feed)),
            (b"<?xml version='1.0'?><!-- <rss> --><feed xmlns='x'>", Ok(Kind::Feed)),
            (b"<rss version='2.0'>", Ok(Kind::Feed)),
            (b"<rdf:RDF xmlns='http://purl.org/rss/1.0/'>", Ok(Kind::Feed)),
            (b"<OAI-PMH><x/>", Ok(Kind::Oai)),
            (b"<svg></svg>", Err("no known format")),
            (b"", Err("empty")),
            (b" \n\t", Err("empty")),
            ("\u{a0}".as_bytes(), Err("empty")),
            (b"\x1f\x8b\x08", Err("gzip")),
            (b"%PDF-1.5", Err("PDF")),
            (b"PAR1\x15\x04\x15", Ok(Kind::Parquet)),
            (b"\x00\x01\x02\x03ELF", Err("binary")),
            (b"\xff\xfe{\x00", Err("UTF-16")),
            (b"junk\n{\"title\": \"T\"}\n", Ok(Kind::JsonLines)),
            (b"Daily Papers job finished\n", Err("no known format")),
            (b"title,abstract\nT,A\n", Ok(Kind::Table)),
            (b"\"Url\"\t\"Title\"\nk\tT\n", Ok(Kind::Table)),
            (b"% x\n@Article{k,\n", Ok(Kind::Bibtex)),
            (b"TY  - JOUR\nTI  - T\n", Ok(Kind::Ris)),
            (b"dear sir", Err("begins with \"dear sir\"")),
        ];
        for (head, expected) in cases {
            match (detect("x", head).and_then(|kind| kind.ok_or_else(|| unknown("x", head))), expected) {
                (Ok(kind), Ok(expected)) => assert_eq!(kind, expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (got, expected) => panic!("{:?}: got {got:?}, expected {expected:?}", String::from_utf8_lossy(head)),
            }
        }
    }
}

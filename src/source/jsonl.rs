//! Our own exchange format: one JSON object a line, which `export` writes and `add` reads back.
//!
//! Keys: `id`, `ids`, `title`, `abstract` (also `summary`), `authors` (a list, or one string), `authors_count`,
//! `categories` (likewise), `published` (also `date`), `updated`, `day` (also `listed`), `upvotes`, `comments`, `url`,
//! `version`, `doi`, `withdrawn`; `verbatim`, by which `export` says that no TeX in the texts is to be read; of arXiv's metadata
//! snapshot `versions`, `update_date` and `authors_parsed`. All but a title, or an id with an abstract, are optional; unknown keys are
//! ignored. An array of such objects is read too.

use std::io::{BufRead, Read};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::clean::{clean, clean_abstract, clean_text, says_withdrawn};
use super::{Failure, Item, json};
use crate::error::{Error, Result};
use crate::paper::{Paper, PaperId, parse_date};

/// A line may have this many bytes: no abstract is near it, and memory stays bounded.
const MAX_LINE: u64 = 16 << 20;

/// Reads line by line; a broken line is one failure.
pub(super) fn lines<'a>(origin: &str, mut input: impl BufRead + 'a) -> impl Iterator<Item = Result<Item>> + 'a {
    let origin = origin.to_owned();
    let mut number = 0u64;
    std::iter::from_fn(move || {
        loop {
            number += 1;
            let line = match next_line(&origin, &mut input).transpose()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            let failed = |reason: String| Item::Failed(Failure { place: format!("{origin}:{number}"), reason });
            return Some(Ok(match line {
                Line::TooLong => failed(format!("the line is longer than {} MiB", MAX_LINE >> 20)),
                Line::Whole(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Whole(bytes) => match record(&bytes).and_then(paper) {
                    Ok(paper) => Item::Paper(Box::new(paper)),
                    Err(reason) => failed(reason),
                },
            }));
        }
    })
}

/// A paper of a bibliography with what `export` kept beside it, as the bibliography's own form has no place for it. `written` is how
/// the title and the abstract stand in the bibliography: where somebody has changed one since, the change counts.
pub(super) fn with_exact(paper: Paper, mut exact: Map<String, Value>, written: [&str; 2]) -> Paper {
    let is_as_written = |exact: &Map<String, Value>, name: &str, text: &str| {
        let was = exact.get("written").and_then(|written| written.get(name)).and_then(Value::as_str);
        was.is_some_and(|was| was == PaperId::of_title(text).to_string())
    };
    for (name, told, text) in [("title", &paper.title, written[0]), ("abstract", &paper.abstract_text, written[1])] {
        if !is_as_written(&exact, name, text) {
            exact.insert(name.to_owned(), told.as_str().into());
        }
    }
    let Ok(exact) = paper_of(exact) else { return paper };
    Paper {
        authors: if exact.authors.is_empty() { paper.authors } else { exact.authors },
        ids: if exact.ids.is_empty() { paper.ids } else { exact.ids },
        ..exact
    }
}

/// serde would take a list for a record too, its first text for the id.
fn record(json: &[u8]) -> Result<ReadRecord, String> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err("not valid JSON for a paper: expected an object".to_owned());
    }
    serde_json::from_slice(json).map_err(|e| json_reason(&e))
}

/// The paper of a record whose JSON has been read.
pub(super) fn paper_of(record: Map<String, Value>) -> Result<Paper, String> {
    serde_json::from_value(Value::Object(record)).map_err(|e| json_reason(&e)).and_then(paper)
}

pub(super) enum Line {
    Whole(Vec<u8>),
    TooLong,
}

pub(super) fn next_line(origin: &str, input: &mut impl BufRead) -> Result<Option<Line>> {
    let io = |e| Error::io("cannot read", origin.as_ref(), e);
    let mut bytes = Vec::new();
    if input.take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(io)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 == MAX_LINE && bytes.last() != Some(&b'\n') {
        input.skip_until(b'\n').map_err(io)?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Whole(bytes)))
}

/// Reads an array of the same objects, or one that is written over several lines.
pub(super) fn array<'a>(origin: &str, input: impl BufRead + 'a) -> impl Iterator<Item = Result<Item>> + 'a {
    json::records(origin, input, &[], |bytes| record(bytes).and_then(paper).map(Some))
}

/// What serde_json says, with "the JSON is cut off" for an early end.
pub(super) fn json_reason(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => format!("the JSON is cut off at line {} column {}", error.line(), error.column()),
        serde_json::error::Category::Data if error.line() == 0 => error.to_string(),
        _ => format!("not valid JSON: {error}"),
    }
}

/// The record as it may be written; an optional value that is odd is as good as none. What paperkin writes itself is
/// in `render`.
#[derive(Deserialize)]
struct ReadRecord {
    #[serde(default, deserialize_with = "identifier")]
    id: Option<String>,
    #[serde(default, deserialize_with = "list")]
    ids: Vec<String>,
    #[serde(default, deserialize_with = "text")]
    title: Option<String>,
    #[serde(default, deserialize_with = "text", rename = "abstract")]
    abstract_text: Option<String>,
    #[serde(default, deserialize_with = "text")]
    summary: Option<String>,
    #[serde(default, deserialize_with = "list")]
    authors: Vec<String>,
    #[serde(default, deserialize_with = "number")]
    authors_count: Option<u32>,
    #[serde(default, deserialize_with = "categories")]
    categories: Vec<String>,
    #[serde(default)]
    published: Value,
    #[serde(default)]
    date: Value,
    #[serde(default)]
    updated: Value,
    #[serde(default)]
    day: Value,
    #[serde(default)]
    listed: Value,
    #[serde(default, deserialize_with = "number")]
    upvotes: Option<u32>,
    /// A number of comments; of arXiv's snapshot, a remark of the authors.
    #[serde(default)]
    comments: Value,
    #[serde(default)]
    url: Value,
    #[serde(default, deserialize_with = "version")]
    version: Option<u32>,
    #[serde(default, deserialize_with = "identifier")]
    doi: Option<String>,
    #[serde(default)]
    withdrawn: Value,
    /// True of what was exported: no TeX in it is to be read.
    #[serde(default)]
    verbatim: Value,
    /// Of arXiv's metadata snapshot.
    #[serde(default)]
    versions: Value,
    #[serde(default)]
    update_date: Value,
    #[serde(default)]
    authors_parsed: Value,
    /// Of a paper as the hub gives it.
    #[serde(default, rename = "publishedAt")]
    published_at: Value,
    #[serde(default, rename = "submittedOnDailyAt")]
    submitted_on_daily_at: Value,
}

fn paper(record: ReadRecord) -> Result<Paper, String> {
    let day = |value: &Value| value.as_str().and_then(parse_date);
    let versions = record.versions.as_array().map(Vec::as_slice).unwrap_or_default();
    let first = versions.first().and_then(|version| day(&version["created"]));
    let last = versions.last().and_then(|version| version["version"].as_str()?.trim_start_matches('v').parse().ok());
    // What was exported is not read once more.
    let is_verbatim = record.verbatim == Value::Bool(true);
    let (clean_text, clean_abstract): (fn(&str) -> String, fn(&str) -> String) =
        if is_verbatim { (clean, clean) } else { (clean_text, clean_abstract) };
    let mut paper = Paper {
        title: clean_text(&record.title.unwrap_or_default()),
        abstract_text: clean_abstract(&record.abstract_text.or(record.summary).unwrap_or_default()),
        authors: parsed_names(&record.authors_parsed).unwrap_or_else(|| cleaned(record.authors, clean_text)),
        authors_count: record.authors_count,
        categories: cleaned(record.categories, clean),
        published: day(&record.published).or(day(&record.date)).or(day(&record.published_at)).or(first),
        updated: day(&record.updated).or(day(&record.update_date)),
        day: day(&record.day).or(day(&record.listed)).or(day(&record.submitted_on_daily_at)),
        upvotes: record.upvotes,
        comments: count(&record.comments),
        url: record.url.as_str().map(clean).filter(|url| !url.is_empty()),
        version: record.version.or(last),
        withdrawn: record.withdrawn == Value::Bool(true),
        ..Paper::default()
    };
    paper.withdrawn |= says_withdrawn(record.comments.as_str().unwrap_or_default(), &paper.abstract_text);
    let doi = record.doi.map(|doi| if doi.starts_with("10.") { doi } else { doi.replace("DOI ", "") });
    let mut version = paper.version;
    paper.add_ids(record.id.into_iter().chain(record.ids).chain(doi).map(|id| {
        let (id, own) = PaperId::parse_versioned(&clean(&id));
        version = version.or(own);
        id
    }));
    paper.version = version;
    if paper.title.is_empty() && (paper.abstract_text.is_empty() || paper.ids.is_empty()) {
        return Err("the record has no title".to_owned());
    }
    Ok(paper)
}

/// `[["Balázs", "C.", ""], …]`, in which affiliations are apart.
fn parsed_names(authors: &Value) -> Option<Vec<String>> {
    let name = |parts: &Value| {
        let part = |place: usize| parts[place].as_str().unwrap_or_default();
        clean_text(&[part(1), part(0), part(2)].join(" "))
    };
    let names: Vec<String> = authors.as_array()?.iter().map(name).filter(|name| !name.is_empty()).collect();
    (!names.is_empty()).then_some(names)
}

fn cleaned(texts: Vec<String>, clean: fn(&str) -> String) -> Vec<String> {
    texts.iter().map(|text| clean(text)).filter(|text| !text.is_empty()).collect()
}

/// A text; null is nothing.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Err(serde::de::Error::custom(format!("got {}, expected a text", shape(&other)))),
    }
}

/// A text, or a whole number; a fraction has lost its last zeros, and would be the id of another paper.
fn identifier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) if number.is_u64() => Ok(Some(number.to_string())),
        other => Err(serde::de::Error::custom(format!("got {} for an id, expected a text in quotes", shape(&other)))),
    }
}

/// A list of texts, or of objects with a `name`; or one text, cut at `;`, at ` and `, or else at commas or spaces.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let name = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Object(object) if object.get("hidden") == Some(&Value::Bool(true)) => None,
        Value::Object(mut object) => match object.remove("name") {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => split_list(&text),
        Value::Array(values) => values.into_iter().filter_map(name).collect(),
        _ => Vec::new(),
    })
}

fn split_list(text: &str) -> Vec<String> {
    let parts: Vec<&str> = match text {
        text if text.contains(';') => text.split(';').collect(),
        text if text.contains(',') => text.split(',').flat_map(|part| part.split(" and ")).collect(),
        text => text.split(" and ").collect(),
    };
    parts.into_iter().map(|part| part.trim().trim_start_matches("and ").to_owned()).filter(|part| !part.is_empty()).collect()
}

/// [`list`], where one text may be `cs.LG stat.ML hep-ph`; `Machine Learning` is one category.
fn categories<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    fn words(text: &str) -> impl Iterator<Item = &str> {
        text.split([' ', ',', ';']).filter(|word| !word.is_empty())
    }
    let is_code = |word: &str| word.contains(['.', '-']);
    match &value {
        Value::String(text) if words(text).all(is_code) => Ok(words(text).map(str::to_owned).collect()),
        _ => list(value).map_err(serde::de::Error::custom),
    }
}

/// A number of things: `12`, `"12"`, `"1.2k"`; anything else is nothing.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(count(&Value::deserialize(deserializer)?))
}

fn count(value: &Value) -> Option<u32> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase().replace(',', "");
            match text.strip_suffix('k') {
                Some(thousands) => thousands.parse::<f64>().ok()? * 1000.0,
                None => text.parse().ok()?,
            }
        }
        _ => return None,
    };
    (number >= 0.0 && number <= f64::from(u32::MAX)).then_some(number.round() as u32)
}

/// `2`, `"2"`, `"v2"`, or an id with its version, `"0709.0928v1"`; anything else says nothing.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
        Value::String(text) => text.trim().trim_start_matches('v').parse().ok().or_else(|| PaperId::parse_versioned(&text).1),
        _ => None,
    })
}

fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a truth value".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Paper, String> {
        record(text.as_bytes()).and_then(paper)
    }

    #[test]
    fn a_record_is_read_in_every_shape() {
        let paper = read(
            r#"{"id": "0709.0928", "version": "0709.0928v3", "title": "A\n  title", "summary": "x\u0000y", "authors": "Ada Lovelace and Alan Turing",
                "categories": "cs.LG stat.ML", "date": "2014-03-07", "listed": "2026-05-11", "upvotes": "1.2k", "doi": "10.1/x", "other": {}}"#,
        );
        let paper = paper.unwrap();
        assert_eq!((paper.title.as_str(), paper.abstract_text.as_str()), ("A title", "x y"));
        assert_eq!(paper.authors, ["Ada Lovelace", "Alan Turing"]);
        assert_eq!(paper.categories, ["cs.LG", "stat.ML"]);
        assert_eq!((paper.version, paper.upvotes), (Some(3), Some(1200)));
        assert_eq!(paper.published.unwrap().to_string(), "2014-03-07");
        assert_eq!(paper.day.unwrap().to_string(), "2026-05-11");
    }

    #[test]
    fn many_ids_take_no_time_and_empty_ones_are_none() {
        let ids: Vec<String> = (0..200_000).map(|number| format!("{number:x}")).collect();
        let paper = read(&serde_json::json!({"title": "T", "ids": ids}).to_string()).unwrap();
        assert_eq!(paper.ids.len(), ids.len());
        let paper = read(r#"{"title": "T", "id": "doi:", "ids": ["", "\u0001", "b", "a", "b"]}"#).unwrap();
        assert_eq!(paper.ids, ["a", "b", "doi:"].map(PaperId::parse));
    }

    #[test]
    fn a_record_of_the_snapshot_is_read() {
        let paper = read(
            r#"{"id": "0704.0001", "submitter": "P N", "authors": "C. Bal\\'azs, E. L. Berger, C.-P. Yuan", "title": "Diphotons", "comments": "37 pages",
                "doi": "10.1103/PhysRevD.76.013009", "categories": "hep-ph", "abstract": "  A fully\n differential", "license": null,
                "versions": [{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}, {"version": "v2", "created": "Tue, 24 Jul 2007 20:10:27 GMT"}],
                "update_date": "2008-11-26", "authors_parsed": [["Balázs", "C.", ""], ["Berger", "E. L.", "Jr."], ["Yuan", "C.-P.", "", "MSU"]]}"#,
        );
        let paper = paper.unwrap();
        assert_eq!((paper.version, paper.comments), (Some(2), None));
        assert_eq!(paper.authors, ["C. Balázs", "E. L. Berger Jr.", "C.-P. Yuan"]);
        assert_eq!((paper.published.unwrap().to_string(), paper.updated.unwrap().to_string()), ("2007-04-02".into(), "2008-11-26".into()));
    }

    #[test]
    fn an_odd_optional_value_loses_no_paper() {
        let paper = read(
            r#"{"title": "T", "abstract": "A", "summary": "B", "published": "2021", "date": "2021-05-06", "comments": "37 pages, 15 figures",
                "authors": [null, "Ada", {"name": "Bob"}], "upvotes": -1, "categories": 7, "url": [], "day": {}}"#,
        );
        let paper = paper.unwrap();
        assert_eq!((paper.abstract_text.as_str(), paper.authors.len()), ("A", 2));
        assert_eq!((paper.comments, paper.upvotes, paper.day), (None, None, None));
        assert_eq!(paper.published.unwrap().to_string(), "2021-05-06");
    }

    #[test]
    fn a_broken_record_says_why() {
        let cases = [
            (r#"{"id": "1"}"#, "no title"),
            (r#"{"title": "T", "id": 2101.00010}"#, "expected a text in quotes"),
            (r#"{"title": ["T"]}"#, "got a list, expected a text"),
            (r#"{"title": "T""#, "cut off"),
            (r#"["T"]"#, "not valid JSON"),
            ("hello", "not valid JSON"),
        ];
        for (text, part) in cases {
            let reason = read(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }
}

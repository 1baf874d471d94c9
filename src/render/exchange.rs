//! Papers in forms that other programs read, and `add` reads back as they were.
//!
//! BibTeX and RIS have no place for votes, days or versions, and read some characters as commands. What they cannot hold stands in a
//! field of our own beside the others, as JSON, which other programs pass over.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::{bibtex, cell, one_line, to_json};
use crate::error::{Error, Result};
use crate::paper::{Paper, PaperId};

/// A form that is written paper by paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Exchange {
    Jsonl,
    Csv,
    Bibtex,
    Ris,
}

impl Exchange {
    /// Their names, in the order of the help.
    pub const NAMES: [&'static str; 4] = ["jsonl", "csv", "bibtex", "ris"];

    /// What stands before the first paper.
    pub fn header(self) -> String {
        if self == Self::Csv { csv_row(COLUMNS.into_iter().map(str::to_owned)) } else { String::new() }
    }

    /// One paper, with all that is known of it.
    pub fn record(self, paper: &Paper) -> String {
        match self {
            Self::Jsonl => format!("{}\n", record(paper)),
            Self::Csv => csv_row(columns(paper)),
            Self::Bibtex => bibtex::entry(paper, Some(&exact(paper, bibtex::escape))),
            Self::Ris => ris(paper),
        }
    }
}

impl FromStr for Exchange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Jsonl, Self::Csv, Self::Bibtex, Self::Ris];
        let at = Self::NAMES.iter().position(|name| *name == text);
        at.map(|at| all[at]).ok_or_else(|| Error::usage(format!("no format {text:?}; expected one of {}", Self::NAMES.join(", "))))
    }
}

/// The paper's JSON; where it holds what may be TeX, with the word that it is to be taken as it is.
pub(super) fn record(paper: &Paper) -> Value {
    let mut record = to_json(paper);
    if is_verbatim(paper) {
        record["verbatim"] = true.into();
    }
    record
}

/// True if a text may be another one after it was cleaned, as texts of others are.
pub(super) fn is_verbatim(paper: &Paper) -> bool {
    let may_be_tex = |text: &String| text.contains(['\\', '$', '~', '`']);
    // Or without what feeds put before an abstract.
    let has_prefix = ["Abstract:", "arXiv:"].iter().any(|prefix| paper.abstract_text.starts_with(prefix));
    has_prefix || [&paper.title, &paper.abstract_text].into_iter().chain(&paper.authors).any(may_be_tex)
}

/// The keys of a paper's JSON.
const COLUMNS: [&str; 17] = [
    "id",
    "title",
    "abstract",
    "authors",
    "published",
    "categories",
    "url",
    "doi",
    "day",
    "upvotes",
    "comments",
    "version",
    "updated",
    "authors_count",
    "ids",
    "withdrawn",
    "verbatim",
];

fn columns(paper: &Paper) -> impl Iterator<Item = String> {
    let mut record = record(paper);
    // A number in the column of ids is that of a row, unless it stands with the others.
    if record["id"].as_str().is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit())) && record["ids"].is_null() {
        record["ids"] = vec![record["id"].clone()].into();
    }
    COLUMNS.into_iter().map(move |name| match &record[name] {
        Value::Null => String::new(),
        Value::String(text) => cell(text),
        Value::Array(texts) => list(texts),
        other => other.to_string(),
    })
}

/// Texts between semicolons; as JSON where one of them has what could part it.
fn list(texts: &[Value]) -> String {
    let parts = |text: &str| text.contains([';', ',', '[']) || has_joining_word(text) || cell(text) != text;
    let texts: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
    if texts.iter().any(|text| parts(text)) { Value::from(texts).to_string() } else { texts.join("; ") }
}

/// Where a list of names is one text, these words are of the list.
fn has_joining_word(name: &str) -> bool {
    name.split(' ').any(|word| matches!(word, "and" | "others"))
}

fn csv_row(values: impl Iterator<Item = String>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Neither a text nor a vector in memory can fail to be written.
    writer.write_record(values).expect("a row of texts is CSV");
    let bytes = writer.into_inner().expect("a vector takes all");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a bibliography has no place for: the paper's JSON, without texts that it holds as they are. Of the others stands beside, as
/// `written`, what became of them in the bibliography, so that a reader knows whether somebody changed it since.
fn exact(paper: &Paper, form: fn(&str) -> String) -> String {
    // What TeX, HTML or a bibliography reads as a command.
    let is_special =
        |text: &str| one_line(text) != text || text.contains(['\\', '$', '{', '}', '<', '>', '&', '~', '`', '^', '_', '%', '#', '"', '@']);
    let mut record = record(paper);
    let mut written = Map::new();
    for (name, text) in [("title", &paper.title), ("abstract", &paper.abstract_text)] {
        if is_special(text) {
            written.insert(name.to_owned(), PaperId::of_title(&form(text)).to_string().into());
        }
    }
    if !written.is_empty() {
        record["written"] = Value::Object(written);
    }
    if let Some(record) = record.as_object_mut() {
        record.retain(|name, value| match (name.as_str(), &value) {
            ("title" | "abstract", Value::String(text)) => is_special(text),
            ("authors", Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).any(|name| is_special(name) || name.contains(',') || has_joining_word(name))
            }
            _ => true,
        });
    }
    without_braces(&record.to_string())
}

/// JSON whose texts hold neither braces nor backslashes of their own, which would end a field of BibTeX; in JSON they have another form.
/// The braces of its objects balance.
fn without_braces(json: &str) -> String {
    let (mut out, mut chars, mut in_text) = (String::with_capacity(json.len()), json.chars(), false);
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\\') => out.push_str("\\u005c"),
                other => {
                    out.push('\\');
                    out.extend(other);
                }
            },
            '{' if in_text => out.push_str("\\u007b"),
            '}' if in_text => out.push_str("\\u007d"),
            _ => {
                in_text ^= c == '"';
                out.push(c);
            }
        }
    }
    out
}

fn ris(paper: &Paper) -> String {
    let day = paper.published.map(|day| day.strftime("%Y/%m/%d").to_string());
    let fields = [
        ("TY", Some(if paper.doi().is_some() { "JOUR" } else { "GEN" }.to_owned())),
        ("ID", Some(paper.id().to_string())),
        ("TI", Some(paper.title.clone())),
    ];
    let later = [
        ("PY", day.as_deref().map(|day| day[..4].to_owned())),
        ("DA", day.clone()),
        ("AB", Some(paper.abstract_text.clone())),
        ("DO", paper.doi().map(str::to_owned)),
        ("UR", super::link(paper)),
    ];
    let authors = paper.authors.iter().map(|name| ("AU", Some(last_name_first(name))));
    let keywords = paper.categories.iter().map(|name| ("KW", Some(name.clone())));
    let lines = fields.into_iter().chain(authors).chain(later).chain(keywords).filter_map(|(tag, value)| Some((tag, one_line(&value?))));
    let text: String = lines.filter(|(_, value)| !value.trim().is_empty()).map(|(tag, value)| format!("{tag}  - {value}\n")).collect();
    format!("{text}C8  - paperkin {}\nER  - \n\n", exact(paper, one_line))
}

/// `Lovelace, Ada`, as RIS has it.
fn last_name_first(name: &str) -> String {
    match name.rsplit_once(' ') {
        Some((first, last)) if !name.contains(',') => format!("{last}, {first}"),
        _ => name.to_owned(),
    }
}

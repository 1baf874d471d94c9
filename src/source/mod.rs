//! Bytes to papers: which format it is, one file per format, and the cleaning of text.
//!
//! [`open`] unpacks what is packed, looks at the first bytes, decides on a [`Format`] and returns a [`Reader`], an iterator of [`Item`]s: a
//! paper, or a record that could not be read with its reason. A whole input that cannot be read is an error.
//! A source never embeds, and never opens a file, but for a temporary one: what is opened is the caller's matter.

mod archive;
mod article;
mod bibtex;
mod capture;
mod clean;
mod detect;
mod feed;
mod hf;
mod json;
mod jsonl;
mod metered;
mod oai;
mod page;
#[cfg(feature = "parquet")]
mod parquet;
mod ris;
mod table;
mod tex;
mod unpack;
mod works;
mod xml;

use std::io::{BufRead, Read};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::paper::{Date, Paper, PaperId};
use detect::Kind;

pub use archive::Archive;
pub use clean::clean;

/// What an input is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The Daily Papers page: pasted as text, or saved as HTML.
    Capture,
    /// The Daily Papers API's JSON, of 2023 and since.
    Hf,
    /// One JSON object a line, or an array of them: paperkin's own exchange format.
    Jsonl,
    /// Atom or RSS: arXiv's API, its announcements, and anyone's feed.
    Feed,
    /// OAI-PMH: the metadata of arXiv and other archives.
    Oai,
    /// The web page of a paper, with what search engines read of it.
    Html,
    /// A table with a header: CSV, TSV, or with semicolons.
    Csv,
    /// BibTeX and BibLaTeX.
    Bibtex,
    /// RIS, and the tagged form of Web of Science.
    Ris,
    /// Semantic Scholar's JSON.
    S2,
    /// OpenAlex's JSON.
    Openalex,
    /// Crossref's JSON.
    Crossref,
    /// A Parquet table with a paper a row; read by a paperkin that was built with the feature `parquet`.
    Parquet,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 13] = [
        Self::Capture,
        Self::Hf,
        Self::Jsonl,
        Self::Feed,
        Self::Oai,
        Self::Html,
        Self::Csv,
        Self::Bibtex,
        Self::Ris,
        Self::S2,
        Self::Openalex,
        Self::Crossref,
        Self::Parquet,
    ];

    /// Its name on the command line and in a library.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Hf => "hf",
            Self::Jsonl => "jsonl",
            Self::Feed => "feed",
            Self::Oai => "oai",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Bibtex => "bibtex",
            Self::Ris => "ris",
            Self::S2 => "s2",
            Self::Openalex => "openalex",
            Self::Crossref => "crossref",
            Self::Parquet => "parquet",
        }
    }

    /// How it is read, given what an input looks like.
    fn kind(self, found: Option<Kind>) -> Kind {
        match self {
            Self::Jsonl => found.filter(|found| matches!(found, Kind::JsonLines | Kind::PaperArray)).unwrap_or(Kind::JsonLines),
            Self::Capture => found.filter(|found| *found == Kind::Page).unwrap_or(Kind::Capture),
            Self::Hf => Kind::Hf,
            Self::Feed => Kind::Feed,
            Self::Oai => Kind::Oai,
            Self::Html => Kind::Article,
            Self::Csv => Kind::Table,
            Self::Parquet => Kind::Parquet,
            Self::Bibtex => Kind::Bibtex,
            Self::Ris => Kind::Ris,
            Self::S2 | Self::Openalex | Self::Crossref => Kind::Works(self),
        }
    }
}

/// What a reader may be told beforehand.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The format, instead of looking.
    pub format: Option<Format>,
    /// The format where looking cannot tell it from our own.
    pub expected: Option<Format>,
    /// The day of the digest, where the input does not say it, or says it without a year.
    pub day: Option<Date>,
    /// A day without year is the last such day that is not after this one.
    pub today: Option<Date>,
    /// What columns of a table hold, where their names do not tell.
    pub columns: Vec<Column>,
}

/// What a column of a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// A key of our JSON lines: `title`, `abstract`, `authors`, `published`, …
    pub field: String,
    /// The column's name in the header, or its number, from 1.
    pub name: String,
}

/// One thing that an input holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A paper.
    Paper(Box<Paper>),
    /// A record that is not a paper, and why.
    Failed(Failure),
    /// Why what follows in the input is lost.
    Lost(Failure),
    /// A source says that it no longer has this paper.
    Deleted(PaperId),
    /// Something that the reader had to guess, for a person to know.
    Note(String),
}

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The file and the line or record: `papers.jsonl:12`.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The items of one input, in order.
pub struct Reader<'a> {
    /// What the input is written in.
    pub format: Format,
    items: Box<dyn Iterator<Item = Result<Item>> + 'a>,
}

impl Iterator for Reader<'_> {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        self.items.next()
    }
}

/// A document that is read whole may have this many bytes; JSON lines may be as long as they like in all.
const MAX_DOCUMENT: u64 = 1 << 30;

/// Reads an input that is called `origin` in messages.
///
/// # Errors
///
/// [`Error::Unreadable`] if it is empty, binary, cut off, or of no known format; [`Error::Io`] if reading fails.
pub fn open<'a>(origin: &str, input: impl BufRead + 'a, options: &Options) -> Result<Reader<'a>> {
    let mut input = unpack::unpacked(origin, input)?;
    let head = detect::head(origin, &mut input)?;
    let detected = detect::detect(origin, &head)?;
    let kind = match (options.format, detected) {
        (Some(told), found) => told.kind(found),
        // Any JSON may be our own; whoever asked a server knows better.
        (None, Some(found @ (Kind::JsonLines | Kind::PaperArray))) => options.expected.map_or(found, |expected| expected.kind(Some(found))),
        // Who says what is in the columns says that there are some.
        (None, None) if !options.columns.is_empty() => Kind::Table,
        (None, found) => found.ok_or_else(|| detect::unknown(origin, &head))?,
    };
    let table = (kind == Kind::Table).then(|| head.clone()).unwrap_or_default();
    let input = std::io::Cursor::new(head).chain(input);
    let (format, items): (_, Box<dyn Iterator<Item = Result<Item>> + 'a>) = match kind {
        Kind::JsonLines => (Format::Jsonl, Box::new(jsonl::lines(origin, std::io::BufReader::new(input)))),
        Kind::Feed => (Format::Feed, Box::new(feed::read(origin, std::io::BufReader::new(input), options))),
        Kind::Oai => (Format::Oai, Box::new(oai::read(origin, std::io::BufReader::new(input), options))),
        Kind::Works(format) => (format, Box::new(works::read(origin, std::io::BufReader::new(input), format))),
        Kind::Table => (Format::Csv, Box::new(table::read(origin, &table, std::io::BufReader::new(input), &options.columns)?)),
        Kind::Parquet => (Format::Parquet, parquet(origin, input, &options.columns)?),
        Kind::Bibtex => (Format::Bibtex, Box::new(bibtex::read(origin, std::io::BufReader::new(input)))),
        Kind::Ris => (Format::Ris, Box::new(ris::read(origin, std::io::BufReader::new(input)))),
        Kind::PaperArray => (Format::Jsonl, Box::new(jsonl::array(origin, std::io::BufReader::new(input)))),
        Kind::Hf => (Format::Hf, Box::new(hf::read(origin, std::io::BufReader::new(input), options.day))),
        Kind::Article => (Format::Html, whole(article::read(origin, &text(origin, input)?))),
        Kind::Page => (Format::Capture, whole(page::read(origin, &text(origin, input)?, options)?)),
        Kind::Capture => (Format::Capture, whole(capture::read(origin, &text(origin, input)?, options)?)),
    };
    Ok(Reader { format, items })
}

#[cfg(feature = "parquet")]
fn parquet<'a>(origin: &str, input: impl BufRead, columns: &[Column]) -> Result<Box<dyn Iterator<Item = Result<Item>> + 'a>> {
    let columns = columns.to_vec();
    Ok(Box::new(parquet::read(origin, input, move |record| table::named(record, &columns).and_then(jsonl::paper_of))?))
}

#[cfg(not(feature = "parquet"))]
fn parquet<'a>(origin: &str, _: impl BufRead, _: &[Column]) -> Result<Box<dyn Iterator<Item = Result<Item>> + 'a>> {
    Err(Error::UnknownFormat {
        origin: origin.to_owned(),
        what: "this is a Parquet file, and this paperkin was built without what reads them".to_owned(),
        hint: Some("`cargo install --path . --features parquet` makes one that reads it".to_owned()),
    })
}

fn whole<'a>(items: Vec<Item>) -> Box<dyn Iterator<Item = Result<Item>> + 'a> {
    Box::new(items.into_iter().map(Ok))
}

/// The rest of the input as text; bytes that are not UTF-8 become U+FFFD.
fn text(origin: &str, input: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    let read = input.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes).map_err(|e| Error::io("cannot read", origin.as_ref(), e))?;
    if read as u64 > MAX_DOCUMENT {
        return Err(unreadable(origin, format!("longer than {} MiB; use JSON lines for so much", MAX_DOCUMENT >> 20)));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(bytes) => String::from_utf8_lossy(bytes.as_bytes()).into_owned(),
    })
}

fn unreadable(origin: &str, what: impl Into<String>) -> Error {
    Error::Unreadable { origin: origin.to_owned(), what: what.into(), hint: None }
}

//! Values in, text out: tables for people, and JSON, CSV, TSV, Markdown, BibTeX and HTML for programs, a map to look at.
//! A table in Parquet is the one that is not text.
//!
//! Nothing here computes, reads or prints. Titles and abstracts are the text of others: every format escapes what it must.

mod bibtex;
mod digest;
mod exchange;
mod flow;
mod html;
mod map;
#[cfg(feature = "parquet")]
mod parquet;
mod provenance;
mod record;
mod report;
mod table;
mod topics;

use std::borrow::Cow;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::paper::Paper;
use crate::recommend::{Hit, Reason};

pub use digest::{DigestForm, digest, digest_letter, digest_mail, digest_subject};
pub use exchange::Exchange;
pub use flow::Flow;
pub use map::{Map, MapPart, MapPoint, MapTopic, map_page, map_svg};
#[cfg(feature = "parquet")]
pub use parquet::ParquetWriter;
pub use provenance::{provenance_json, provenance_text};
pub use record::to_json;
pub use report::{evaluation_text, plural, recall_line, report_line, status_text};
pub use table::{fit, one_line, rating_line};
pub use topics::{TopicList, topic_over_days};

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Format {
    Table,
    Json,
    Jsonl,
    Csv,
    Tsv,
    Markdown,
    Bibtex,
    Html,
    /// Ids only, one a line.
    Ids,
}

impl Format {
    /// Their names, in the order of the help.
    pub const NAMES: [&'static str; 8] = ["table", "json", "jsonl", "csv", "tsv", "markdown", "bibtex", "html"];
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Table, Self::Json, Self::Jsonl, Self::Csv, Self::Tsv, Self::Markdown, Self::Bibtex, Self::Html];
        let at = Self::NAMES.iter().position(|name| *name == text);
        at.map(|at| all[at]).ok_or_else(|| Error::usage(format!("no format {text:?}; expected one of {}", Self::NAMES.join(", "))))
    }
}

/// A question and what was found.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The question as it was given.
    pub query: String,
    /// The papers, the best first.
    pub hits: Vec<Hit>,
}

/// Renders answers; `width` is that of the terminal.
///
/// # Errors
///
/// None in practice; CSV writing to memory is fallible by type.
pub fn answers(answers: &[Answer], format: Format, width: usize) -> Result<String> {
    let hits = || answers.iter().flat_map(|answer| answer.hits.iter().map(move |hit| (answer, hit)));
    let papers = || hits().map(|(_, hit)| &hit.paper).collect::<Vec<_>>();
    Ok(match format {
        Format::Table => answers.iter().map(|answer| table::hits(answer, answers.len() > 1, width)).collect(),
        Format::Json => pretty(&Value::Array(hits().map(|(answer, hit)| hit_json(&answer.query, hit)).collect())),
        Format::Jsonl => hits().map(|(answer, hit)| format!("{}\n", hit_json(&answer.query, hit))).collect(),
        Format::Tsv => {
            let line = |(answer, hit): (&Answer, &Hit)| format!("{}\t{}\t{}\n", one_line(&answer.query), hit.paper.id(), hit.score);
            hits().map(line).collect()
        }
        Format::Csv => {
            let row = |(answer, hit): (&Answer, &Hit)| {
                let mut row = vec![answer.query.clone(), hit.score.to_string(), hit.cosine.map(|cosine| cosine.to_string()).unwrap_or_default()];
                row.extend(paper_cells(&hit.paper));
                row
            };
            csv(&[&["query", "score", "cosine"], &PAPER_COLUMNS[..]].concat(), hits().map(row))?
        }
        Format::Markdown => answers.iter().map(|answer| markdown_answer(answer, answers.len() > 1)).collect(),
        Format::Bibtex => bibtex::entries(&papers()),
        Format::Html => html::answers(answers),
        Format::Ids => hits().map(|(_, hit)| format!("{}\n", hit.paper.id())).collect(),
    })
}

/// Renders a list of papers.
///
/// # Errors
///
/// As [`answers`].
pub fn papers(papers: &[Paper], format: Format, width: usize) -> Result<String> {
    Ok(match format {
        Format::Table => table::papers(papers, width),
        Format::Json => pretty(&Value::Array(papers.iter().map(to_json).collect())),
        Format::Jsonl => papers.iter().map(|paper| format!("{}\n", to_json(paper))).collect(),
        Format::Tsv => papers.iter().map(|paper| format!("{}\n", paper_cells(paper).join("\t"))).collect(),
        Format::Csv => csv(&PAPER_COLUMNS, papers.iter().map(paper_cells))?,
        Format::Markdown => papers.iter().map(|paper| markdown_item(paper, None)).collect(),
        Format::Bibtex => bibtex::entries(&papers.iter().collect::<Vec<_>>()),
        Format::Html => html::papers(papers),
        Format::Ids => papers.iter().map(|paper| format!("{}\n", paper.id())).collect(),
    })
}

/// All that is known of one paper, for a person.
pub fn paper_text(paper: &Paper, sources: &[(String, String)], width: usize) -> String {
    table::paper(paper, sources, width)
}

/// JSON over several lines, with a last line break.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

const PAPER_COLUMNS: [&str; 11] =
    ["id", "title", "abstract", "authors", "authors_count", "categories", "published", "day", "upvotes", "comments", "url"];

fn paper_cells(paper: &Paper) -> Vec<String> {
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let day = |day: Option<crate::paper::Date>| day.map(|day| day.to_string()).unwrap_or_default();
    vec![
        one_line(&paper.id().to_string()),
        one_line(&paper.title),
        one_line(&paper.abstract_text),
        paper.authors.join("; "),
        number(paper.count_authors()),
        paper.categories.join(" "),
        day(paper.published),
        day(paper.day),
        number(paper.upvotes),
        number(paper.comments),
        paper.url.clone().unwrap_or_default(),
    ]
}

fn hit_json(query: &str, hit: &Hit) -> Value {
    let paper = &hit.paper;
    let mut value = json!({
        "query": query,
        "id": paper.id(),
        "score": rounded(hit.score),
        "cosine": hit.cosine.map_or(Value::Null, rounded),
        "title": paper.title,
        "abstract": paper.abstract_text,
        "authors": paper.authors,
        "authors_count": paper.count_authors(),
        "published": paper.published,
        "url": link(paper),
        "reasons": hit.reasons.iter().map(reason_json).collect::<Vec<_>>(),
    });
    if paper.withdrawn {
        value["withdrawn"] = true.into();
    }
    value
}

fn reason_json(reason: &Reason) -> Value {
    let mut value = serde_json::to_value(reason).unwrap_or_default();
    for name in ["cosine", "cost", "gain"] {
        if let Some(number) = value.get_mut(name) {
            *number = number.as_f64().map_or(Value::Null, |x| rounded(x as f32));
        }
    }
    value
}

/// The shortest decimal that is this f32, not the longer one of its f64.
fn rounded(x: f32) -> Value {
    x.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// The title for people, who shall see at once that a paper was taken back.
fn titled(paper: &Paper) -> Cow<'_, str> {
    if paper.withdrawn { format!("[withdrawn] {}", paper.title).into() } else { paper.title.as_str().into() }
}

/// Where to read the paper: as the source says, else by its id.
pub fn link(paper: &Paper) -> Option<String> {
    use crate::paper::PaperId;
    let by_id = || match paper.id() {
        PaperId::Arxiv(id) => Some(format!("https://arxiv.org/abs/{id}")),
        PaperId::Doi(doi) => Some(format!("https://doi.org/{doi}")),
        PaperId::Given(_) | PaperId::Title(_) => None,
    };
    // Nothing but a web address may become a link: the text is of others.
    paper.url.clone().filter(|url| url.starts_with("https://") || url.starts_with("http://")).or_else(by_id)
}

/// A text that a spreadsheet does not compute: it would obey one that begins like a formula. The mark goes when it is read back.
fn cell(text: &str) -> String {
    let begins = text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
    if begins && text.parse::<f64>().is_err() { format!("'{text}") } else { text.to_owned() }
}

fn csv(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<String> {
    let wrong = |e: &dyn std::fmt::Display| Error::usage(format!("cannot write CSV: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(|e| wrong(&e))?;
    for row in rows {
        writer.write_record(row.iter().map(|text| cell(text))).map_err(|e| wrong(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| wrong(&e))?;
    String::from_utf8(bytes).map_err(|e| wrong(&e))
}

fn markdown_answer(answer: &Answer, with_query: bool) -> String {
    let heading = if with_query { format!("## {}\n\n", markdown(&answer.query)) } else { String::new() };
    let items: String = answer.hits.iter().map(|hit| markdown_item(&hit.paper, Some(hit.score))).collect();
    format!("{heading}{items}\n")
}

fn markdown_item(paper: &Paper, score: Option<f32>) -> String {
    let facts = [score.map(|score| format!("{score:.3}")), Some(markdown(&paper.id().to_string())), paper.published.map(|day| day.to_string())];
    format!("- {} ({})\n", markdown_title(paper), facts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The title, leading to where the paper is.
fn markdown_title(paper: &Paper) -> String {
    let title = markdown(&titled(paper));
    // Between angle brackets nothing may end the address, or be decoded.
    let address = |url: String| one_line(&url).replace(['<', '>', ' '], "").replace('\\', "%5C").replace('&', "&amp;");
    link(paper).map_or(title.clone(), |url| format!("[{title}](<{}>)", address(url)))
}

/// Text whose characters mean nothing to Markdown.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '$' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

//! Tables with a header: CSV, TSV, or with semicolons, of Zotero, Scopus, spreadsheets and anyone.
//!
//! What a column holds is guessed from its name, unless [`super::Options::columns`] says it; what the names mean is in `NAMES`. A row
//! becomes the record that [`super::jsonl`] reads.

use std::io::BufRead;

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use super::metered::Metered;
use super::oai::last_name_last;
use super::{Column, Failure, Item, jsonl, unreadable};
use crate::error::Result;
use crate::paper::{Kind, Paper, PaperId};

/// What parts the columns: the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Excel may be told what parts the columns in a line before the header.
const EXCEL: &[u8] = b"sep=";

/// What a column may hold, which is a key of our JSON lines, and what others call it: letters and digits only.
const NAMES: [(&str, &[&str]); 18] = [
    ("id", &["id", "arxivid", "paperid", "eprint"]),
    ("ids", &["ids"]),
    ("doi", &["doi"]),
    ("title", &["title", "articletitle", "papertitle", "documenttitle"]),
    ("abstract", &["abstract", "abstractnote", "abstracttext", "summary", "description"]),
    ("authors", &["authorfullnames", "authors", "author", "authornames", "creators", "creator"]),
    ("authors_count", &["authorscount"]),
    ("categories", &["categories", "category", "primarycategory", "subjects"]),
    ("published", &["published", "date", "publicationdate", "datepublished", "publisheddate", "submitteddate"]),
    ("updated", &["updated", "updatedate", "updateddate"]),
    ("day", &["day", "listed"]),
    ("upvotes", &["upvotes", "votes"]),
    ("comments", &["comments"]),
    ("url", &["url", "link", "pdfurl", "arxivurl"]),
    ("version", &["version"]),
    // Zotero keeps the arXiv id of a preprint here.
    ("extra", &["extra"]),
    ("withdrawn", &["withdrawn"]),
    ("verbatim", &["verbatim"]),
];

/// True if a text begins with a header that names a title and something else of a paper.
pub(super) fn is_table(head: &[u8]) -> bool {
    delimiter(head).is_some()
}

/// The delimiter with which the first line names a title, and something else.
fn delimiter(head: &[u8]) -> Option<u8> {
    let named = |&delimiter: &u8| {
        let header = header(head, delimiter)?;
        let known = guessed(&header);
        // A sentence may begin with the word, and a table of anything has titles.
        let count = known.iter().flatten().count();
        (known.contains(&Some("title")) && count > 1).then_some((count, delimiter))
    };
    // Of two that name as much, the first.
    DELIMITERS.iter().filter_map(named).rev().max_by_key(|(known, _)| *known).map(|(_, delimiter)| delimiter)
}

fn header(head: &[u8], delimiter: u8) -> Option<Vec<String>> {
    let end = if head.starts_with(EXCEL) { head.iter().position(|b| *b == b'\n')? + 1 } else { 0 };
    let head = &head[end..];
    let mut reader = ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(head);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).ok().filter(|is_some| *is_some)?;
    Some(record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
}

/// A column's name as it is compared.
fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What each column holds, as far as its name tells. Of several that hold the same, the name that stands first in `NAMES` counts.
fn guessed(header: &[String]) -> Vec<Option<&'static str>> {
    let names: Vec<String> = header.iter().map(|name| letters(name)).collect();
    let mut fields = vec![None; header.len()];
    for (field, called) in NAMES {
        let place = called.iter().find_map(|name| names.iter().position(|own| own == name));
        if let Some(place) = place {
            fields[place] = Some(field);
        }
    }
    fields
}

/// What each column holds, as its name tells or as was told.
fn fields(header: &[String], told: &[Column]) -> Result<Vec<Option<&'static str>>, String> {
    let mut fields = guessed(header);
    for column in told {
        let called = NAMES.iter().find(|(field, _)| *field == column.field).map(|(field, _)| *field);
        let field = called.ok_or_else(|| format!("no field {:?}; expected one of {}", column.field, fields_list()))?;
        let by_name = header.iter().position(|name| *name == column.name);
        let by_letters = || header.iter().position(|name| name.eq_ignore_ascii_case(&column.name));
        let by_number = || column.name.parse().ok().filter(|number| (1..=header.len()).contains(number)).map(|number: usize| number - 1);
        let place = by_name.or_else(by_letters).or_else(by_number);
        let place = place.ok_or_else(|| format!("no column {:?}; the columns are {}", column.name, header.join(", ")))?;
        fields.iter_mut().filter(|own| **own == Some(field)).for_each(|own| *own = None);
        fields[place] = Some(field);
    }
    Ok(fields)
}

/// The columns that hold something: what, and which.
fn columns(header: &[String], told: &[Column]) -> Result<Vec<(&'static str, usize)>, String> {
    let columns: Vec<_> = fields(header, told)?.into_iter().enumerate().filter_map(|(place, field)| Some((field?, place))).collect();
    match columns.iter().any(|(field, _)| *field == "title") {
        true => Ok(columns),
        false => Err(format!("no column is called title; the columns are {}", header.join(", "))),
    }
}

fn fields_list() -> String {
    NAMES.map(|(field, _)| field).join(", ")
}

/// How to read some columns.
struct Ways {
    /// Somebody said which column holds ids.
    tells_id: bool,
    /// Names have the last one first.
    is_inverted: bool,
}

/// Reads row by row; `head` is the beginning of the input, which holds the header.
pub(super) fn read<'a>(origin: &str, head: &[u8], input: impl BufRead + 'a, told: &[Column]) -> Result<impl Iterator<Item = Result<Item>> + 'a> {
    let told_delimiter = || DELIMITERS.into_iter().find(|delimiter| header(head, *delimiter).is_some_and(|header| columns(&header, told).is_ok()));
    let width = |delimiter: &u8| header(head, *delimiter).map_or(0, |header| header.len());
    let likeliest = || DELIMITERS.into_iter().rev().max_by_key(width).unwrap_or(DELIMITERS[0]);
    let delimiter = delimiter(head).or_else(told_delimiter).unwrap_or_else(likeliest);
    let header = header(head, delimiter).unwrap_or_default();
    let columns = columns(&header, told).map_err(|what| {
        let mut error = unreadable(origin, what);
        if let crate::Error::Unreadable { hint, .. } = &mut error {
            *hint = Some("--columns title=NAME,abstract=NAME says which column holds what".to_owned());
        }
        error
    })?;
    // Zotero and Scopus write `Last, First` in columns of these names.
    let is_inverted = |name: &str| matches!(letters(name).as_str(), "author" | "authorfullnames");
    let ways = Ways {
        tells_id: told.iter().any(|column| column.field == "id"),
        is_inverted: columns.iter().any(|(field, place)| *field == "authors" && is_inverted(&header[*place])),
    };
    let mut input = input;
    if head.starts_with(EXCEL) {
        input.skip_until(b'\n').map_err(|e| crate::Error::io("cannot read", origin.as_ref(), e))?;
    }
    let (input, meter) = Metered::new(input, "the end of a row");
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
    let (origin, width, mut row, mut number, mut is_over) = (origin.to_owned(), header.len(), ByteRecord::new(), 0u64, false);
    Ok(std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        meter.reset();
        let mut read = reader.read_byte_record(&mut row);
        // Tables that are written with lines have one below the header.
        while number == 0 && matches!(read, Ok(true)) && row.iter().flatten().all(|b| matches!(b, b'-' | b':' | b' ')) {
            meter.reset();
            read = reader.read_byte_record(&mut row);
        }
        number += 1;
        let line = row.position().map_or(0, csv::Position::line);
        let failed = |reason| Item::Failed(Failure { place: format!("{origin}:{line}"), reason });
        Some(Ok(match read {
            Ok(false) => return None,
            // More would put values under wrong names; programs leave out empty ones at the end.
            Ok(true) if row.iter().skip(width).any(|value| !value.trim_ascii().is_empty()) => {
                failed(format!("expected {width} values, got {}", row.len()))
            }
            Ok(true) => paper((&row, number), &columns, &ways).map_or_else(failed, |paper| Item::Paper(Box::new(paper))),
            Err(error) => {
                is_over = true;
                Item::Lost(Failure { place: format!("{origin}:{line}"), reason: format!("{error}; what follows is lost") })
            }
        }))
    }))
}

/// A record of a table that is not text, with the keys of our JSON lines for the names of its columns.
#[cfg(feature = "parquet")]
pub(super) fn named(record: Map<String, Value>, told: &[Column]) -> Result<Map<String, Value>, String> {
    let header: Vec<String> = record.keys().cloned().collect();
    // What has no other meaning keeps its name, which may be one that only our JSON lines know.
    let own = |(field, (name, value)): (Option<&str>, (String, Value))| (field.map_or(name, str::to_owned), value);
    let mut record: Vec<_> = fields(&header, told)?.into_iter().zip(record).map(own).collect();
    // Of two of one name, the one that was found counts.
    record.reverse();
    Ok(record.into_iter().collect())
}

fn paper((row, number): (&ByteRecord, u64), columns: &[(&'static str, usize)], ways: &Ways) -> Result<Paper, String> {
    let value = |place: usize| without_mark(String::from_utf8_lossy(row.get(place).unwrap_or_default()).trim()).to_owned();
    let values = columns.iter().map(|&(field, place)| (field, value(place))).filter(|(_, value)| !value.is_empty());
    let mut record = Map::new();
    let mut named = Vec::new();
    for (field, value) in values {
        let is_arxiv_or_doi = |id: &&str| matches!(PaperId::parse(id).kind(), Kind::Arxiv | Kind::Doi);
        match field {
            "authors" => drop(record.insert(field.to_owned(), names(&value, ways.is_inverted))),
            "categories" => drop(record.insert(field.to_owned(), list(&value))),
            "ids" => match list(&value) {
                Value::Array(ids) => named.extend(ids),
                one => named.push(one),
            },
            // The number of a row names no paper elsewhere.
            "id" if !ways.tells_id && (value == number.to_string() || value == (number - 1).to_string()) => {}
            "extra" => named.extend(value.split_whitespace().filter(is_arxiv_or_doi).map(Value::from)),
            "withdrawn" | "verbatim" => {
                drop(record.insert(field.to_owned(), matches!(value.to_ascii_lowercase().as_str(), "true" | "yes" | "1" | "t" | "y").into()))
            }
            _ => {
                if field == "url" && is_arxiv_or_doi(&value.as_str()) {
                    named.push(Value::from(value.as_str()));
                }
                record.insert(field.to_owned(), Value::from(value));
            }
        }
    }
    record.insert("ids".to_owned(), named.into());
    jsonl::paper_of(record)
}

/// A text that begins like a formula, without the mark that keeps spreadsheets from computing it.
fn without_mark(text: &str) -> &str {
    let rest = text.strip_prefix('\'').unwrap_or_default();
    if rest.trim_start_matches('\'').starts_with(['=', '+', '-', '@']) { rest } else { text }
}

/// A JSON list, or texts between semicolons.
fn list(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::Array(values)) => Value::from(values),
        _ if text.contains(';') => Value::from(text.split(';').map(str::trim).collect::<Vec<_>>()),
        _ => Value::from(text),
    }
}

/// [`list`] of names, of which those with one comma have the last name first.
fn names(text: &str, is_inverted: bool) -> Value {
    let name = |name: &str| last_name_last(without_number(name.trim()));
    match list(text) {
        Value::Array(values) if text.starts_with('[') => Value::from(values),
        Value::Array(_) => Value::from(text.split(';').map(name).collect::<Vec<_>>()),
        _ if is_one_name(text) || is_inverted && text.matches(',').count() == 1 => Value::from(vec![name(text)]),
        other => other,
    }
}

/// `Lovelace, Ada` or `van Gogh, Vincent`; `Ada Lovelace, Alan Turing` are two.
fn is_one_name(text: &str) -> bool {
    let Some((last, first)) = text.split_once(',') else { return false };
    let words: Vec<&str> = last.split_whitespace().collect();
    let has_particles = words.iter().rev().skip(1).all(|word| word.starts_with(char::is_lowercase));
    !first.contains(',') && !words.is_empty() && has_particles
}

/// Scopus writes `Lovelace, Ada (12345678)`.
fn without_number(name: &str) -> &str {
    let inside = name.strip_suffix(')').and_then(|name| name.rsplit_once(" ("));
    inside.filter(|(_, number)| number.bytes().all(|b| b.is_ascii_digit())).map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str, told: &[(&str, &str)]) -> Result<Vec<Item>> {
        let told: Vec<Column> = told.iter().map(|(field, name)| Column { field: (*field).to_owned(), name: (*name).to_owned() }).collect();
        read("x.csv", text.as_bytes(), text.as_bytes(), &told)?.collect()
    }

    fn one(text: &str) -> Paper {
        match read_all(text, &[]).unwrap().pop().unwrap() {
            Item::Paper(paper) => *paper,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tables_of_several_programs_are_read() {
        let zotero = one("\"Key\",\"Item Type\",\"Publication Year\",\"Author\",\"Title\",\"DOI\",\"Url\",\"Abstract Note\",\"Date\",\"Extra\"\n\
            \"AB12\",\"preprint\",\"2021\",\"Lovelace, Ada; Turing, Alan\",\"On \"\"it\"\"\",\"10.1000/X\",\"http://arxiv.org/abs/2101.00001\",\"We\nlook.\",\"2021-05-06\",\"arXiv:2101.00001 [cs]\"\n");
        assert_eq!((zotero.title.as_str(), zotero.abstract_text.as_str(), zotero.doi()), ("On \"it\"", "We look.", Some("10.1000/x")));
        assert_eq!(
            (zotero.authors.as_slice(), zotero.id().to_string()),
            (&["Ada Lovelace".to_owned(), "Alan Turing".to_owned()][..], "2101.00001".into())
        );
        assert_eq!(zotero.published.unwrap().to_string(), "2021-05-06");
        let scopus = one("Authors,Author full names,Title,Year,DOI,Abstract\nL. A.,\"Lovelace, Ada (123); Bob (4)\",T,2020,10.1000/y,A\n");
        assert_eq!(scopus.authors, ["Ada Lovelace", "Bob"]);
        let tabs = one("id\ttitle\tabstract\tauthors\tcategories\n2101.00001v2\tT, or not\tA\tAda Lovelace\tcs.LG stat.ML\n");
        assert_eq!((tabs.version, tabs.title.as_str(), tabs.authors.len(), tabs.categories.len()), (Some(2), "T, or not", 1, 2));
        let semicolons = one("Titel;Title;Abstract\nx;T;A, b\n");
        assert_eq!((semicolons.title.as_str(), semicolons.abstract_text.as_str()), ("T", "A, b"));
        let authors = |authors: &str| one(&format!("sep=,\nid,title,authors\n7,T,\"{authors}\"\n")).authors;
        assert_eq!(
            (authors("Ada Lovelace, Alan Turing"), authors("Smith J, Doe A.")),
            (vec!["Ada Lovelace".into(), "Alan Turing".into()], vec!["Smith J".into(), "Doe A.".into()])
        );
        assert_eq!((authors("Lovelace, Ada"), authors("van Gogh, Vincent")), (vec!["Ada Lovelace".to_owned()], vec!["Vincent van Gogh".to_owned()]));
        let zotero = |author: &str| one(&format!("Title,Author,DOI\nT,\"{author}\",\n")).authors;
        assert_eq!(
            (zotero("García Márquez, Gabriel"), zotero("Le Cun, Yann (123)")),
            (vec!["Gabriel García Márquez".to_owned()], vec!["Yann Le Cun".to_owned()])
        );
        assert!(one("id,title\n1,T\n").ids.is_empty(), "the number of a row is no id");
        assert_eq!(one("id,title\n12345,T\n").id().to_string(), "12345");
        assert_eq!(one("title|abstract\n---|:--\nT|A\n").title, "T");
    }

    #[test]
    fn columns_are_told_and_faults_are_too() {
        let items = read_all("nom,texte,no\nT,A,7\n,B,8\nU,A,9,x\nV\n", &[("title", "nom"), ("abstract", "2"), ("id", "no")]).unwrap();
        assert!(matches!(&items[0], Item::Paper(paper) if paper.abstract_text == "A" && paper.id().to_string() == "7"), "{items:?}");
        assert!(matches!(&items[1], Item::Paper(paper) if paper.title.is_empty() && paper.id().to_string() == "8"));
        assert!(matches!(&items[2], Item::Failed(failure) if failure.place == "x.csv:4" && failure.reason.contains("expected 3 values, got 4")));
        assert!(matches!(&items[3], Item::Paper(paper) if paper.title == "V"));
        let error = |text: &str, told: &[(&str, &str)]| read_all(text, told).unwrap_err().to_string();
        assert!(error("a,b\n1,2\n", &[]).contains("no column is called title; the columns are a, b"));
        assert!(error("a,b\n1,2\n", &[("title", "c")]).contains("no column \"c\""));
        assert!(error("a,b\n1,2\n", &[("name", "a")]).contains("no field \"name\""));
    }

    #[test]
    fn other_text_is_no_table() {
        for text in [
            "",
            "title",
            "The title, as it was",
            "name,abstract\n",
            "{\"title\": 1, \"b\": 2}",
            "title\nabstract\n",
            "Title, authors and abstract of what we read\n\nSome prose, and more.\n",
            "level;title;msg\nINFO;started;x\n",
            "name,title,email\nA,Dr.,b\n",
        ] {
            assert!(!is_table(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_quote_without_end_is_not_kept_whole() {
        let items = read_all(&format!("title,abstract\nT,A\nU,\"{}", "x".repeat(20 << 20)), &[]).unwrap();
        assert!(matches!(&items[..], [Item::Paper(_), Item::Lost(failure)] if failure.reason.contains("without the end of a row")));
    }
}

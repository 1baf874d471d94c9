//! RIS, as Zotero, EndNote and publishers write it (`TI  - A title`), and the tagged form of Web of Science (`TI A title`).
//!
//! A record begins at `TY` or `PT` and ends at `ER`, or where the next one begins. A line without a tag goes on with the one before.
//! The tag `ID` is a number of the program that wrote the file, and names no paper elsewhere.

use std::io::BufRead;

use super::clean::{clean, clean_abstract, clean_text, without_tags};
use super::jsonl::{Line, next_line, with_exact};
use super::metered::LARGEST;
use super::oai::last_name_last;
use super::{Failure, Item};
use crate::error::Result;
use crate::paper::{Date, Paper, PaperId, parse_date};

/// A record: its tags and their values, in their order.
#[derive(Default)]
struct Record {
    line: u64,
    fields: Vec<(String, String)>,
    size: usize,
}

/// Reads record by record.
pub(super) fn read<'a>(origin: &str, mut input: impl BufRead + 'a) -> impl Iterator<Item = Result<Item>> + 'a {
    let (origin, mut number, mut record, mut is_over) = (origin.to_owned(), 0u64, Record::default(), false);
    let mut style = Style::Unknown;
    std::iter::from_fn(move || {
        while !is_over {
            let line = match next_line(&origin, &mut input) {
                Ok(Some(Line::Whole(bytes))) => String::from_utf8_lossy(&bytes).into_owned(),
                Ok(Some(Line::TooLong)) => {
                    record.size = LARGEST + 1;
                    String::new()
                }
                Ok(None) => {
                    is_over = true;
                    String::new()
                }
                Err(error) => return Some(Err(error)),
            };
            number += 1;
            let line = line.trim_start_matches('\u{feff}');
            style = style.after(line);
            let done = match tagged(line).filter(|_| style.takes(line)) {
                Some(("TY" | "PT", _)) => Some(std::mem::replace(&mut record, Record { line: number, ..Record::default() })),
                Some(("ER", _)) => Some(std::mem::take(&mut record)),
                Some((tag, value)) => {
                    record.add(tag, value);
                    None
                }
                None => {
                    record.go_on(line);
                    None
                }
            };
            let done = if is_over { Some(std::mem::take(&mut record)) } else { done };
            // What stands before the first record is a banner.
            if let Some(record) = done.filter(|record| record.line > 0) {
                let failed = |reason| Item::Failed(Failure { place: format!("{origin}:{}", record.line), reason });
                return Some(Ok(record.paper().map_or_else(failed, |paper| Item::Paper(Box::new(paper)))));
            }
        }
        None
    })
}

/// True if one of the lines begins a record.
pub(super) fn is_ris(text: &str) -> bool {
    let begins = |line: &str| {
        let line = line.trim_start_matches('\u{feff}');
        let is_type = |value: &str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_uppercase());
        matches!(tagged(line), Some(("TY", value)) if is_type(value) || line.starts_with("TY  - "))
    };
    text.lines().take(60).any(begins) || text.starts_with("FN Clarivate") || text.starts_with("FN Thomson Reuters")
}

/// How a file writes its tags. In the text of one whose tags have a dash, a line may begin with two capitals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Unknown,
    /// `TI  - A title`
    Dash,
    /// `TI A title`
    Bare,
}

impl Style {
    /// The first record tells.
    fn after(self, line: &str) -> Self {
        match tagged(line) {
            Some(("TY" | "PT", _)) if self == Self::Unknown => {
                if has_dash(line) {
                    Self::Dash
                } else {
                    Self::Bare
                }
            }
            _ => self,
        }
    }

    fn takes(self, line: &str) -> bool {
        self != Self::Dash || has_dash(line) || line.trim_end() == "ER"
    }
}

fn has_dash(line: &str) -> bool {
    line.get(2..).is_some_and(|rest| rest.starts_with(' ') && rest.trim_start_matches(' ').starts_with('-'))
}

/// The tag of a line, and its value: `TI  - A title`, `TI - A title`, `TI A title`, `ER`.
fn tagged(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end();
    let tag = line.get(..2).filter(|tag| tag.as_bytes()[0].is_ascii_uppercase() && !tag.as_bytes()[1].is_ascii_lowercase())?;
    if !tag.as_bytes()[1].is_ascii_alphanumeric() {
        return None;
    }
    let rest = &line[2..];
    match rest.trim_start_matches(' ').strip_prefix('-') {
        Some(value) if rest.starts_with(' ') => Some((tag, value.trim())),
        _ if rest.is_empty() => Some((tag, "")),
        // Web of Science: a line that goes on with the one before is indented, so that two capitals and one space are a tag.
        _ => rest.strip_prefix(' ').filter(|value| !value.starts_with(' ')).map(|value| (tag, value)),
    }
}

impl Record {
    fn add(&mut self, tag: &str, value: &str) {
        self.size += value.len();
        if self.size <= LARGEST && self.line > 0 {
            self.fields.push((tag.to_owned(), value.to_owned()));
        }
    }

    fn go_on(&mut self, line: &str) {
        self.size += line.len();
        if let Some((tag, value)) = self.fields.last_mut().filter(|_| self.size <= LARGEST) {
            // Of names and keywords each line is one.
            match tag.as_str() {
                "AU" | "AF" => value.push('\n'),
                _ => value.push(' '),
            }
            value.push_str(line.trim());
        }
    }

    fn all<'r>(&'r self, tag: &'r str) -> impl Iterator<Item = &'r str> {
        self.fields.iter().filter(move |(own, value)| own == tag && !value.trim().is_empty()).map(|(_, value)| value.trim())
    }

    /// The first of some tags that has a value.
    fn text(&self, tags: &[&'static str]) -> &str {
        tags.iter().find_map(|tag| self.all(tag).next()).unwrap_or_default()
    }

    fn paper(&self) -> std::result::Result<Paper, String> {
        if self.size > LARGEST {
            return Err(format!("the record is longer than {} MiB", LARGEST >> 20));
        }
        let text = |tags: &[&'static str]| clean_text(&without_tags(self.text(tags)));
        let mut paper = Paper {
            title: text(&["TI", "T1", "CT"]),
            abstract_text: clean_abstract(&without_tags(self.text(&["AB", "N2"]))),
            authors: self.authors(),
            published: ["DA", "Y1", "PY"].iter().flat_map(|tag| self.all(tag)).find_map(whole_date),
            url: Some(text(&["UR", "L2"])).filter(|url| url.starts_with("http")),
            ..Paper::default()
        };
        let named = ["DO", "DI", "UR", "L2", "M3", "AN"].iter().flat_map(|tag| self.all(tag)).map(clean).collect::<Vec<_>>();
        let mut version = None;
        paper.add_ids(named.iter().flat_map(|value| value.split(' ')).filter_map(|id| {
            let (id, own) = PaperId::parse_versioned(id.trim_start_matches("doi:"));
            version = version.or(own);
            matches!(id, PaperId::Arxiv(_) | PaperId::Doi(_)).then_some(id)
        }));
        paper.version = version;
        if paper.title.is_empty() {
            return Err("the record has no title".to_owned());
        }
        let exact = self.all("C8").find_map(|value| serde_json::from_str(value.strip_prefix("paperkin ")?).ok());
        Ok(match exact {
            Some(serde_json::Value::Object(exact)) => with_exact(paper, exact, [self.text(&["TI"]), self.text(&["AB"])]),
            _ => paper,
        })
    }

    /// Web of Science has the names in full under another tag.
    fn authors(&self) -> Vec<String> {
        let of = |tag: &'static str| self.all(tag).flat_map(|value| value.lines()).map(|name| last_name_last(&clean_text(name)));
        let named = ["AF", "AU", "A1"].map(|tag| of(tag).filter(|name| !name.is_empty()).collect::<Vec<_>>());
        named.into_iter().find(|names| !names.is_empty()).unwrap_or_default()
    }
}

/// `2020/05/06/` or `2020-05-06`; a year alone is no day.
pub(super) fn whole_date(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [year, month, day, ..] => parse_date(&format!("{year}-{month:0>2}-{day:0>2}")),
        _ => parse_date(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Item> {
        read("x.ris", text.as_bytes()).map(Result::unwrap).collect()
    }

    fn paper(item: &Item) -> &Paper {
        match item {
            Item::Paper(paper) => paper,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_are_read_whatever_is_around_them() {
        let text = "\u{feff}Provider: X\nContent: text/plain\n1.\nTY  - JOUR\nID  - 12345\nT1  - On <i>it</i>\nA1  - Marx,Karl\nA1  - Madonna\nY1  - 2014/05/06/\n\
            N2  - first line,\n      ER then second line\nDO  - https://doi.org/10.1000/ABC\nUR  - http://example.org/x\nER  - \n\n\
            TY  - JOUR\nTI  - Another\nPY  - 2020\nUR  - https://arxiv.org/abs/2101.00001v3\nTY  - JOUR\nN1  - no title\n";
        assert!(is_ris(text));
        let items = all(text);
        let first = paper(&items[0]);
        assert_eq!((first.title.as_str(), first.abstract_text.as_str()), ("On it", "first line, ER then second line"));
        assert_eq!((first.authors.as_slice(), first.doi()), (&["Karl Marx".to_owned(), "Madonna".to_owned()][..], Some("10.1000/abc")));
        assert_eq!((first.published.unwrap().to_string(), first.url.as_deref()), ("2014-05-06".into(), Some("http://example.org/x")));
        let second = paper(&items[1]);
        assert_eq!((second.id(), second.version, second.published), (PaperId::Arxiv("2101.00001".to_owned()), Some(3), None));
        assert!(matches!(&items[2], Item::Failed(failure) if failure.place == "x.ris:20" && failure.reason.contains("no title")), "{:?}", items[2]);
        assert_eq!(items.len(), 3);
    }

    #[test]
    fn a_line_of_text_that_looks_like_a_bare_tag_is_text() {
        let items = all("TY  - JOUR\nTI  - T\nAB  - First.\nAI systems are hard,\nPT symmetric ones too.\nER said.\nDO  - 10.1000/x\nER  - \n");
        assert_eq!((items.len(), paper(&items[0]).doi()), (1, Some("10.1000/x")));
        assert_eq!(paper(&items[0]).abstract_text, "First. AI systems are hard, PT symmetric ones too. ER said.");
    }

    #[test]
    fn web_of_science_is_read() {
        let text = "FN Clarivate Analytics Web of Science\nVR 1.0\nPT J\nAU Parkes-Loach, PS\n   Majeed, AP\nAF Parkes-Loach, Pamela S.\n   Majeed, A. P.\n\
            TI Interactions of the\n   complex\nAB We look.\nDI 10.1000/XYZ\nER\n\nEF\n";
        assert!(is_ris(text));
        let items = all(text);
        let first = paper(&items[0]);
        assert_eq!((items.len(), first.title.as_str(), first.doi()), (1, "Interactions of the complex", Some("10.1000/xyz")));
        assert_eq!(first.authors, ["Pamela S. Parkes-Loach", "A. P. Majeed"]);
    }

    #[test]
    fn control_characters_are_in_no_id() {
        let items = all("TY  - JOUR\nTI  - T\nDO  - 10.1000/a\u{1}\nER  - \n");
        assert_eq!(paper(&items[0]).doi(), Some("10.1000/a"));
    }

    #[test]
    fn other_text_is_none() {
        for text in ["", "TY is short", "A word\nTY - is not a type", "{\"title\": 1}"] {
            assert!(!is_ris(text), "{text}");
        }
    }
}

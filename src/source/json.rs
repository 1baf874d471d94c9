//! The records of JSON documents, one at a time, so that memory does not grow with a document.
//!
//! A document is a list of records, or an object that holds such a list under a known name, or one record. Documents may follow one
//! another, as in JSON lines. What is between a record's braces is its reader's matter: one that is broken does not break the others.

use std::io::BufRead;

use super::metered::LARGEST;
use super::{Failure, Item};
use crate::error::{Error, Result};
use crate::paper::Paper;

/// Names of lists are not longer.
const LONGEST_NAME: usize = 64;
/// The levels on which names of lists are.
const LEVELS: usize = 2;

/// The names that lead to the list of records in a document.
pub(super) type Path = &'static [&'static str];

/// Reads every record with `paper`; what is an answer without papers is none.
pub(super) fn records<'a>(
    origin: &str,
    input: impl BufRead + 'a,
    lists: &'static [Path],
    paper: impl Fn(&[u8]) -> Result<Option<Paper>, String> + 'a,
) -> impl Iterator<Item = Result<Item>> + 'a {
    let (origin, mut number) = (origin.to_owned(), 0u64);
    let mut splitter = Splitter { input, lists, state: State::default(), is_over: false };
    std::iter::from_fn(move || {
        loop {
            let piece = match splitter.next().map_err(|e| Error::io("cannot read", origin.as_ref(), e)).transpose()? {
                Ok(piece) => piece,
                Err(error) => return Some(Err(error)),
            };
            let paper = match piece {
                Piece::Record(bytes) => paper(&bytes),
                Piece::Fault(reason) => Err(reason),
            };
            number += 1;
            let place = || format!("{origin}: record {number}");
            match paper {
                Err(reason) if splitter.is_over => return Some(Ok(Item::Lost(Failure { place: place(), reason }))),
                Ok(Some(paper)) => return Some(Ok(Item::Paper(Box::new(paper)))),
                Ok(None) => number -= 1,
                Err(reason) => return Some(Ok(Item::Failed(Failure { place: place(), reason }))),
            }
        }
    })
}

/// The first record of a text, as far as it is there.
pub(super) fn first(text: &[u8], lists: &'static [Path]) -> Option<Vec<u8>> {
    let mut splitter = Splitter { input: text, lists, state: State::default(), is_over: false };
    loop {
        match splitter.next() {
            Ok(Some(Piece::Record(record))) => return Some(record),
            Ok(Some(Piece::Fault(_))) if !splitter.is_over => {}
            _ => return None,
        }
    }
}

/// A part of a document.
#[derive(Debug, PartialEq)]
enum Piece {
    Record(Vec<u8>),
    /// No record, and why.
    Fault(String),
}

struct Splitter<R> {
    input: R,
    lists: &'static [Path],
    state: State,
    /// The input ended.
    is_over: bool,
}

/// Where in a document the reading is.
#[derive(Default)]
struct State {
    /// Braces and brackets that are open.
    depth: usize,
    /// The depth of the records in the list that is open.
    list: Option<usize>,
    /// A list was found in this document, so that its outermost object is no record.
    has_list: bool,
    /// The depth at which the record that is being read began, and what of it was read.
    begun: Option<usize>,
    record: Vec<u8>,
    /// The last name on each level.
    names: [Vec<u8>; LEVELS],
    in_string: bool,
    is_escaped: bool,
    string: Vec<u8>,
    /// Something that is no record was told already.
    is_stray: bool,
    /// The two bytes before, and the last one before the line that is no space.
    before: [u8; 2],
    line_before: u8,
}

impl<R: BufRead> Splitter<R> {
    fn next(&mut self) -> std::io::Result<Option<Piece>> {
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                let is_open = self.state.depth > 0 || self.state.in_string;
                self.state = State::default();
                self.is_over = true;
                return Ok(is_open.then(|| Piece::Fault("the JSON is cut off".to_owned())));
            }
            let (taken, piece) = self.state.take(bytes, self.lists);
            self.input.consume(taken);
            if piece.is_some() {
                return Ok(piece);
            }
        }
    }
}

impl State {
    /// Reads to the end of the next piece, or of the bytes; returns how many it read.
    fn take(&mut self, bytes: &[u8], lists: &[Path]) -> (usize, Option<Piece>) {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string && !self.is_escaped {
                let plain = bytes[at..].iter().position(|b| matches!(b, b'"' | b'\\' | b'\n')).unwrap_or(bytes.len() - at);
                self.in_string_bytes(&bytes[at..at + plain]);
                at += plain;
                if at == bytes.len() {
                    break;
                }
            }
            let piece = self.byte(bytes[at], lists);
            if bytes[at] == b'\n' && !self.before[1].is_ascii_whitespace() {
                self.line_before = self.before[1];
            }
            self.before = [self.before[1], bytes[at]];
            at += 1;
            if piece.is_some() {
                return (at, piece);
            }
        }
        (at, None)
    }

    fn in_string_bytes(&mut self, bytes: &[u8]) {
        if self.depth <= LEVELS && self.string.len() < LONGEST_NAME {
            self.string.extend_from_slice(&bytes[..bytes.len().min(LONGEST_NAME)]);
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.begun.is_some() && self.record.len() <= LARGEST {
            self.record.extend_from_slice(bytes);
        }
    }

    fn byte(&mut self, byte: u8, lists: &[Path]) -> Option<Piece> {
        if self.in_string {
            return self.byte_of_string(byte);
        }
        match byte {
            b'"' => {
                let piece = self.lost_brace().or_else(|| self.stray());
                (self.in_string, self.is_escaped) = (true, false);
                self.string.clear();
                self.keep(b"\"");
                return piece;
            }
            b'{' | b'[' => self.open(byte, lists),
            b'}' | b']' => return self.close(byte),
            b':' if (1..=LEVELS).contains(&self.depth) => self.names[self.depth - 1].clone_from(&self.string),
            b',' | b' ' | b'\t' | b'\r' | b'\n' | b':' => self.is_stray &= !matches!(byte, b',' | b'\n'),
            _ => {
                let piece = self.stray();
                self.keep(&[byte]);
                return piece;
            }
        }
        if !matches!(byte, b'{' | b'[') {
            self.keep(&[byte]);
        }
        None
    }

    fn byte_of_string(&mut self, byte: u8) -> Option<Piece> {
        self.keep(&[byte]);
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => self.in_string = false,
            // No text of JSON goes over the end of a line; of lines, the next is sound again.
            b'\n' if self.begun == Some(0) || self.depth == 0 => {
                *self = Self::default();
                return Some(Piece::Fault("the JSON is cut off at the end of the line".to_owned()));
            }
            _ => {}
        }
        None
    }

    /// A line that begins with `{"` within an object, where none may, is another record: the one before was cut off.
    fn lost_brace(&mut self) -> Option<Piece> {
        let may_be_inside = matches!(self.line_before, b'[' | b',' | b':');
        if self.before != *b"\n{" || self.begun != Some(0) || self.depth < 2 || may_be_inside {
            return None;
        }
        *self = Self { depth: 1, begun: Some(0), record: b"{".to_vec(), ..Self::default() };
        Some(Piece::Fault("the JSON is cut off at the end of the line".to_owned()))
    }

    /// What stands where a record may and is none is told once.
    fn stray(&mut self) -> Option<Piece> {
        let is_place = self.begun.is_none() && (self.depth == 0 || self.list == Some(self.depth));
        if !is_place || std::mem::replace(&mut self.is_stray, true) {
            return None;
        }
        Some(Piece::Fault("not valid JSON for a paper: expected an object".to_owned()))
    }

    fn open(&mut self, byte: u8, lists: &[Path]) {
        self.is_stray = false;
        if byte == b'[' && self.is_list(lists) {
            self.list = Some(self.depth + 1);
            self.has_list = true;
            self.begun = None;
            self.record = Vec::new();
        } else if self.begun.is_none() && (self.depth == 0 || self.list == Some(self.depth)) {
            self.begun = Some(self.depth);
            self.record.clear();
        }
        self.keep(&[byte]);
        self.depth += 1;
    }

    /// True if the list that begins here is one of records.
    fn is_list(&self, lists: &[Path]) -> bool {
        match self.depth {
            0 => true,
            depth => {
                let is_outermost = self.begun == Some(0) || self.has_list && self.list.is_none();
                let named = |path: &Path| path.len() == depth && path.iter().zip(&self.names).all(|(name, own)| name.as_bytes() == own);
                is_outermost && lists.iter().any(named)
            }
        }
    }

    fn close(&mut self, byte: u8) -> Option<Piece> {
        self.keep(&[byte]);
        let Some(depth) = self.depth.checked_sub(1) else { return self.stray() };
        self.depth = depth;
        if self.list == Some(depth + 1) {
            self.list = None;
        }
        if depth == 0 {
            self.has_list = false;
            self.is_stray = false;
        }
        if self.begun != Some(depth) {
            return None;
        }
        self.begun = None;
        let record = std::mem::take(&mut self.record);
        Some(match record.len() {
            0..=LARGEST => Piece::Record(record),
            _ => Piece::Fault(format!("the record is longer than {} MiB", LARGEST >> 20)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The records of a text, read in pieces of every size: `!` stands for a fault.
    fn split(text: &str, lists: &'static [Path]) -> Vec<String> {
        let read = |size| {
            let input = std::io::BufReader::with_capacity(size, text.as_bytes());
            let mut splitter = Splitter { input, lists, state: State::default(), is_over: false };
            let pieces = std::iter::from_fn(move || splitter.next().unwrap());
            let shown = pieces.map(|piece| match piece {
                Piece::Record(bytes) => String::from_utf8(bytes).unwrap(),
                Piece::Fault(_) => "!".to_owned(),
            });
            shown.collect::<Vec<_>>()
        };
        let whole = read(1 << 16);
        assert_eq!(read(1), whole);
        assert_eq!(read(3), whole);
        whole
    }

    #[test]
    fn records_are_cut_out_of_every_kind_of_document() {
        const LISTS: &[Path] = &[&["data"], &["message", "items"]];
        let cases: [(&str, &[&str]); 15] = [
            (r#"[{"a": 1}, {"b": "x]}\"{"}]"#, &[r#"{"a": 1}"#, r#"{"b": "x]}\"{"}"#]),
            ("{\"a\": 1}\n{\"b\": {\"data\": [2]}}", &[r#"{"a": 1}"#, r#"{"b": {"data": [2]}}"#]),
            (r#"{"total": 2, "data": [{"a": [{}]}, {"b": 2}], "next": {"data": [{}]}} {"c": 3}"#, &[r#"{"a": [{}]}"#, r#"{"b": 2}"#, r#"{"c": 3}"#]),
            (r#"{"message": {"items": [{"a": 1}], "n": 1}}"#, &[r#"{"a": 1}"#]),
            (r#"{"items": [{"a": 1}]}"#, &[r#"{"items": [{"a": 1}]}"#]),
            (r#"{"message": {"a": 1}}"#, &[r#"{"message": {"a": 1}}"#]),
            (r#"[1, "x", {"a": 1}, null, [2]]"#, &["!", "!", r#"{"a": 1}"#, "!", "[2]"]),
            (r#"[{"a": 1}, {"b": "#, &[r#"{"a": 1}"#, "!"]),
            ("{\"t\": 1, \"b\": [\n{\"c\": 3},\n{\"d\": 4}]}", &["{\"t\": 1, \"b\": [\n{\"c\": 3},\n{\"d\": 4}]}"]),
            ("{\"a\": 1}\n{\"b\": [1\n{\"c\": 3}\n{\"d\": \"x\n{\"e\": 5}\n", &[r#"{"a": 1}"#, "!", r#"{"c": 3}"#, "!", r#"{"e": 5}"#]),
            ("}]{\"a\": 1}", &["!", r#"{"a": 1}"#]),
            ("", &[]),
            ("[]", &[]),
            ("[[], {}]", &["[]", "{}"]),
            ("hello world\n{\"a\": 1}", &["!", r#"{"a": 1}"#]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text, LISTS), expected, "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), "[a-z\"\\\\{}\\[\\]:,\n é]{0,12}".prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let object = prop::collection::vec(("[a-z{}\"]{1,6}", inner.clone()), 0..4).prop_map(|pairs| pairs.into_iter().collect::<Value>());
            prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::from), object]
        })
    }

    proptest! {
        /// Whatever is in them and however they are written, records are cut where a reader of the whole cuts them.
        #[test]
        fn records_are_those_of_the_whole(values in prop::collection::vec(value(), 0..5), is_pretty: bool, form in 0..3) {
            let records: Vec<Value> = values.into_iter().map(|value| json!({"k": value})).collect();
            let write = |value: &Value| if is_pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap();
            let text = match form {
                0 => write(&Value::from(records.clone())),
                1 => write(&json!({"before": {"data": 1}, "data": records, "after": [{"x": 2}]})),
                _ => records.iter().map(|record| write(record) + "\n").collect(),
            };
            let found: Vec<Value> = split(&text, &[&["data"]]).iter().map(|record| serde_json::from_str(record).unwrap()).collect();
            prop_assert_eq!(found, records, "{}", text);
        }
    }

    #[test]
    fn a_record_without_end_is_not_kept() {
        let long = format!("[{{\"a\": \"{}\"}}, {{\"b\": 1}}]", "x".repeat(LARGEST));
        assert_eq!(split_once(&long), ["!", r#"{"b": 1}"#]);
    }

    fn split_once(text: &str) -> Vec<String> {
        let mut splitter = Splitter { input: text.as_bytes(), lists: &[], state: State::default(), is_over: false };
        let pieces = std::iter::from_fn(move || splitter.next().unwrap());
        pieces.map(|piece| if let Piece::Record(bytes) = piece { String::from_utf8(bytes).unwrap() } else { "!".to_owned() }).collect()
    }
}

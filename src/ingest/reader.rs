//! The thread that reads: inputs to groups of records.
//!
//! It runs ahead of the embedder by as many groups as the channel holds, and then waits: groups are bounded in records and
//! in bytes, so that memory is bounded however long the input is and however fast it comes. When nobody takes groups any
//! more it ends at the next one.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::SyncSender;

use super::{CHUNK, CHUNK_WITHOUT_VECTORS, Embed, Input, Options, Report};
use crate::error::{Error, Result};
use crate::library::Record;
use crate::paper::{Paper, PaperId};
use crate::source::{self, Archive, Failure, Item};

/// Bytes of text in a group: only records far beyond any abstract reach it before there are [`CHUNK`] of them.
const GROUP_BYTES: usize = 1 << 20;

/// Failures beyond these are counted but not told.
const FAILURES_TOLD: usize = 100;

/// Records that were read one after the other.
#[derive(Default)]
pub(super) struct Group {
    pub(super) records: Vec<Record>,
    /// How many were read until here, with those that failed.
    pub(super) read: u64,
}

/// Reads all inputs, and reports what it found in them; what became of the records it does not know.
///
/// What was read before an error is sent.
pub(super) fn read(inputs: Vec<Input>, options: &Options, groups: SyncSender<Group>) -> Result<Report> {
    let mut reader = Reader { options, is_whole: true, expected: None, groups, open: Group::default(), bytes: 0, report: Report::default() };
    let read = reader.read_all(inputs);
    reader.send()?;
    read.map(|()| reader.report)
}

struct Reader<'a> {
    options: &'a Options,
    /// Nothing of the input was lost so far.
    is_whole: bool,
    /// Of the pages that are read.
    expected: Option<source::Format>,
    groups: SyncSender<Group>,
    open: Group,
    /// Those of the open group.
    bytes: usize,
    report: Report,
}

impl Reader<'_> {
    fn read_all(&mut self, inputs: Vec<Input>) -> Result<()> {
        let is_only_one = inputs.len() == 1;
        for (number, input) in inputs.into_iter().enumerate() {
            self.is_whole = true;
            let read = if self.is_enough() { Ok(()) } else { self.read(input) };
            if read.is_err() || !self.is_whole || self.is_enough() {
                self.report.incomplete.push(number);
            }
            match read {
                Ok(()) => {}
                Err(
                    error @ (Error::UnknownFormat { .. }
                    | Error::Unreadable { .. }
                    | Error::NoPapers { .. }
                    | Error::Io { .. }
                    | Error::Network { .. }),
                ) if !is_only_one => self.input_failed(&error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read(&mut self, input: Input) -> Result<()> {
        match input {
            Input::Stream(origin, stream) => self.read_once(&origin, buffered(stream)),
            Input::Pages(origin, expected, mut pages) => {
                self.expected = expected;
                let mut read = Ok(());
                while let Some(page) = if read.is_ok() && !self.is_enough() { pages.next() } else { None } {
                    read = page.and_then(|page| self.read_once(&origin, buffered(page)));
                }
                self.expected = None;
                read
            }
            Input::File(path) if path.is_dir() => self.read_directory(&path),
            Input::File(path) => {
                let open = || File::open(&path).map_err(|e| Error::io("cannot open", &path, e));
                let (place, mut file) = (path.to_string_lossy(), buffered(open()?));
                match Archive::is_one(&place, &mut file)? {
                    true => self.read_archive(&place, Archive::open(&place, open()?)?),
                    false => self.read_stream(&place, &file_name(&path), file),
                }
            }
        }
    }

    /// Reads what cannot be read twice.
    fn read_once(&mut self, origin: &str, mut stream: impl BufRead) -> Result<()> {
        match Archive::is_one(origin, &mut stream)? {
            true => self.read_archive(origin, Archive::open_stream(origin, stream)?),
            false => self.read_stream(origin, origin, stream),
        }
    }

    /// Reads every file below, by name; what is not papers is counted and passed over.
    fn read_directory(&mut self, directory: &Path) -> Result<()> {
        let is_hidden = |entry: &walkdir::DirEntry| entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        let walk = walkdir::WalkDir::new(directory).sort_by_file_name().into_iter().filter_entry(|entry| !is_hidden(entry));
        let mut found = Found::default();
        for entry in walk {
            let entry = entry.map_err(|e| Error::io("cannot list", directory, e.into()))?;
            if entry.path().is_file() && !self.is_enough() {
                let read = self.read(Input::File(entry.into_path()));
                self.found(read, &mut found)?;
            }
        }
        found.or_none(&directory.to_string_lossy())
    }

    /// [`Reader::read_directory`] for what is packed in one file.
    fn read_archive(&mut self, place: &str, mut archive: Archive) -> Result<()> {
        let mut found = Found::default();
        for number in 0..archive.len() {
            let read = match archive.entry(number) {
                Ok(None) => continue,
                _ if self.is_enough() => break,
                Ok(Some((name, entry))) => self.read_stream(&format!("{place}/{name}"), &file_name(name.as_ref()), buffered(entry)),
                Err(error) => Err(error),
            };
            self.found(read, &mut found)?;
        }
        found.or_none(place)
    }

    /// Counts one of many files.
    fn found(&mut self, read: Result<()>, found: &mut Found) -> Result<()> {
        found.files += 1;
        match read {
            Ok(()) => found.read += 1,
            // Of a directory within an archive, or the other way round.
            Err(Error::UnknownFormat { .. } | Error::NoPapers { .. }) => self.report.skipped_files += 1,
            Err(error @ (Error::Unreadable { .. } | Error::Io { .. })) => {
                found.failed += 1;
                self.input_failed(&error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn read_stream(&mut self, place: &str, origin: &str, stream: impl BufRead) -> Result<()> {
        let options = source::Options { expected: self.expected, ..self.options.source.clone() };
        let reader = source::open(place, stream, &options)?;
        let format = reader.format.name();
        self.report.inputs += 1;
        for item in reader {
            match item? {
                Item::Paper(paper) => self.take(Record { paper: *paper, format: format.to_owned(), origin: origin.to_owned() })?,
                Item::Note(note) => self.report.notes.push(note),
                Item::Deleted(_) => {
                    self.report.read += 1;
                    self.report.deleted += 1;
                }
                Item::Lost(failure) => {
                    self.report.read += 1;
                    self.report.failed += 1;
                    self.is_whole = false;
                    self.tell(failure);
                }
                Item::Failed(failure) => {
                    self.report.read += 1;
                    self.report.failed += 1;
                    self.tell(failure);
                }
            }
            if self.is_enough() {
                break;
            }
        }
        Ok(())
    }

    /// As many records as were asked for.
    fn is_enough(&self) -> bool {
        self.options.limit.is_some_and(|limit| self.report.read >= limit)
    }

    fn input_failed(&mut self, error: &Error) {
        self.report.failed_inputs += 1;
        self.tell(Failure { place: String::new(), reason: error.to_string() });
    }

    fn tell(&mut self, failure: Failure) {
        if self.report.failures.len() < FAILURES_TOLD {
            self.report.failures.push(failure);
        }
    }

    fn take(&mut self, record: Record) -> Result<()> {
        self.report.read += 1;
        self.bytes += bytes(&record.paper);
        self.open.records.push(record);
        let most = if self.options.embed == Embed::Nothing { CHUNK_WITHOUT_VECTORS } else { CHUNK };
        if self.open.records.len() >= most || self.bytes >= GROUP_BYTES { self.send() } else { Ok(()) }
    }

    /// Waits for a place in the channel. If the other end is gone the run has ended, and its end knows why.
    fn send(&mut self) -> Result<()> {
        let group = Group { read: self.report.read, ..std::mem::take(&mut self.open) };
        self.bytes = 0;
        self.groups.send(group).map_err(|_| Error::Interrupted)
    }
}

/// Files of a directory or an archive.
#[derive(Default)]
struct Found {
    files: usize,
    read: usize,
    failed: usize,
}

impl Found {
    /// None of them held papers, or could have.
    fn or_none(&self, origin: &str) -> Result<()> {
        if self.read + self.failed == 0 { Err(Error::NoPapers { origin: origin.to_owned(), files: self.files }) } else { Ok(()) }
    }
}

fn buffered<R: Read>(stream: R) -> BufReader<R> {
    BufReader::with_capacity(1 << 16, stream)
}

/// The name by which a file's records are told from those of others; the directory may move.
fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
}

/// What may be long in a record.
fn bytes(paper: &Paper) -> usize {
    let ids = paper.ids.iter().map(|(PaperId::Arxiv(id) | PaperId::Doi(id) | PaperId::Given(id) | PaperId::Title(id))| id);
    let texts = ids.chain(&paper.authors).chain(&paper.categories).chain(&paper.url).chain([&paper.title, &paper.abstract_text]);
    texts.map(|text| text.len() + size_of::<String>()).sum()
}

//! The thread that reads: inputs to groups of records.
//!
//! It runs ahead of the embedder by as many groups as the channel holds, and then waits: groups are bounded in records and
//! in bytes, so that memory is bounded however long the input is and however fast it comes. When nobody takes groups any
//! more it ends at the next one.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::mpsc::SyncSender;

use super::{CHUNK, Input, Report};
use crate::error::{Error, Result};
use crate::library::Record;
use crate::paper::{Paper, PaperId};
use crate::source::{self, Failure, Item};

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
pub(super) fn read(inputs: Vec<Input>, options: &source::Options, groups: SyncSender<Group>) -> Result<Report> {
    let mut reader = Reader { options, groups, open: Group::default(), bytes: 0, report: Report::default() };
    let read = reader.read_all(inputs);
    reader.send()?;
    read.map(|()| reader.report)
}

struct Reader<'a> {
    options: &'a source::Options,
    groups: SyncSender<Group>,
    open: Group,
    /// Those of the open group.
    bytes: usize,
    report: Report,
}

impl Reader<'_> {
    fn read_all(&mut self, inputs: Vec<Input>) -> Result<()> {
        let is_only_one = inputs.len() == 1;
        for input in inputs {
            match self.read(input) {
                Ok(()) => {}
                Err(error @ (Error::UnknownFormat { .. } | Error::Unreadable { .. } | Error::NoPapers { .. } | Error::Io { .. })) if !is_only_one => {
                    self.input_failed(&error)
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read(&mut self, input: Input) -> Result<()> {
        match input {
            Input::Stream(origin, stream) => self.read_stream(&origin, &origin, stream),
            Input::File(path) if path.is_dir() => self.read_directory(&path),
            Input::File(path) => {
                let file = File::open(&path).map_err(|e| Error::io("cannot open", &path, e))?;
                self.read_stream(&path.to_string_lossy(), &file_name(&path), file)
            }
        }
    }

    /// Reads every file below, by name; what is not papers is counted and passed over.
    fn read_directory(&mut self, directory: &Path) -> Result<()> {
        let is_hidden = |entry: &walkdir::DirEntry| entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        let walk = walkdir::WalkDir::new(directory).sort_by_file_name().into_iter().filter_entry(|entry| !is_hidden(entry));
        let (mut files, mut read, failed_before) = (0, 0, self.report.failed_inputs);
        for entry in walk {
            let entry = entry.map_err(|e| Error::io("cannot list", directory, e.into()))?;
            if !entry.path().is_file() {
                continue;
            }
            files += 1;
            match self.read(Input::File(entry.into_path())) {
                Ok(()) => read += 1,
                Err(Error::UnknownFormat { .. }) => self.report.skipped_files += 1,
                Err(error @ (Error::Unreadable { .. } | Error::Io { .. })) => self.input_failed(&error),
                Err(error) => return Err(error),
            }
        }
        if read == 0 && self.report.failed_inputs == failed_before {
            Err(Error::NoPapers { origin: directory.display().to_string(), files })
        } else {
            Ok(())
        }
    }

    fn read_stream(&mut self, place: &str, origin: &str, stream: impl std::io::Read) -> Result<()> {
        let reader = source::open(place, BufReader::with_capacity(1 << 16, stream), self.options)?;
        let format = reader.format.name();
        self.report.inputs += 1;
        for item in reader {
            match item? {
                Item::Paper(paper) => self.take(Record { paper: *paper, format: format.to_owned(), origin: origin.to_owned() })?,
                Item::Note(note) => self.report.notes.push(note),
                Item::Failed(failure) => {
                    self.report.read += 1;
                    self.report.failed += 1;
                    self.tell(failure);
                }
            }
        }
        Ok(())
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
        if self.open.records.len() >= CHUNK || self.bytes >= GROUP_BYTES { self.send() } else { Ok(()) }
    }

    /// Waits for a place in the channel. If the other end is gone the run has ended, and its end knows why.
    fn send(&mut self) -> Result<()> {
        let group = Group { read: self.report.read, ..std::mem::take(&mut self.open) };
        self.bytes = 0;
        self.groups.send(group).map_err(|_| Error::Interrupted)
    }
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

//! From sources through the embedder into the library, a chunk at a time.
//!
//! Each chunk is one transaction, so that whatever ends the run keeps all chunks before. A text that the library knows is
//! not embedded again, and the model's weights are loaded only when the first text needs them. Everything read is counted in a
//! [`Report`]: `read` is the sum of `new`, `merged`, `updated`, `unchanged` and `failed`.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::embed::{Compute, Embedder, Model, Role};
use crate::error::{Error, Result};
use crate::library::{Library, Outcome, PaperRow, Plan, Record, by_hash, names};
use crate::paper::TextHash;
use crate::source::{self, Failure, Item};
use crate::vector::{Space, Vectors};

/// Records a transaction. More would make an interruption lose more, fewer would sync more often.
const CHUNK: usize = 16;

/// How to add.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What readers are told.
    pub source: source::Options,
    /// Which papers get a vector.
    pub embed: Embed,
    /// The time of the run, kept with new papers.
    pub now: String,
}

/// Which papers get a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Embed {
    /// Those with an abstract.
    #[default]
    Abstracts,
    /// All; without an abstract, by the title.
    Titles,
    /// None: they are only to be listed.
    Nothing,
}

/// Something to read.
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input, or any other stream, with its name in messages.
    Stream(String, Box<dyn std::io::Read>),
}

/// What was read and what became of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Inputs read.
    pub inputs: u64,
    /// Records read.
    pub read: u64,
    /// Different papers among them.
    pub papers: u64,
    /// Papers that the library did not have.
    pub new: u64,
    /// Records that told more of a paper from another source, in this run or before.
    pub merged: u64,
    /// Papers of which their source says something else than before.
    pub updated: u64,
    /// Papers about which nothing is new.
    pub unchanged: u64,
    /// Texts embedded.
    pub embedded: u64,
    /// Different papers of which no abstract was told.
    pub without_abstract: u64,
    /// Records that are no papers.
    pub failed: u64,
    /// The first of them, and whole inputs that could not be read.
    pub failures: Vec<Failure>,
    /// Inputs that could not be read at all.
    pub failed_inputs: u64,
    /// Files in directories that hold nothing paperkin reads.
    pub skipped_files: u64,
    /// What a reader had to guess.
    pub notes: Vec<String>,
}

/// Failures beyond these are counted but not told.
const FAILURES_TOLD: usize = 100;

/// How far an addition is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Records committed.
    pub read: u64,
    /// Texts embedded.
    pub embedded: u64,
}

/// A model that is loaded when it is first needed.
pub struct LazyEmbedder {
    space: Space,
    state: State,
    compute: Compute,
}

enum State {
    Waiting(Option<Box<Model>>),
    Loaded(Box<Embedder>),
}

impl LazyEmbedder {
    /// Nothing is loaded yet.
    pub fn new(model: Model, compute: Compute) -> Self {
        Self { space: model.space().clone(), state: State::Waiting(Some(Box::new(model))), compute }
    }

    /// The space of the vectors, before or after loading.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The embedder, loaded now if it was not.
    ///
    /// # Errors
    ///
    /// As [`Embedder::load`].
    pub fn get(&mut self) -> Result<&Embedder> {
        if let State::Waiting(model) = &mut self.state {
            let model = model.take().ok_or_else(|| Error::usage("the model could not be loaded before"))?;
            let embedder = Embedder::load(*model, self.compute)?;
            self.space = embedder.space().clone();
            self.state = State::Loaded(Box::new(embedder));
        }
        match &self.state {
            State::Loaded(embedder) => Ok(embedder),
            State::Waiting(_) => Err(Error::usage("the model could not be loaded before")),
        }
    }
}

/// Adds every paper of the inputs to the library.
///
/// An input that cannot be read is reported, and the others go on. `progress` is called after every chunk, and may break.
///
/// # Errors
///
/// [`Error::OtherModel`] before anything is read; [`Error::Interrupted`]; whatever stops the store or the encoder. What was
/// committed stays. If there is only one input and it cannot be read, its error.
pub fn add(
    library: &mut Library,
    embedder: &mut LazyEmbedder,
    inputs: Vec<Input>,
    options: &Options,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report> {
    library.require_space(embedder.space())?;
    let mut run =
        Run { library, embedder, options, progress, report: Report::default(), seen: HashSet::new(), chunk: Vec::new(), names: HashMap::new() };
    let is_only_one = inputs.len() == 1;
    for input in inputs {
        match run.read(input) {
            Ok(()) => {}
            Err(error @ (Error::UnknownFormat { .. } | Error::Unreadable { .. } | Error::NoPapers { .. } | Error::Io { .. })) if !is_only_one => {
                run.input_failed(&error)
            }
            Err(error) => return Err(error),
        }
    }
    run.flush()?;
    Ok(run.report)
}

struct Run<'a> {
    library: &'a mut Library,
    embedder: &'a mut LazyEmbedder,
    options: &'a Options,
    progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    report: Report,
    /// The papers that this run has touched.
    seen: HashSet<PaperRow>,
    chunk: Vec<Record>,
    /// The names of the chunk's records, each with the hash of the text it stands for.
    names: HashMap<String, TextHash>,
}

impl Run<'_> {
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
        let reader = source::open(place, BufReader::with_capacity(1 << 16, stream), &self.options.source)?;
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

    /// Two records that may be one paper, with different texts, go into different chunks, so that the plan for the
    /// second is made when the first is in the library.
    fn take(&mut self, record: Record) -> Result<()> {
        self.report.read += 1;
        let hash = record.paper.text_hash();
        let names = names(&record.paper);
        let meets_other_text = names.iter().any(|name| self.names.get(name).is_some_and(|other| *other != hash));
        if meets_other_text || self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        self.names.extend(names.into_iter().map(|name| (name, hash)));
        self.chunk.push(record);
        Ok(())
    }

    /// Embeds and commits the chunk.
    fn flush(&mut self) -> Result<()> {
        let records = std::mem::take(&mut self.chunk);
        self.names.clear();
        if !records.is_empty() {
            let vectors = self.embed(&records)?;
            let outcomes = self.library.commit(&records, &vectors, self.embedder.space(), &self.options.now)?;
            for (record, (row, outcome)) in records.iter().zip(outcomes) {
                self.count(record, row, outcome);
            }
        }
        let progress = Progress { read: self.report.read, embedded: self.report.embedded };
        if (self.progress)(progress).is_break() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// The vectors that the records need, by the hash of their text.
    fn embed(&mut self, records: &[Record]) -> Result<HashMap<TextHash, Vec<f32>>> {
        if self.options.embed == Embed::Nothing {
            return Ok(HashMap::new());
        }
        let title_only = self.options.embed == Embed::Titles;
        let mut texts: Vec<(TextHash, String)> = Vec::new();
        let mut asked = HashSet::new();
        for record in records {
            if let Plan::Vector(hash) = self.library.plan(record, title_only)?
                && asked.insert(hash)
            {
                texts.push((hash, record.paper.embedding_text()));
            }
        }
        if texts.is_empty() {
            return Ok(HashMap::new());
        }
        let (hashes, texts): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors: Vectors = self.embedder.get()?.embed(&texts, Role::Document)?;
        self.report.embedded += texts.len() as u64;
        Ok(by_hash(&hashes, &vectors))
    }

    fn count(&mut self, record: &Record, row: PaperRow, outcome: Outcome) {
        let is_first = self.seen.insert(row);
        self.report.papers += u64::from(is_first);
        self.report.without_abstract += u64::from(is_first && record.paper.abstract_text.is_empty());
        let counter = match outcome {
            _ if !is_first => &mut self.report.merged,
            Outcome::New => &mut self.report.new,
            Outcome::Merged => &mut self.report.merged,
            Outcome::Updated => &mut self.report.updated,
            Outcome::Unchanged => &mut self.report.unchanged,
        };
        *counter += 1;
    }
}

/// The name by which a file's records are told from those of others; the directory may move.
fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
}

/// Embeds every paper of the library with the model of `embedder`, beside the old vectors, and swaps when all are done.
/// An interrupted run goes on where it stopped. Returns how many were embedded now.
///
/// # Errors
///
/// [`Error::Interrupted`], and whatever stops the store or the encoder; then the old vectors answer as before.
pub fn reindex(library: &mut Library, embedder: &mut LazyEmbedder, progress: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<u64> {
    embedder.get()?;
    let mut done = 0;
    loop {
        let pending = library.pending(embedder.space(), CHUNK)?;
        if pending.is_empty() {
            break;
        }
        let texts: Vec<&str> = pending.iter().map(|paper| paper.text.as_str()).collect();
        let vectors = embedder.get()?.embed(&texts, Role::Document)?;
        library.keep_next(&pending, &vectors, embedder.space())?;
        done += pending.len() as u64;
        if progress(done).is_break() {
            return Err(Error::Interrupted);
        }
    }
    library.swap_vectors(embedder.space())?;
    Ok(done)
}

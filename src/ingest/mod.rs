//! From sources through the embedder into the library, a chunk at a time.
//!
//! ```text
//! inputs ─ reader ─▶ groups of records ─ writer ─▶ chunks ─ in_flight ─▶ vectors ─ writer ─▶ commits
//!          a thread                      the caller         a thread each          the caller
//! ```
//!
//! Reading, embedding and committing overlap, and each waits for the next where it is the faster: at any time there are no
//! more records in memory than in a handful of groups. Each chunk is one transaction, and they are committed in
//! the order of the input, so that whatever ends the run keeps all chunks before. A text that the library knows is
//! not embedded again, and the model's weights are loaded only when the first text needs them. Everything read is counted in a
//! [`Report`]: `read` is the sum of `new`, `merged`, `updated`, `unchanged`, `deleted` and `failed`.
//!
//! | file | what it does |
//! |---|---|
//! | `reader` | inputs to groups of records |
//! | `writer` | which record waits for which, what is embedded, commits and counts |
//! | `in_flight` | jobs on threads, back in order |

mod in_flight;
mod reader;
mod writer;

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;

use serde::Serialize;

use crate::embed::{Compute, Embedder, Model, Role};
use crate::error::{Error, Result};
use crate::library::Library;
use crate::source::{self, Failure};
use crate::vector::{Space, Vectors};
use in_flight::InFlight;
use writer::Writer;

/// Records a transaction, at most. More would make a kill lose more and an interruption wait longer, fewer would sync more often.
pub const CHUNK: usize = 32;
/// The same where nothing is embedded, which is what a kill would lose most of.
pub const CHUNK_WITHOUT_VECTORS: usize = 1024;

/// Groups that the reader may be ahead, beside the one that it fills.
const GROUPS_AHEAD: usize = 1;

/// How to add.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What readers are told.
    pub source: source::Options,
    /// Which papers get a vector.
    pub embed: Embed,
    /// Records to read at most.
    pub limit: Option<u64>,
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

/// Documents, or what keeps the next one from coming.
pub type Pages = Box<dyn Iterator<Item = Result<Box<dyn std::io::Read + Send>>> + Send>;

/// Something to read.
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input, or any other stream, with its name in messages.
    Stream(String, Box<dyn std::io::Read + Send>),
    /// Documents that come one after the other, as a server gives a long answer, with their name in messages, and the format that they
    /// are likely in.
    Pages(String, Option<source::Format>, Pages),
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
    /// Records that say no more than that their source no longer has a paper.
    pub deleted: u64,
    /// Records that are no papers.
    pub failed: u64,
    /// The first of them, and whole inputs that could not be read.
    pub failures: Vec<Failure>,
    /// Inputs that could not be read at all.
    pub failed_inputs: u64,
    /// The numbers, from 0, of inputs of which something was not read: what could not be, or what was not asked for.
    #[serde(skip)]
    pub incomplete: Vec<usize>,
    /// Files in directories that hold nothing paperkin reads.
    pub skipped_files: u64,
    /// What a reader had to guess.
    pub notes: Vec<String>,
}

/// How far an addition is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Records that were read, and then committed or found to be no papers.
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
    Loaded(Arc<Embedder>),
}

impl LazyEmbedder {
    /// Nothing is loaded yet.
    pub fn new(model: Model, compute: Compute) -> Self {
        Self { space: model.space_with(&compute), state: State::Waiting(Some(Box::new(model))), compute }
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
        self.loaded().map(Arc::as_ref)
    }

    /// The same for another thread.
    fn shared(&mut self) -> Result<Arc<Embedder>> {
        self.loaded().cloned()
    }

    fn loaded(&mut self) -> Result<&Arc<Embedder>> {
        if let State::Waiting(model) = &mut self.state {
            let model = model.take().ok_or_else(|| Error::usage("the model could not be loaded before"))?;
            let embedder = Embedder::load(*model, self.compute)?;
            self.space = embedder.space().clone();
            self.state = State::Loaded(Arc::new(embedder));
        }
        match &self.state {
            State::Loaded(embedder) => Ok(embedder),
            State::Waiting(_) => Err(Error::usage("the model could not be loaded before")),
        }
    }
}

/// Adds every paper of the inputs to the library.
///
/// An input that cannot be read is reported, and the others go on. `progress` is called after every chunk, and while an input
/// keeps everyone waiting, and may break.
///
/// # Errors
///
/// [`Error::OtherModel`] before anything is read; [`Error::Interrupted`]; whatever stops the store or the encoder. What was
/// committed stays. If there is only one input and it cannot be read, its error; what was read of it before is committed.
pub fn add(
    library: &mut Library,
    embedder: &mut LazyEmbedder,
    inputs: Vec<Input>,
    options: &Options,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report> {
    library.require_space(embedder.space())?;
    let (sender, groups) = mpsc::sync_channel(GROUPS_AHEAD);
    let for_reader = options.clone();
    // Not of the scope: what ends the run here does not wait for an input from which nothing comes.
    let reader = thread::spawn(move || reader::read(inputs, &for_reader, sender));
    let became = thread::scope(|scope| Writer::new(library, embedder, options, progress, scope).write(groups))?;
    let Report { papers, new, merged, updated, unchanged, embedded, without_abstract, .. } = became;
    let read = reader.join().unwrap_or_else(|panic| resume_unwind(panic))?;
    Ok(Report { papers, new, merged, updated, unchanged, embedded, without_abstract, ..read })
}

/// Embeds every paper of the library with the model of `embedder`, beside the old vectors, and swaps when all are done.
/// An interrupted run goes on where it stopped. Returns how many were embedded now.
///
/// # Errors
///
/// [`Error::Interrupted`], and whatever stops the store or the encoder; then the old vectors answer as before.
pub fn reindex(library: &mut Library, embedder: &mut LazyEmbedder, progress: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<u64> {
    let embedder = embedder.get()?;
    let mut done = 0;
    thread::scope(|scope| {
        let mut in_flight = InFlight::new(scope);
        let mut last = None;
        loop {
            while !in_flight.is_full() {
                let mut pending = library.pending(embedder.space(), last, CHUNK)?;
                let Some(paper) = pending.last() else { break };
                last = Some(paper.row);
                let texts: Vec<String> = pending.iter_mut().map(|paper| std::mem::take(&mut paper.text)).collect();
                in_flight.begin(pending, move || embed(embedder, &texts));
            }
            let Some((pending, vectors)) = in_flight.finish_oldest() else { return Ok(()) };
            library.keep_next(&pending, &vectors?, embedder.space())?;
            done += pending.len() as u64;
            if progress(done).is_break() {
                return Err(Error::Interrupted);
            }
        }
    })?;
    library.swap_vectors(embedder.space())?;
    Ok(done)
}

fn embed(embedder: &Embedder, texts: &[String]) -> Result<Vectors> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    embedder.embed(&texts, Role::Document)
}

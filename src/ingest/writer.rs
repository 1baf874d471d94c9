//! The thread that owns the library: it says which vectors are needed, has them made, and commits in the order of the input.
//!
//! What a record needs follows from what the library holds when its turn has come, and then the records before it may
//! not yet be there: they are in the open chunk, or their vectors are being made. Therefore a record that shares a [`Tie`]
//! with one of them waits until that one is committed, and is planned then. There is one exception, so that papers that stand
//! twice in a row do not make small chunks: where the open chunk has the vector of the very text, a plan could ask for nothing
//! else. So the library becomes what it would be if every record were added by itself, whatever the size
//! of the chunks, however many are in flight, and whichever thread is the faster.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::Scope;
use std::time::Duration;

use super::in_flight::InFlight;
use super::reader::Group;
use super::{Embed, LazyEmbedder, Options, Progress, Report, embed};
use crate::error::{Error, Result};
use crate::library::{Library, Outcome, PaperRow, Plan, Record, Tie, by_hash};
use crate::paper::TextHash;

/// How often whoever may break the run is asked while an input gives nothing.
const PATIENCE: Duration = Duration::from_millis(100);

/// Vectors by the hash of their text, as a commit wants them.
type VectorsByHash = HashMap<TextHash, Vec<f32>>;

/// What is committed together.
#[derive(Default)]
struct Chunk {
    /// Counted from 0 in the order of commits.
    number: u64,
    records: Vec<Record>,
    /// The texts of which vectors are to be made.
    texts: Vec<(TextHash, String)>,
    /// Vectors that the library had of other papers with the same text.
    known: VectorsByHash,
    /// Records read until its last one.
    read: u64,
}

impl Chunk {
    /// True if it is committed with the vector of this text.
    fn has_vector_of(&self, text: TextHash) -> bool {
        self.known.contains_key(&text) || self.texts.iter().any(|(hash, _)| *hash == text)
    }
}

/// Where a [`Tie`] of records that are not committed was met last.
struct Met {
    chunk: u64,
    text: TextHash,
}

pub(super) struct Writer<'a, 'scope, 'env> {
    library: &'a mut Library,
    model: &'a mut LazyEmbedder,
    options: &'a Options,
    progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    open: Chunk,
    in_flight: InFlight<'scope, 'env, Chunk, VectorsByHash>,
    /// The ties of all records that are not committed.
    ties: HashMap<Tie, Met>,
    /// The papers that this run has touched.
    seen: RowSet,
    /// Records read until the last one that is committed.
    read: u64,
    /// What became of the records.
    report: Report,
}

impl<'a, 'scope, 'env> Writer<'a, 'scope, 'env> {
    pub(super) fn new(
        library: &'a mut Library,
        model: &'a mut LazyEmbedder,
        options: &'a Options,
        progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
        scope: &'scope Scope<'scope, 'env>,
    ) -> Self {
        let (open, in_flight, ties) = (Chunk::default(), InFlight::new(scope), HashMap::new());
        Self { library, model, options, progress, open, in_flight, ties, seen: RowSet::default(), read: 0, report: Report::default() }
    }

    /// Adds all that is read, and says what became of it. The channel's end goes with this call, so that a reader ends too when
    /// something fails here.
    pub(super) fn write(mut self, groups: Receiver<Group>) -> Result<Report> {
        while let Some(group) = self.next(&groups)? {
            let mut behind = group.records.len() as u64;
            for record in group.records {
                self.take(record)?;
                behind -= 1;
                self.open.read = group.read - behind;
            }
            self.open.read = group.read;
            self.close()?;
        }
        while self.commit_oldest()? {}
        Ok(self.report)
    }

    /// The next group. While the reader has none, what is in flight is committed: an input that pauses keeps no chunk waiting.
    fn next(&mut self, groups: &Receiver<Group>) -> Result<Option<Group>> {
        loop {
            match groups.try_recv() {
                Ok(group) => return Ok(Some(group)),
                Err(TryRecvError::Disconnected) => return Ok(None),
                Err(TryRecvError::Empty) => {}
            }
            if self.commit_oldest()? {
                continue;
            }
            match groups.recv_timeout(PATIENCE) {
                Ok(group) => return Ok(Some(group)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.report_progress()?,
            }
        }
    }

    /// Puts a record into the open chunk, with the vector that it needs.
    fn take(&mut self, record: Record) -> Result<()> {
        // Without vectors there is nothing to plan.
        if self.options.embed != Embed::Nothing {
            let text = record.paper.text_hash();
            let ties = self.settle(&record, text)?;
            if !self.open.has_vector_of(text) {
                self.plan(&record)?;
            }
            let chunk = self.open.number;
            self.ties.extend(ties.into_iter().map(|tie| (tie, Met { chunk, text })));
        }
        self.open.records.push(record);
        Ok(())
    }

    /// Commits everything that the record has to wait for. Returns its ties to what is stored then.
    fn settle(&mut self, record: &Record, text: TextHash) -> Result<Vec<Tie>> {
        loop {
            let ties = self.library.ties(&record.paper)?;
            let may_join = |met: &Met| met.chunk == self.open.number && met.text == text && self.open.has_vector_of(text);
            let waits_for = ties.iter().filter_map(|tie| self.ties.get(tie)).filter(|met| !may_join(met)).map(|met| met.chunk).max();
            let Some(chunk) = waits_for else { return Ok(ties) };
            if chunk == self.open.number {
                self.close()?;
            }
            while self.in_flight.oldest().is_some_and(|oldest| oldest.number <= chunk) {
                self.commit_oldest()?;
            }
        }
    }

    fn plan(&mut self, record: &Record) -> Result<()> {
        let title_only = self.options.embed == Embed::Titles;
        if let Plan::Vector(hash) = self.library.plan(record, title_only)? {
            match self.library.vector_of_text(&record.paper, self.model.space())? {
                Some(vector) => drop(self.open.known.insert(hash, vector)),
                None => self.open.texts.push((hash, record.paper.embedding_text())),
            }
        }
        Ok(())
    }

    /// Has the vectors of the open chunk made, and opens the next one.
    fn close(&mut self) -> Result<()> {
        while self.in_flight.is_full() {
            self.commit_oldest()?;
        }
        let next = Chunk { number: self.open.number + 1, ..Chunk::default() };
        let mut chunk = std::mem::replace(&mut self.open, next);
        let texts = std::mem::take(&mut chunk.texts);
        if texts.is_empty() {
            self.in_flight.begin(chunk, || Ok(VectorsByHash::new()));
        } else {
            // A model that cannot be loaded is the failure of this chunk: those before it are committed first.
            let embedder = self.model.shared();
            self.in_flight.begin(chunk, move || {
                let (hashes, texts): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
                let vectors = embed(&*embedder?, &texts)?;
                Ok(by_hash(&hashes, &vectors))
            });
        }
        Ok(())
    }

    /// Waits for the oldest chunk in flight and commits it; false if there is none.
    fn commit_oldest(&mut self) -> Result<bool> {
        let Some((chunk, made)) = self.in_flight.finish_oldest() else { return Ok(false) };
        let mut vectors = made?;
        self.report.embedded += vectors.len() as u64;
        vectors.extend(chunk.known);
        if !chunk.records.is_empty() {
            let outcomes = self.library.commit(&chunk.records, &vectors, self.model.space(), &self.options.now)?;
            for (record, (row, outcome)) in chunk.records.iter().zip(outcomes) {
                self.count(record, row, outcome);
            }
        }
        self.ties.retain(|_, met| met.chunk != chunk.number);
        self.read = chunk.read;
        self.report_progress().map(|()| true)
    }

    fn report_progress(&mut self) -> Result<()> {
        let progress = Progress { read: self.read, embedded: self.report.embedded };
        if (self.progress)(progress).is_break() { Err(Error::Interrupted) } else { Ok(()) }
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

/// A set of rows, a bit each: a run may touch millions.
#[derive(Default)]
struct RowSet(HashMap<i64, u64>);

impl RowSet {
    /// True if it was not there.
    fn insert(&mut self, row: PaperRow) -> bool {
        let word = self.0.entry(row.0 >> 6).or_default();
        let bit = 1 << (row.0 & 63);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_new_once() {
        let mut rows = RowSet::default();
        let inserted: Vec<bool> = [1, 63, 64, 1, 64, i64::MAX, 63].into_iter().map(|row| rows.insert(PaperRow(row))).collect();
        assert_eq!(inserted, [true, true, true, false, false, true, false]);
    }
}

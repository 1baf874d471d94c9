//! Adding as a pipeline: the library is what adding record by record makes, memory is bounded, and every failure is an end.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use paperkin::embed::{Compute, Model, Role};
use paperkin::ingest::{self, CHUNK, Input, LazyEmbedder, Options, Progress, Report};
use paperkin::library::{Library, Outcome, PaperRow, Plan, Record};
use paperkin::paper::{Paper, TextHash};
use paperkin::source::{self, Item};
use paperkin::{Error, Result};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{copy_model, papers, repository};

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

fn embedder() -> LazyEmbedder {
    embedder_in(&repository("tests/fixtures/tiny-bert"))
}

fn embedder_in(directory: &std::path::Path) -> LazyEmbedder {
    LazyEmbedder::new(Model::from_directory(directory, None, None).unwrap(), Compute::default())
}

fn stream(reader: impl Read + Send + 'static) -> Input {
    Input::Stream("records".to_owned(), Box::new(reader))
}

fn text(records: &str) -> Input {
    stream(std::io::Cursor::new(records.to_owned()))
}

fn add_inputs(library: &mut Library, inputs: Vec<Input>, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Report> {
    ingest::add(library, &mut embedder(), inputs, &Options::default(), progress)
}

fn add(library: &mut Library, records: &str) -> Report {
    add_inputs(library, vec![text(records)], &mut |_| GO_ON).unwrap()
}

fn line(id: &str, title: &str, abstract_text: &str) -> String {
    format!("{{\"id\": \"{id}\", \"title\": \"{title}\", \"abstract\": \"{abstract_text}\"}}\n")
}

/// `count` records, number `first` and on, that have nothing to do with any other.
fn others(first: usize, count: usize) -> String {
    (first..first + count).map(|i| line(&format!("other {i}"), &format!("Other {i}"), &format!("Graph {i} of a network."))).collect()
}

fn assert_sound(library: &Library) {
    assert_eq!(library.verify().unwrap().problems, [""; 0]);
}

/// All that a library answers from: its papers and their vectors, row by row.
fn content(library: &Library) -> (Vec<(PaperRow, Paper)>, Vec<PaperRow>, Vec<f32>) {
    let papers = library.list(&Default::default()).unwrap().into_iter().map(|listing| (listing.row, listing.paper)).collect();
    let stored = library.vectors().unwrap();
    (papers, stored.papers, stored.vectors.as_slice().to_vec())
}

/// What [`ingest::add`] is to be the same as: every record by itself, planned when all before it are committed.
struct OneByOne {
    embedder: LazyEmbedder,
    made: HashMap<TextHash, Vec<f32>>,
}

impl OneByOne {
    fn add(&mut self, library: &mut Library, records: &str) -> Report {
        let (mut report, mut seen) = (Report::default(), HashSet::new());
        for item in source::open("records", BufReader::new(records.as_bytes()), &source::Options::default()).unwrap() {
            report.read += 1;
            let Item::Paper(paper) = item.unwrap() else { continue };
            let record = Record { paper: *paper, format: "jsonl".to_owned(), origin: "records".to_owned() };
            let vectors = self.vectors(library, &record);
            report.embedded += vectors.len() as u64;
            let (row, outcome) = library.commit(&[record], &vectors, self.embedder.space(), "").unwrap()[0];
            let is_first = seen.insert(row);
            match outcome {
                _ if !is_first => report.merged += 1,
                Outcome::New => report.new += 1,
                Outcome::Merged => report.merged += 1,
                Outcome::Updated => report.updated += 1,
                Outcome::Unchanged => report.unchanged += 1,
            }
        }
        report.papers = seen.len() as u64;
        report
    }

    fn vectors(&mut self, library: &Library, record: &Record) -> HashMap<TextHash, Vec<f32>> {
        let Plan::Vector(hash) = library.plan(record, false).unwrap() else { return HashMap::new() };
        let embed = || self.embedder.get().unwrap().embed(&[&record.paper.embedding_text()], Role::Document).unwrap().as_slice().to_vec();
        HashMap::from([(hash, self.made.entry(hash).or_insert_with(embed).clone())])
    }
}

fn counts(report: &Report) -> [u64; 6] {
    [report.read, report.papers, report.new, report.merged, report.updated, report.unchanged]
}

/// Records of few papers under many names, among others of their own: what is asked of a record is often not yet committed.
fn entangled() -> impl Strategy<Value = String> {
    const IDS: [&str; 9] = ["2101.00001", "2101.00002", "10.1000/a", "10.1000/b", "W1", "W2", "W3", "title:0123456789abcdef", "2101.00001v2"];
    let one = (proptest::collection::vec(0usize..9, 0..3), 0usize..5, 0usize..4, 0usize..8);
    proptest::collection::vec(one, 40..140).prop_map(|records| {
        let line = |(i, (ids, title, text, kind)): (usize, (Vec<usize>, usize, usize, usize))| {
            if kind > 2 {
                return others(i, 1);
            }
            let ids: Vec<String> = ids.iter().map(|&i| format!("\"{}\"", IDS[i])).collect();
            let (title, text) = (["A", "B", "C", "A b", ""][title], ["", "one", "two", "three"][text]);
            format!("{{\"ids\": [{}], \"title\": \"{title}\", \"abstract\": \"{text}\", \"upvotes\": {kind}}}\n", ids.join(", "))
        };
        records.into_iter().enumerate().map(line).collect()
    })
}

#[test]
fn adding_is_the_same_as_adding_record_by_record() {
    let one_by_one = RefCell::new(OneByOne { embedder: embedder(), made: HashMap::new() });
    let config = ProptestConfig { failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::with_cases(16) };
    let same = |(before, records): (String, String)| {
        let (mut library, mut expected) = (Library::in_memory().unwrap(), Library::in_memory().unwrap());
        for records in [before, records] {
            let report = add(&mut library, &records);
            let expected = one_by_one.borrow_mut().add(&mut expected, &records);
            prop_assert_eq!(counts(&report), counts(&expected));
            prop_assert!(report.embedded <= expected.embedded, "{} embedded, {} were enough", report.embedded, expected.embedded);
        }
        prop_assert!(content(&library) == content(&expected), "other papers or vectors");
        prop_assert_eq!(library.verify().unwrap().problems, [""; 0]);
        Ok(())
    };
    TestRunner::new(config).run(&(entangled(), entangled()), same).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn two_texts_of_one_paper_are_two_texts_at_any_distance() {
    let about_chunks = (1..4).flat_map(|n| [n * CHUNK - 2, n * CHUNK - 1, n * CHUNK]);
    for distance in [0, 1, 2, 5, 100, 200].into_iter().chain(about_chunks) {
        let mut library = Library::in_memory().unwrap();
        let (first, second) = (line("x1", "T", "graph network"), line("x1", "T", "protein market"));
        let report = add(&mut library, &(first + &others(0, distance) + &second + &others(distance, 70)));
        let others = distance as u64 + 70;
        assert_eq!((report.new, report.merged, report.embedded), (others + 1, 1, others + 2), "{distance} between");
        let paper = library.paper(library.find("x1").unwrap()).unwrap();
        assert_eq!(paper.abstract_text, "protein market", "{distance} between");
        assert_sound(&library);
    }
}

/// The paper that stays has the record's text, gets that of the one that goes, and then the record's again: the vector is needed though
/// it is there.
#[test]
fn a_record_that_joins_papers_brings_its_own_text() {
    let lines = [
        "{\"ids\": [\"W3\"], \"title\": \"C\", \"abstract\": \"protein market\"}\n",
        "{\"ids\": [\"2101.00002\"], \"title\": \"A\", \"abstract\": \"graph network\"}\n",
        "{\"ids\": [\"2101.00002\", \"W3\"], \"title\": \"A\", \"abstract\": \"graph network\"}\n",
    ];
    for at_once in [1, 3] {
        let mut library = Library::in_memory().unwrap();
        lines.chunks(at_once).for_each(|lines| drop(add(&mut library, &lines.concat())));
        let paper = library.paper(library.find("W3").unwrap()).unwrap();
        assert_eq!((paper.title.as_str(), library.len().unwrap()), ("A", 1), "{at_once} at once");
        assert_sound(&library);
    }
}

/// The text that is stored is replaced by another, and that by the first again, of which the vector is gone then. The second
/// record is tied to the first by an id, by its title, and by nothing but the stored paper.
#[test]
fn a_record_waits_for_what_replaces_the_text_that_it_has() {
    for (id, title) in [("10.1000/a", "V"), ("", "U"), ("W1", "T")] {
        for distance in [0, 1, CHUNK - 2, CHUNK - 1, CHUNK, 2 * CHUNK, 200] {
            let mut library = Library::in_memory().unwrap();
            let stored = format!("{{\"ids\": [\"W1\", \"10.1000/a\"], \"title\": \"{title}\", \"abstract\": \"graph network\"}}\n");
            add(&mut library, &stored);
            let again = line(id, title, "graph network").replace('}', ", \"upvotes\": 5}");
            let report = add(&mut library, &(line("10.1000/a", "U", "protein market") + &others(0, distance) + &again));
            let paper = library.paper(library.find("W1").unwrap()).unwrap();
            assert_eq!((paper.abstract_text.as_str(), report.embedded), ("graph network", distance as u64 + 2), "{id} {title}, {distance} between");
            assert_sound(&library);
        }
    }
}

#[test]
fn a_text_is_embedded_once_whichever_papers_have_it() {
    for distance in [0, 1, CHUNK - 2, CHUNK - 1, CHUNK, 2 * CHUNK, 200] {
        let mut library = Library::in_memory().unwrap();
        let (first, second) = (line("2101.00001", "Erratum", "graph network"), line("2101.00002", "Erratum", "graph network"));
        let report = add(&mut library, &(first + &others(0, distance) + &second));
        assert_eq!((report.new, report.embedded), (distance as u64 + 2, distance as u64 + 1), "{distance} between");
        let vector = |id: &str| library.vector(library.find(id).unwrap()).unwrap().unwrap();
        assert_eq!(vector("2101.00001"), vector("2101.00002"));
        assert_sound(&library);
    }
}

/// Both look like the stored paper, which has no id but its title, until the first of them has given it one.
#[test]
fn the_second_of_two_papers_with_one_text_has_a_vector_too() {
    let mut library = Library::in_memory().unwrap();
    add(&mut library, &line("", "Erratum", "graph network"));
    add(&mut library, &(line("2101.00001", "Erratum", "graph network") + &line("2101.00002", "Erratum", "graph network")));
    assert_eq!(library.vectors().unwrap().papers.len(), 2);
    assert_sound(&library);
}

/// Records of about `length` bytes each, without an end in sight; what was taken of them is told to `taken`.
struct Endless {
    length: usize,
    next: usize,
    rest: Vec<u8>,
    taken: Arc<AtomicUsize>,
}

/// Where it does end, for a test that fails to come to its own.
const END: usize = 32 << 20;

impl Endless {
    fn new(length: usize) -> Self {
        Self { length, next: 0, rest: Vec::new(), taken: Default::default() }
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.taken.load(SeqCst) > END {
            return Ok(0);
        }
        if self.rest.is_empty() {
            self.rest = line(&format!("x{}", self.next), &format!("Paper {}", self.next), &"graph network ".repeat(self.length / 14)).into_bytes();
            self.next += 1;
        }
        let count = buffer.len().min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        self.taken.fetch_add(count, SeqCst);
        Ok(count)
    }
}

/// An interruption ends the run; then the reader has run ahead by a few chunks at most, each of them short of two MiB.
#[test]
fn an_endless_input_is_read_no_further_than_it_is_added() {
    for (length, chunks, at_most) in [(1000, 3, 1 << 20), (400 << 10, 2, 14 << 20)] {
        let mut library = Library::in_memory().unwrap();
        let endless = Endless::new(length);
        let taken = Arc::clone(&endless.taken);
        let (mut committed, mut calls) = (0, 0);
        let ended = add_inputs(&mut library, vec![stream(endless)], &mut |progress| {
            committed = progress.read;
            calls += 1;
            if calls < chunks { GO_ON } else { ControlFlow::Break(()) }
        });
        assert!(matches!(ended, Err(Error::Interrupted)), "{ended:?}");
        assert_eq!(library.len().unwrap(), committed, "records of {length} bytes");
        let taken = taken.load(SeqCst);
        assert!(taken < at_most, "{taken} bytes were read to commit {committed} records of {length} bytes");
        assert_sound(&library);
    }
}

/// What is committed does not wait for an input that pauses.
#[test]
fn an_input_that_pauses_keeps_no_chunk_waiting() {
    let (committed, wait) = mpsc::channel();
    let first = papers(CHUNK);
    let pause = Pause { wait, rest: b"{\"title\": \"The last one\"}\n".to_vec() };
    let mut library = Library::in_memory().unwrap();
    // The first bytes are looked at before anything is read: 256 KiB of spaces stand for a long beginning.
    let beginning = first + &" ".repeat(300 << 10) + "\n";
    let report = add_inputs(&mut library, vec![stream(std::io::Cursor::new(beginning).chain(pause))], &mut |progress| {
        // Nobody listens behind the end.
        let _ = committed.send(progress.read);
        GO_ON
    });
    assert_eq!(report.unwrap().new, CHUNK as u64 + 1);
}

#[test]
fn an_input_from_which_nothing_comes_keeps_no_interruption_waiting() {
    // Kept to the end of the test: until then the reader hears nothing.
    let (_keep, wait) = mpsc::channel();
    let silent = Pause { wait, rest: b"{}".to_vec() };
    let beginning = papers(3) + &" ".repeat(300 << 10) + "\n";
    let mut library = Library::in_memory().unwrap();
    let mut asked = 0;
    let ended = add_inputs(&mut library, vec![stream(std::io::Cursor::new(beginning).chain(silent))], &mut |_| {
        asked += 1;
        if asked > 1 { ControlFlow::Break(()) } else { GO_ON }
    });
    assert!(matches!(ended, Err(Error::Interrupted)), "{ended:?}");
}

struct Pause {
    wait: mpsc::Receiver<u64>,
    rest: Vec<u8>,
}

impl Read for Pause {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.wait.recv_timeout(Duration::from_secs(60)).map_err(|_| std::io::Error::other("nothing was committed"))?;
            buffer[..rest.len()].copy_from_slice(&rest);
        }
        Ok(rest.len())
    }
}

/// Fails, or panics, where more is wanted of it.
struct Broken {
    panics: bool,
}

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        assert!(!self.panics, "this reader cannot read");
        Err(std::io::Error::other("the cable was pulled"))
    }
}

fn breaks_behind(records: usize, panics: bool) -> Input {
    // Longer than what is looked at before anything is read.
    let records = papers(records) + &" ".repeat(300 << 10) + "\n";
    stream(std::io::Cursor::new(records).chain(Broken { panics }))
}

#[test]
fn what_was_read_before_an_input_broke_is_kept() {
    let mut library = Library::in_memory().unwrap();
    let ended = add_inputs(&mut library, vec![breaks_behind(200, false)], &mut |_| GO_ON);
    assert!(matches!(&ended, Err(Error::Io { source, .. }) if source.to_string() == "the cable was pulled"), "{ended:?}");
    assert_eq!(library.len().unwrap(), 200);
    let report = add_inputs(&mut library, vec![breaks_behind(150, false), text(&others(0, 30))], &mut |_| GO_ON).unwrap();
    assert_eq!((report.unchanged, report.new, report.failed_inputs), (150, 30, 1));
    assert!(report.failures[0].reason.contains("the cable was pulled"), "{report:?}");
    assert_sound(&library);
}

#[test]
fn a_reader_that_panics_is_a_panic_and_no_hang() {
    let mut library = Library::in_memory().unwrap();
    let add = || add_inputs(&mut library, vec![breaks_behind(200, true)], &mut |_| GO_ON);
    let panic = std::panic::catch_unwind(AssertUnwindSafe(add)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"this reader cannot read"));
    assert_eq!(library.len().unwrap() as usize, 200 - 1 - 199 % CHUNK, "all full chunks before");
    assert_sound(&library);
}

#[test]
fn a_commit_that_fails_ends_the_run_and_keeps_the_chunks_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut library = Library::create_or_open(directory.path()).unwrap();
    let database = rusqlite::Connection::open(directory.path().join("library.db")).unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON papers WHEN new.id = 'x200' BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    database.execute_batch(full).unwrap();
    let ended = add_inputs(&mut library, vec![stream(Endless::new(1000))], &mut |_| GO_ON);
    assert!(matches!(&ended, Err(Error::Store(e)) if e.to_string().contains("the disk is full")), "{ended:?}");
    let kept = library.len().unwrap();
    assert_eq!(kept as usize, 200 - 200 % CHUNK);
    assert_sound(&library);
    database.execute_batch("DROP TRIGGER full").unwrap();
    let report = add_inputs(&mut library, vec![stream(Endless::new(1000).take(300 << 10))], &mut |_| GO_ON).unwrap();
    assert_eq!(report.unchanged, kept);
    assert_sound(&library);
}

#[test]
fn the_model_is_loaded_for_the_first_text_and_its_failure_keeps_what_is_before() {
    let directory = tempfile::tempdir().unwrap();
    copy_model(directory.path());
    std::fs::write(directory.path().join("model.safetensors"), "no weights").unwrap();
    let titles: String = (0..100).map(|i| line("", &format!("Title {i}"), "")).collect();
    let mut library = Library::in_memory().unwrap();
    let mut add = |inputs| ingest::add(&mut library, &mut embedder_in(directory.path()), inputs, &Options::default(), &mut |_| GO_ON);
    assert_eq!(add(vec![text(&titles)]).unwrap().new, 100);
    let more = titles.replace("Title", "Another");
    let ended = add(vec![stream(std::io::Cursor::new(more).chain(Endless::new(1000)))]);
    assert!(matches!(ended, Err(Error::ModelDamaged { .. })), "{ended:?}");
    assert_eq!(library.len().unwrap() as usize, 100 + 100 - 100 % CHUNK);
    assert_sound(&library);
}

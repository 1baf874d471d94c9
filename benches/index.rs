//! How fast the index is, and what it finds.
//!
//! ```text
//! cargo bench --bench index -- [FILE.npy…]              rates, recall, and from how many rows on a graph is faster
//! … index worker paperkin|hnsw_rs ROWS.npy QUESTIONS.npy  a contestant of benches/peers/index.py
//! … index library ROWS.npy DIR COUNT                      a library of made-up papers with the first COUNT vectors
//! ```
//!
//! Vectors are as `paperkin export --vectors` writes them; without files, vectors about some themes. The last thousand are
//! questions and not in the index. Rates are of one thread; recall@10 is against all vectors compared in f32.

use std::collections::HashSet;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use hnsw_rs::anndists::dist::Distance;
use hnsw_rs::hnsw::Hnsw;
use paperkin::embed::{Embedder, Model};
use paperkin::index::{Build, Index, RowSet, Search, Source};
use paperkin::library::{Library, Record};
use paperkin::paper::{Paper, PaperId};
use paperkin::vector::{RowId, Vectors, dot, normalise};
use serde_json::{Value, json};

const QUESTIONS: usize = 1000;
const K: usize = 10;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["worker", "paperkin", rows, questions] => serve(Paperkin { index: None }, read(&[*rows]), read(&[*questions])),
        ["worker", "hnsw_rs", rows, questions] => serve(Peer { graph: None }, read(&[*rows]), read(&[*questions])),
        ["library", rows, directory, count] => library(&read(&[*rows]), Path::new(directory), count.parse().expect("a count")),
        files if files.is_empty() => report(&shuffled(&synthetic(20_000, 384))),
        files => report(&shuffled(&read(files))),
    }
}

fn report(all: &Vectors) {
    let count = all.len() - QUESTIONS;
    let questions: Vec<&[f32]> = (count..all.len()).map(|row| all.row(RowId(row as u32))).collect();
    println!("{count} vectors of {} numbers, {QUESTIONS} questions, one thread unless said\n", all.dim());
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    println!(
        "{:>8} {:>14} {:>14} {:>8} {:>12} {:>12} {:>11}",
        "vectors", "exact, 1/s", "graph, 1/s", "recall", "build, s", "bytes each", "without f16"
    );
    let sizes = [1000, 2000, 5000, 10_000, 20_000, 50_000].into_iter().filter(|&size| size < count).chain([count]);
    let mut last = None;
    for size in sizes {
        let rows = Vectors::from_rows(all.dim(), all.as_slice()[..size * all.dim()].to_vec());
        let (graph, seconds) = timed(|| one.install(|| build(&rows, Some(Build::default()))));
        let truth: Vec<HashSet<u32>> = questions.iter().map(|question| nearest(&rows, question)).collect();
        let exact = one.install(|| rate(&questions, &truth, |question| ours(&graph, question, Search::Exact)));
        let walk = rate(&questions, &truth, |question| ours(&graph, question, Search::Graph(EF)));
        let each = bytes(&graph) as f64 / size as f64;
        println!("{size:8} {:14.0} {:14.0} {:8.4} {seconds:12.2} {each:12.0} {:11.0}", exact.0, walk.0, walk.1, each - 2.0 * all.dim() as f64);
        last = Some((graph, truth, rows));
    }
    let Some((graph, truth, rows)) = last else { return };
    println!("\nof all {}:", rows.len());
    for ef in [16, 32, 64, 96, 128, 192, 256, 512] {
        let (rate, recall) = rate(&questions, &truth, |question| ours(&graph, question, Search::Graph(ef)));
        println!("ef {ef:4} {rate:10.0} questions/s   recall@10 {recall:.4}");
    }
    let filters = [2, 5, 10, 20, 50, 200];
    for every in filters {
        let mut within = RowSet::none(rows.len());
        (0..rows.len() as u32).filter(|row| row % every == 0).for_each(|row| within.insert(RowId(row)));
        let times = [Search::Exact, Search::Graph(EF)].map(|search| {
            let ask = |question: &&[f32]| drop(black_box(graph.nearest(question, K, search, &within).expect("rows")));
            timed(|| one.install(|| questions.iter().for_each(ask))).1 * 1e3 / QUESTIONS as f64
        });
        println!("a filter that leaves 1/{every}: exact {:.3} ms, graph {:.3} ms", times[0], times[1]);
    }
    let (near, seconds) = timed(|| graph.neighbours(15).expect("neighbours"));
    println!("15 neighbours of all: {seconds:.1} s, all threads ({} lists)", near.len());
}

/// What a walk keeps unless the caller says.
const EF: usize = 192;

fn build(rows: &Vectors, graph: Option<Build>) -> Index {
    let labels: Vec<i64> = (1..=rows.len() as i64).collect();
    Index::build(Source { vectors: rows, labels: &labels, state: 1 }, graph).expect("an index")
}

fn ours(index: &Index, question: &[f32], search: Search) -> Vec<u32> {
    index.nearest(question, K, search, &RowSet::all(index.len())).expect("rows").iter().map(|near| near.row.0).collect()
}

/// Questions a second, and recall, of the second of two rounds.
fn rate(questions: &[&[f32]], truth: &[HashSet<u32>], mut ask: impl FnMut(&[f32]) -> Vec<u32>) -> (f64, f64) {
    questions.iter().for_each(|question| drop(black_box(ask(question))));
    let (found, seconds) = timed(|| questions.iter().map(|question| ask(question)).collect::<Vec<_>>());
    let right: usize = found.iter().zip(truth).map(|(found, truth)| found.iter().filter(|row| truth.contains(row)).count()).sum();
    (questions.len() as f64 / seconds, right as f64 / (questions.len() * K) as f64)
}

/// What can be measured beside others, on one thread unless `neighbours`.
trait Contestant {
    /// Builds an index with a graph, or without.
    fn build(&mut self, rows: &Vectors, graph: bool);
    /// Rows nearest to a question; `ef` 0 is exact.
    fn ask(&self, question: &[f32], ef: usize) -> Vec<u32>;
    /// Rows nearest to each row.
    fn neighbours(&self, k: usize) -> Vec<Vec<u32>>;
    /// Its size without f16 rows; `None` where only the process knows.
    fn bytes(&self) -> Option<usize>;
}

/// Answers orders of one line with JSON of one line: `build exact|graph`, `ask EF`, `neighbours K`.
fn serve(mut contestant: impl Contestant + Send + Sync, rows: Vectors, questions: Vectors) {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (order, what) = line.split_once(' ').expect("an order and what");
        let (found, seconds): (Value, f64) = match order {
            "build" => (json!(null), timed(|| one.install(|| contestant.build(&rows, what == "graph"))).1),
            "ask" => {
                let ef = what.parse().expect("ef");
                let (found, seconds) = timed(|| one.install(|| questions.rows().map(|question| contestant.ask(question, ef)).collect::<Vec<_>>()));
                (json!(found), seconds)
            }
            _ => {
                let (found, seconds) = timed(|| contestant.neighbours(what.parse().expect("k")));
                (json!(found), seconds)
            }
        };
        println!("{}", json!({ "seconds": seconds, "found": found, "bytes": contestant.bytes() }));
        std::io::stdout().flush().expect("a pipe");
    }
}

/// For timing the program on a library of any size.
fn library(rows: &Vectors, directory: &Path, count: usize) {
    let mut library = Library::create_or_open(directory).expect("a library");
    let embedder = Embedder::load(Model::built_in().expect("the model"), Default::default()).expect("an embedder");
    for start in (0..count).step_by(1000) {
        let papers = start..count.min(start + 1000);
        let record = |i: usize| Record {
            paper: Paper {
                ids: vec![PaperId::parse(&format!("x{i}"))],
                title: format!("Paper {i}"),
                abstract_text: format!("About {i}."),
                ..Paper::default()
            },
            format: "bench".to_owned(),
            origin: "bench".to_owned(),
        };
        let records: Vec<Record> = papers.clone().map(record).collect();
        let vectors = records.iter().zip(papers).map(|(record, i)| (record.paper.text_hash(), rows.row(RowId(i as u32)).to_vec())).collect();
        library.commit(&records, &vectors, embedder.space(), "2026-01-01T00:00:00Z").expect("a commit");
    }
    println!("papers and vectors committed");
    let ((), seconds) = timed(|| library.keep_index().expect("an index"));
    println!("index kept in {seconds:.1} s");
}

struct Paperkin {
    index: Option<Index>,
}

impl Contestant for Paperkin {
    fn build(&mut self, rows: &Vectors, graph: bool) {
        self.index = Some(build(rows, graph.then(Build::default)));
    }

    fn ask(&self, question: &[f32], ef: usize) -> Vec<u32> {
        ours(self.index.as_ref().expect("built"), question, if ef == 0 { Search::Exact } else { Search::Graph(ef) })
    }

    fn neighbours(&self, k: usize) -> Vec<Vec<u32>> {
        let lists = self.index.as_ref().expect("built").neighbours(k).expect("neighbours");
        lists.iter().map(|list| list.iter().map(|near| near.row.0).collect()).collect()
    }

    fn bytes(&self) -> Option<usize> {
        self.index.as_ref().map(|index| bytes(index) - index.len() * index.dim() * 2)
    }
}

struct Peer {
    graph: Option<Hnsw<'static, f32, Cosine>>,
}

impl Contestant for Peer {
    fn build(&mut self, rows: &Vectors, _: bool) {
        let how = Build::default();
        let graph = Hnsw::new(how.m, rows.len(), 16, how.ef_construction, Cosine);
        rows.rows().enumerate().for_each(|(row, vector)| graph.insert((vector, row)));
        self.graph = Some(graph);
    }

    fn ask(&self, question: &[f32], ef: usize) -> Vec<u32> {
        self.graph.as_ref().expect("built").search(question, K, ef).iter().map(|near| near.d_id as u32).collect()
    }

    fn neighbours(&self, _: usize) -> Vec<Vec<u32>> {
        Vec::new()
    }

    fn bytes(&self) -> Option<usize> {
        None
    }
}

/// `1 - cosine` in f32, with AVX2 where there is AVX2: its own routines for that need another compiler or feature.
struct Cosine;

impl Distance<f32> for Cosine {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - fast_dot(a, b)).max(0.0)
    }
}

fn fast_dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[target_feature(enable = "avx2,fma")]
        fn with_avx2(a: &[f32], b: &[f32]) -> f32 {
            let mut sums = [0.0f32; 32];
            for (a, b) in a.as_chunks::<32>().0.iter().zip(b.as_chunks::<32>().0) {
                for i in 0..32 {
                    sums[i] = a[i].mul_add(b[i], sums[i]);
                }
            }
            let rest = a.len() / 32 * 32;
            sums.iter().sum::<f32>() + dot(&a[rest..], &b[rest..])
        }
        // SAFETY: the processor has AVX2 and FMA.
        #[allow(unsafe_code)]
        return unsafe { with_avx2(a, b) };
    }
    dot(a, b)
}

fn nearest(rows: &Vectors, question: &[f32]) -> HashSet<u32> {
    let mut all: Vec<(f32, u32)> = rows.rows().enumerate().map(|(row, vector)| (dot(vector, question), row as u32)).collect();
    all.select_nth_unstable_by(K, |a, b| b.0.total_cmp(&a.0));
    all[..K].iter().map(|(_, row)| *row).collect()
}

fn bytes(index: &Index) -> usize {
    let mut bytes = Vec::new();
    index.write(&mut bytes).expect("bytes");
    bytes.len()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}

/// NumPy's format, version 1.0, of f32 in rows, one file after the other.
fn read(files: &[&str]) -> Vectors {
    let mut all: Option<Vectors> = None;
    for file in files {
        let bytes = std::fs::read(file).expect("the file of vectors");
        let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let header = String::from_utf8_lossy(&bytes[10..start]).into_owned();
        let dim = header
            .split("shape': (")
            .nth(1)
            .and_then(|shape| shape.split([',', ')']).nth(1))
            .and_then(|dim| dim.trim().parse().ok())
            .expect("a shape");
        let numbers: Vec<f32> = bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let all = all.get_or_insert_with(|| Vectors::new(dim));
        Vectors::from_rows(dim, numbers).rows().for_each(|row| all.push(row));
    }
    all.expect("a file")
}

/// Vectors about some themes.
fn synthetic(count: usize, dim: usize) -> Vectors {
    let mut numbers = Numbers(1);
    let themes: Vec<Vec<f32>> = (0..count / 50).map(|_| (0..dim).map(|_| numbers.next()).collect()).collect();
    let mut vectors = Vectors::new(dim);
    for row in 0..count {
        let mut vector: Vec<f32> = themes[row % themes.len()].iter().map(|x| x + numbers.next()).collect();
        normalise(&mut vector);
        vectors.push(&vector);
    }
    vectors
}

/// In an order that looks random and is the same everywhere.
fn shuffled(vectors: &Vectors) -> Vectors {
    let mut numbers = Numbers(2);
    let mut order: Vec<(u32, u32)> = (0..vectors.len() as u32).map(|row| (numbers.next().to_bits(), row)).collect();
    order.sort_unstable();
    let mut all = Vectors::new(vectors.dim());
    order.iter().for_each(|(_, row)| all.push(vectors.row(RowId(*row))));
    all
}

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

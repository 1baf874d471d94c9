//! How fast the index is, and what it finds, beside `hnsw_rs` itself on the same vectors.
//!
//! ```text
//! cargo bench --bench index -- [FILE.npy…]   vectors as `paperkin export --vectors` writes them; without, of the sample's themes
//! ```
//!
//! The last thousand vectors are questions and not in the index. Rates are of one thread; recall@10 is against all
//! vectors compared in f32.

use std::collections::HashSet;
use std::hint::black_box;
use std::time::Instant;

use hnsw_rs::anndists::dist::Distance;
use hnsw_rs::hnsw::Hnsw;
use paperkin::index::{Build, Index, Search, Source};
use paperkin::vector::{RowId, Vectors, dot, normalise};

const QUESTIONS: usize = 1000;
const K: usize = 10;

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let all = if files.is_empty() { synthetic(20_000, 384) } else { read(&files) };
    let count = all.len() - QUESTIONS;
    let rows = Vectors::from_rows(all.dim(), all.as_slice()[..count * all.dim()].to_vec());
    let questions: Vec<&[f32]> = (count..all.len()).map(|row| all.row(RowId(row as u32))).collect();
    println!("{count} vectors of {} numbers, {QUESTIONS} questions, one thread unless said\n", rows.dim());
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let truth: Vec<HashSet<u32>> = questions.iter().map(|question| nearest(&rows, question)).collect();
    let labels: Vec<i64> = (1..=count as i64).collect();
    let source = Source { vectors: &rows, labels: &labels, state: 1 };

    let (exact, seconds) = timed(|| Index::build(source, None).expect("an index"));
    println!("codes and f16: built in {seconds:.2} s, {:.0} bytes a vector", bytes(&exact) as f64 / count as f64);
    one.install(|| report("exact", &questions, &truth, |question| ours(&exact, question, Search::Exact)));
    let (near, seconds) = timed(|| exact.neighbours(15).expect("neighbours"));
    println!("15 neighbours of all: {seconds:.1} s, all threads ({} lists)\n", near.len());

    let how = Build::default();
    let (graph, seconds) = timed(|| one.install(|| Index::build(source, Some(how)).expect("an index")));
    println!(
        "graph, M {} ef_construction {}: built in {seconds:.1} s, {:.0} bytes a vector",
        how.m,
        how.ef_construction,
        bytes(&graph) as f64 / count as f64
    );
    for ef in [16, 32, 64, 96, 128, 192, 256, 512] {
        report(&format!("graph, ef {ef}"), &questions, &truth, |question| ours(&graph, question, Search::Graph(ef)));
    }
    let (peer, seconds) = timed(|| {
        let peer = Hnsw::<f32, Cosine>::new(how.m, count, 16, how.ef_construction, Cosine);
        rows.rows().enumerate().for_each(|row| peer.insert((row.1, row.0)));
        peer
    });
    println!("\nhnsw_rs in f32, the same M and ef_construction: built in {seconds:.1} s");
    for ef in [16, 32, 64, 96, 128, 192, 256, 512] {
        report(&format!("hnsw_rs, ef {ef}"), &questions, &truth, |question| {
            peer.search(question, K, ef).iter().map(|near| near.d_id as u32).collect()
        });
    }
}

struct Cosine;

impl Distance<f32> for Cosine {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - dot(a, b)).max(0.0)
    }
}

fn ours(index: &Index, question: &[f32], search: Search) -> Vec<u32> {
    index.nearest(question, K, search, |_| true).expect("rows").iter().map(|near| near.row.0).collect()
}

/// Prints the rate and the recall of the second of two rounds.
fn report(name: &str, questions: &[&[f32]], truth: &[HashSet<u32>], mut ask: impl FnMut(&[f32]) -> Vec<u32>) {
    questions.iter().for_each(|question| drop(black_box(ask(question))));
    let (found, seconds) = timed(|| questions.iter().map(|question| ask(question)).collect::<Vec<_>>());
    let right: usize = found.iter().zip(truth).map(|(found, truth)| found.iter().filter(|row| truth.contains(row)).count()).sum();
    println!("{name:24} {:8.0} questions/s   recall@10 {:.4}", questions.len() as f64 / seconds, right as f64 / (questions.len() * K) as f64);
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
fn read(files: &[String]) -> Vectors {
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
    shuffled(&all.expect("a file"))
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
    shuffled(&vectors)
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

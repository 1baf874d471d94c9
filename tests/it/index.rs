//! The index against plain comparison of all vectors, on libraries of every shape, and its file when it is damaged.

use std::io::{Read, Seek, Write};

use half::f16;
use paperkin::Error;
use paperkin::index::{Build, Index, Neighbour, RowSet, Search, Source};
use paperkin::vector::{RowId, Vectors, dot, normalise};
use proptest::prelude::*;

/// Numbers that look random and are the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn vector(&mut self, dim: usize) -> Vec<f32> {
        let mut vector: Vec<f32> = (0..dim).map(|_| self.next()).collect();
        normalise(&mut vector);
        vector
    }

    /// One near another: their cosine is about `1 / (1 + spread²)`.
    fn near(&mut self, vector: &[f32], spread: f32) -> Vec<f32> {
        let noise = self.vector(vector.len());
        let mut near: Vec<f32> = vector.iter().zip(noise).map(|(x, y)| x + spread * y).collect();
        normalise(&mut near);
        near
    }
}

/// Vectors about some themes, as those of papers are.
fn themes(rows: usize, dim: usize, seed: u64) -> Vectors {
    let mut numbers = Numbers(seed);
    let themes: Vec<Vec<f32>> = (0..rows / 20 + 1).map(|_| numbers.vector(dim)).collect();
    let mut vectors = Vectors::new(dim);
    for row in 0..rows {
        vectors.push(&numbers.near(&themes[row % themes.len()], 1.2));
    }
    vectors
}

fn index(vectors: &Vectors, graph: Option<Build>) -> Index {
    let labels: Vec<i64> = (1..=vectors.len() as i64).collect();
    Index::build(Source { vectors, labels: &labels, state: 7 }, graph).unwrap()
}

/// By comparing all, as f16 keeps them.
fn by_hand(vectors: &Vectors, query: &[f32], k: usize, keep: impl Fn(RowId) -> bool) -> Vec<Neighbour> {
    let row = |(row, vector): (usize, &[f32])| {
        let kept: Vec<f32> = vector.iter().map(|&x| f16::from_f32(x).to_f32()).collect();
        Neighbour { row: RowId(row as u32), cosine: dot(query, &kept) }
    };
    let mut all: Vec<Neighbour> = vectors.rows().enumerate().map(row).filter(|near| keep(near.row)).collect();
    all.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row)));
    all.truncate(k);
    all
}

fn ask(index: &Index, query: &[f32], k: usize, search: Search, keep: impl Fn(RowId) -> bool) -> paperkin::Result<Vec<Neighbour>> {
    let mut within = RowSet::none(index.len());
    (0..index.len() as u32).map(RowId).filter(|&row| keep(row)).for_each(|row| within.insert(row));
    index.nearest(query, k, search, &within)
}

fn rows(found: &[Neighbour]) -> Vec<u32> {
    found.iter().map(|near| near.row.0).collect()
}

#[test]
fn an_exact_search_is_exact() {
    for (count, dim) in [(1, 1), (2, 3), (17, 7), (257, 24), (5000, 384)] {
        let vectors = themes(count, dim, 1);
        let index = index(&vectors, None);
        let mut numbers = Numbers(2);
        for k in [0, 1, 10, count + 3] {
            let query = numbers.vector(dim);
            let every_third = |row: RowId| row.0.is_multiple_of(3);
            assert_eq!(ask(&index, &query, k, Search::Auto, |_| true).unwrap(), by_hand(&vectors, &query, k, |_| true), "{count} {dim} {k}");
            assert_eq!(ask(&index, &query, k, Search::Exact, every_third).unwrap(), by_hand(&vectors, &query, k, every_third));
        }
    }
}

#[test]
fn a_graph_finds_what_comparing_all_finds() {
    let vectors = themes(4000, 96, 3);
    let index = index(&vectors, Some(Build::default()));
    let mut numbers = Numbers(4);
    let (mut found, queries) = (0, 200);
    for i in 0..queries {
        let query = numbers.near(vectors.row(RowId(i * 17)), 0.7);
        let expected = rows(&by_hand(&vectors, &query, 10, |_| true));
        let got = rows(&ask(&index, &query, 10, Search::Graph(96), |_| true).unwrap());
        found += got.iter().filter(|row| expected.contains(row)).count();
        let few = |row: RowId| row.0.is_multiple_of(97);
        let filtered = ask(&index, &query, 5, Search::HNSW, few).unwrap();
        assert_eq!(filtered.len(), 5, "a filter never costs an answer");
        assert!(filtered.iter().all(|near| few(near.row)));
    }
    assert!(found >= queries as usize * 10 * 97 / 100, "{found} of {}", queries * 10);
}

#[test]
fn no_row_is_lost_however_many_are_alike() {
    let mut numbers = Numbers(5);
    let one = numbers.vector(64);
    let mut sets: Vec<Vectors> = [1, 2, 3, 17, 257].into_iter().map(|rows| themes(rows, 64, 6)).collect();
    sets.push(Vectors::from_rows(64, one.repeat(700)));
    // Thousands of near-duplicates, cosine above .999, among others.
    let mut crowd = themes(1000, 64, 8);
    for _ in 0..2000 {
        crowd.push(&numbers.near(&one, 0.03));
    }
    sets.push(crowd);
    for vectors in sets {
        let index = index(&vectors, Some(Build::default()));
        for row in 0..vectors.len() {
            let vector = &index.vector(RowId(row as u32)).unwrap();
            let found = ask(&index, vector, 20, Search::Graph(96), |_| true).unwrap();
            let own = dot(vector, vector);
            let is_there = found.iter().any(|near| near.row.index() == row) || found.iter().all(|near| near.cosine >= own);
            assert!(is_there, "row {row} of {}", vectors.len());
        }
    }
}

#[test]
fn the_neighbours_of_all_are_those_of_each() {
    let vectors = themes(1500, 48, 9);
    let index = index(&vectors, None);
    let all = index.neighbours(15).unwrap();
    assert_eq!(all.len(), 1500);
    for (row, near) in all.iter().enumerate().step_by(37) {
        let query = index.vector(RowId(row as u32)).unwrap();
        assert_eq!(*near, by_hand(&vectors, &query, 15, |other| other.index() != row), "{row}");
    }
}

fn file_of(index: &Index) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    index.write(&mut std::io::BufWriter::new(&mut file)).unwrap();
    file
}

fn bytes_of(index: &Index) -> Vec<u8> {
    let mut bytes = Vec::new();
    index.write(&mut bytes).unwrap();
    bytes
}

fn opened(bytes: &[u8]) -> paperkin::Result<Index> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Index::open(&file)
}

#[test]
fn a_file_answers_as_what_was_written_and_two_builds_are_equal() {
    let vectors = themes(900, 40, 10);
    for graph in [None, Some(Build::default())] {
        let built = index(&vectors, graph);
        assert_eq!(bytes_of(&built), bytes_of(&index(&vectors, graph)));
        let mut file = file_of(&built);
        let opened = Index::open(&file).unwrap();
        opened.verify().unwrap();
        assert_eq!((opened.len(), opened.dim(), opened.state(), opened.has_graph()), (900, 40, 7, graph.is_some()));
        assert_eq!((opened.label(RowId(4)).unwrap(), opened.row_of(5).unwrap(), opened.row_of(901).unwrap()), (5, Some(RowId(4)), None));
        let query = Numbers(11).vector(40);
        for search in [Search::Exact, Search::HNSW] {
            assert_eq!(ask(&opened, &query, 10, search, |_| true).unwrap(), ask(&built, &query, 10, search, |_| true).unwrap());
        }
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        for cut in [0, 1, 4095, 4096, 8192, bytes.len() / 2, bytes.len() - 4096, bytes.len() - 1] {
            assert!(matches!(self::opened(&bytes[..cut]), Err(Error::IndexDamaged { .. })), "cut to {cut}");
        }
        let longer = [&bytes[..], &[0; 4096]].concat();
        assert!(matches!(self::opened(&longer), Err(Error::IndexDamaged { .. })));
    }
}

#[test]
fn a_flipped_byte_is_an_error_or_changes_nothing() {
    let vectors = themes(300, 24, 12);
    let built = index(&vectors, Some(Build { m: 8, ef_construction: 40 }));
    let bytes = bytes_of(&built);
    let query = Numbers(13).vector(24);
    let answer = |index: &Index, search| ask(&index, &query, 10, search, |_| true);
    let expected = [Search::Exact, Search::Graph(40)].map(|search| answer(&built, search).unwrap());
    proptest!(ProptestConfig::with_cases(3000), |(at in 0..bytes.len(), flip in 1..=255u8)| {
        let mut bytes = bytes.clone();
        bytes[at] ^= flip;
        if let Ok(index) = opened(&bytes) {
            for (search, expected) in [Search::Exact, Search::Graph(40)].into_iter().zip(&expected) {
                if let Ok(found) = answer(&index, search) {
                    prop_assert_eq!(&found, expected, "byte {}", at);
                }
            }
            prop_assert!(index.verify().is_err(), "byte {} of {}", at, bytes.len());
        }
    });
}

/// Rows by label: what an index with changes must answer like.
struct Labelled(Vec<(i64, Vec<f32>)>);

impl Labelled {
    fn source(&self) -> (Vectors, Vec<i64>) {
        let mut vectors = Vectors::new(self.0.first().map_or(1, |(_, vector)| vector.len()));
        self.0.iter().for_each(|(_, vector)| vectors.push(vector));
        (vectors, self.0.iter().map(|(label, _)| *label).collect())
    }

    /// The labels nearest to a query, by hand.
    fn nearest(&self, query: &[f32], k: usize) -> Vec<i64> {
        let (vectors, labels) = self.source();
        rows(&by_hand(&vectors, query, k, |_| true)).into_iter().map(|row| labels[row as usize]).collect()
    }
}

fn labels(index: &Index, query: &[f32], k: usize, search: Search) -> Vec<i64> {
    let found = index.nearest(query, k, search, &RowSet::all(index.len())).unwrap();
    found.iter().map(|near| index.label(near.row).unwrap()).collect()
}

#[test]
fn what_changed_after_a_build_is_answered_and_taken_into_the_graph() {
    let (first, more) = (themes(2000, 48, 14), themes(300, 48, 15));
    let mut now = Labelled(first.rows().enumerate().map(|(row, vector)| (row as i64 + 1, vector.to_vec())).collect());
    let mut kept = index(&first, Some(Build { m: 12, ef_construction: 64 }));
    let mut added = more.rows();
    for round in 0..3 {
        // Some go, some get another vector, some come.
        let changed: Vec<i64> = (0..60).map(|i| 40 * round + i).collect();
        now.0.retain(|(label, _)| !(changed.contains(label) && label % 2 == 0));
        let numbers = changed.iter().filter(|label| *label % 2 == 1).copied();
        let again: Vec<(i64, Vec<f32>)> = numbers.chain(2001 + 50 * round..2051 + 50 * round).zip(added.by_ref().map(<[f32]>::to_vec)).collect();
        now.0.retain(|(label, _)| !again.iter().any(|(other, _)| other == label));
        now.0.extend(again.iter().cloned());
        let (vectors, numbers) = Labelled(again).source();
        let beside = kept.with_changes(&changed, Source { vectors: &vectors, labels: &numbers, state: 0 }).unwrap();
        assert!(!beside.is_compact() && !beside.is_worn());
        let merged = beside.merged(8 + round as u64).unwrap();
        merged.verify().unwrap();
        assert_eq!(bytes_of(&merged), bytes_of(&beside.merged(8 + round as u64).unwrap()), "the same changes give the same bytes");
        let merged = opened(&bytes_of(&merged)).unwrap();
        let mut random = Numbers(16 + round as u64);
        let (mut right, mut of) = (0, 0);
        for i in 0..60 {
            let query = random.near(&now.0[i * 31].1, 0.6);
            let expected = now.nearest(&query, 10);
            for index in [&beside, &merged] {
                assert_eq!(labels(index, &query, 10, Search::Exact), expected, "round {round}, query {i}");
                let found = labels(index, &query, 10, Search::Graph(96));
                right += found.iter().filter(|label| expected.contains(label)).count();
                of += expected.len();
            }
        }
        assert!(right * 100 >= of * 97, "{right} of {of}");
        for (label, vector) in &now.0 {
            let found = labels(&merged, vector, 10, Search::Graph(96));
            assert!(found.contains(label), "{label} is lost in round {round}");
            let others: std::collections::HashSet<&i64> = found.iter().collect();
            assert_eq!(others.len(), found.len(), "one of them is there twice");
        }
        let some: Vec<i64> = now.0.iter().map(|(label, _)| *label).filter(|label| label % 3 == 0).collect();
        let mut ascending = [some.clone(), changed.clone()].concat();
        ascending.sort_unstable();
        ascending.dedup();
        for wanted in [&ascending[..], &ascending[..9], &[]] {
            let expected: Vec<i64> = wanted.iter().copied().filter(|label| now.0.iter().any(|(other, _)| other == label)).collect();
            for index in [&beside, &merged] {
                let mut found: Vec<i64> = index.rows_of(wanted).unwrap().iter().map(|row| index.label(row).unwrap()).collect();
                found.sort_unstable();
                assert_eq!(found, expected);
            }
        }
        kept = merged;
    }
    let all: Vec<i64> = now.0.iter().map(|(label, _)| *label).take(400).collect();
    let nothing = Vectors::new(48);
    assert!(kept.with_changes(&all, Source { vectors: &nothing, labels: &[], state: 0 }).unwrap().is_worn());
}

#[test]
fn auto_walks_among_many_and_compares_few() {
    let vectors = themes(14_000, 16, 21);
    let index = index(&vectors, Some(Build { m: 8, ef_construction: 32 }));
    let mut numbers = Numbers(22);
    let mut differences = 0;
    for i in 0..100 {
        let query = numbers.near(vectors.row(RowId(i * 130)), 0.8);
        let auto = ask(&index, &query, 10, Search::Auto, |_| true).unwrap();
        assert_eq!(auto, ask(&index, &query, 10, Search::HNSW, |_| true).unwrap());
        let exact = by_hand(&vectors, &query, 10, |_| true);
        differences += exact.iter().filter(|near| !auto.contains(near)).count();
        let few = |row: RowId| row.0.is_multiple_of(2);
        assert_eq!(ask(&index, &query, 10, Search::Auto, few).unwrap(), by_hand(&vectors, &query, 10, few));
    }
    assert!(differences < 30, "{differences} of 1,000 were missed");
}

#[test]
fn a_filter_that_leaves_few_is_exact() {
    let vectors = themes(3000, 32, 17);
    let index = index(&vectors, Some(Build::default()));
    let mut numbers = Numbers(18);
    for every in [1, 2, 7, 50, 3000] {
        let keep = |row: RowId| row.0.is_multiple_of(every);
        let query = numbers.vector(32);
        for search in [Search::Auto, Search::Exact] {
            assert_eq!(ask(&index, &query, 12, search, keep).unwrap(), by_hand(&vectors, &query, 12, keep), "every {every}");
        }
        assert!(ask(&index, &query, 12, Search::Graph(64), keep).unwrap().iter().all(|near| keep(near.row)));
    }
}

/// The file of format 1 that this repository keeps; `PAPERKIN_WRITE_FIXTURES=1` writes it.
#[test]
fn a_file_of_each_format_is_read() {
    let path = crate::support::repository("tests/fixtures/format-1.index");
    let vectors = themes(40, 8, 19);
    let built = index(&vectors, Some(Build { m: 4, ef_construction: 32 }));
    if std::env::var_os("PAPERKIN_WRITE_FIXTURES").is_some() {
        std::fs::write(&path, bytes_of(&built)).unwrap();
    }
    let kept = Index::open(&std::fs::File::open(&path).unwrap()).unwrap();
    kept.verify().unwrap();
    let query = Numbers(20).vector(8);
    for search in [Search::Exact, Search::Graph(40)] {
        assert_eq!(ask(&kept, &query, 10, search, |_| true).unwrap(), by_hand(&vectors, &query, 10, |_| true));
    }
    assert!(bytes_of(&kept) == bytes_of(&built), "a change of the format needs a number of its own, and a file beside this one");
}

/// `PAPERKIN_VECTORS` names a file of vectors as `paperkin export --vectors` writes them, `PAPERKIN_BUILDS` says how many builds.
#[test]
fn no_row_is_lost_in_random_builds() {
    let real = std::env::var_os("PAPERKIN_VECTORS").map(|path| crate::support::npy(std::path::Path::new(&path)));
    let builds: u64 = std::env::var("PAPERKIN_BUILDS").ok().map_or(12, |builds| builds.parse().unwrap());
    let most = if real.is_some() { 3000 } else { 1200 };
    for seed in 0..builds {
        let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut below = |most: usize| ((numbers.next() * 0.5 + 0.5) * most as f32) as usize;
        let (count, nearly_equal, dim) = (1 + below(most), 1 + below(50), 1 + below(96));
        let mut vectors = match &real {
            Some(real) if seed % 2 == 0 => {
                let count = count.min(real.len());
                let start = below(real.len() - count + 1).min(real.len() - count);
                let mut some = Vectors::new(real.dim());
                (start..start + count).for_each(|row| some.push(real.row(RowId(row as u32))));
                some
            }
            _ => themes(count, dim, seed + 1),
        };
        // So many in a hundred have a cosine above .999 to another row.
        let rows = vectors.len();
        for _ in 0..rows * nearly_equal / 100 {
            let of = ((numbers.next() * 0.5 + 0.5) * rows as f32) as u32;
            let near = numbers.near(&vectors.row(RowId(of)).to_vec(), 0.03);
            vectors.push(&near);
        }
        let index = index(&vectors, Some(Build::default()));
        let all = RowSet::all(index.len());
        let lost = (0..vectors.len() as u32).map(RowId).filter(|&row| {
            let vector = index.vector(row).unwrap();
            let found = index.nearest(&vector, 96, Search::Graph(96), &all).unwrap();
            let own = dot(&vector, &vector);
            !found.iter().any(|near| near.row == row) && !found.iter().all(|near| near.cosine >= own)
        });
        assert_eq!(lost.collect::<Vec<_>>(), [], "build {seed} of {} rows", vectors.len());
    }
}

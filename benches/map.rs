//! How long a map takes, step by step, and the map: `cargo bench --bench map -- VECTORS.npy [PAPERS.jsonl] [-o DIR]`.
//!
//! Vectors are as `paperkin export --vectors` writes them, papers as `paperkin export` does, in the same order. Topics here are places
//! to tell colours apart, found by k-means on the map and named by the words of their titles; those of the program are better. With `-o`,
//! `map.html`, `map.svg`, and `places.f32` and `neighbours.u32` (15 a row) for other programs to judge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use paperkin::index::{Index, Source};
use paperkin::render::{Map, MapPoint, MapTopic, map_page, map_svg};
use paperkin::topics::{Position, lay_out};
use paperkin::vector::Vectors;

const K: usize = 15;
const TOPICS: usize = 40;

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let out = args.iter().position(|arg| arg == "-o").map(|at| PathBuf::from(args.drain(at..at + 2).nth(1).expect("a directory")));
    let Some(file) = args.first() else { return eprintln!("expected vectors: cargo bench --bench map -- VECTORS.npy [PAPERS.jsonl] [-o DIR]") };
    let vectors = read(file);
    let papers = args.get(1).map(|file| std::fs::read_to_string(file).expect("the papers"));
    println!("{} vectors, {} threads; seconds", vectors.len(), rayon::current_num_threads());

    let labels: Vec<i64> = (1..=vectors.len() as i64).collect();
    let index = step("index", || Index::build(Source { vectors: &vectors, labels: &labels, state: 0 }, None).expect("an index"));
    let near = step("15 neighbours of each, exactly", || index.neighbours(K).expect("neighbours"));
    let near: Vec<Vec<(u32, f32)>> = near.into_iter().map(|list| list.into_iter().map(|near| (near.row.0, near.cosine)).collect()).collect();
    let places = step("layout", || lay_out(&vectors, &near));
    let map = map(&places, papers.as_deref().unwrap_or_default());
    let page = step("page", || map_page(&map));
    let svg = step("picture", || map_svg(&map));
    println!("page {:.1} MB, picture {:.1} MB", page.len() as f64 / 1e6, svg.len() as f64 / 1e6);
    if let Some(out) = out {
        std::fs::create_dir_all(&out).expect("the directory");
        let write = |name: &str, bytes: &[u8]| std::fs::write(out.join(name), bytes).expect("a file");
        write("map.html", page.as_bytes());
        write("map.svg", svg.as_bytes());
        write("places.f32", &places.iter().flatten().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        write("neighbours.u32", &near.iter().flatten().flat_map(|(row, _)| row.to_le_bytes()).collect::<Vec<u8>>());
    }
}

fn step<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{name:32} {:8.3}", start.elapsed().as_secs_f64());
    result
}

fn map(places: &[Position], papers: &str) -> Map {
    let papers: Vec<serde_json::Value> = papers.lines().map(|line| serde_json::from_str(line).expect("a paper")).collect();
    let text = |at: usize, name: &str| papers.get(at).and_then(|paper| paper[name].as_str()).unwrap_or_default().to_owned();
    let own = topics(places);
    let titles: Vec<String> = (0..places.len()).map(|at| text(at, "title")).collect();
    let point = |at: usize| MapPoint {
        place: places[at],
        topic: Some(own[at]).filter(|_| at % 20 > 0),
        id: text(at, "id"),
        title: titles[at].clone(),
        abstract_text: text(at, "abstract"),
        link: Some(format!("https://arxiv.org/abs/{}", text(at, "id"))),
        date: text(at, "published").get(..10).and_then(|date| date.parse().ok()),
    };
    Map { title: "Abstracts of arXiv".to_owned(), points: (0..places.len()).map(point).collect(), topics: names(&titles, &own) }
}

/// K-means on the map, from places evenly drawn.
fn topics(places: &[Position]) -> Vec<usize> {
    let mut middles: Vec<Position> = places.iter().step_by(places.len().div_ceil(TOPICS).max(1)).copied().collect();
    let mut own = vec![0; places.len()];
    for _ in 0..20 {
        let distance = |a: Position, b: Position| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
        let nearest =
            |place: &Position| (0..middles.len()).min_by(|a, b| distance(*place, middles[*a]).total_cmp(&distance(*place, middles[*b]))).unwrap_or(0);
        own = places.iter().map(nearest).collect();
        let mut sums = vec![([0.0f32; 2], 0.0f32); middles.len()];
        for (place, topic) in places.iter().zip(&own) {
            sums[*topic].0 = [sums[*topic].0[0] + place[0], sums[*topic].0[1] + place[1]];
            sums[*topic].1 += 1.0;
        }
        middles = sums.iter().map(|(sum, count)| sum.map(|x| x / count.max(1.0))).collect();
    }
    own
}

/// Words that are more frequent in a topic's titles than in all, weighed by how frequent they are.
fn names(titles: &[String], own: &[usize]) -> Vec<MapTopic> {
    let words = |title: &str| -> BTreeSet<String> {
        title.to_lowercase().split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| word.len() > 4).map(str::to_owned).collect()
    };
    let count = own.iter().max().map_or(0, |most| most + 1);
    let mut all: BTreeMap<String, f64> = BTreeMap::new();
    let mut of: Vec<BTreeMap<String, f64>> = vec![BTreeMap::new(); count];
    for (title, topic) in titles.iter().zip(own) {
        for word in words(title) {
            *all.entry(word.clone()).or_default() += 1.0;
            *of[*topic].entry(word).or_default() += 1.0;
        }
    }
    let topic = |(number, own): (usize, &BTreeMap<String, f64>)| {
        let mut best: Vec<(&String, f64)> = own.iter().map(|(word, count)| (word, count * count / (all[word] + 20.0))).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1));
        let keywords: Vec<String> = best.iter().take(6).map(|(word, _)| (*word).clone()).collect();
        let name = if keywords.is_empty() { format!("Topic {number}") } else { keywords.iter().take(2).cloned().collect::<Vec<_>>().join(", ") };
        MapTopic { name, keywords, parts: Vec::new() }
    };
    of.iter().enumerate().map(topic).collect()
}

fn read(file: &str) -> Vectors {
    let bytes = std::fs::read(file).expect("the file of vectors");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..start]).into_owned();
    let shape = header.split("shape': (").nth(1).and_then(|shape| shape.split([',', ')']).nth(1));
    let dim = shape.and_then(|dim| dim.trim().parse().ok()).expect("a shape");
    Vectors::from_rows(dim, bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

//! How long questions take once the program runs: `cargo bench --bench recommend -- LIBRARY`.
//!
//! Of each kind, the median and the slowest of 100 questions with different papers, on one thread but for the encoder.

use std::time::Instant;

use paperkin::embed::{Compute, Embedder, Model};
use paperkin::library::{Filter, Keyword, Library, PaperRow, Place};
use paperkin::paper::Date;
use paperkin::recommend::{Desk, Options, Query};

const QUESTIONS: usize = 100;
const TEXT: &str = "sparse attention for long documents, with less memory than dense attention";

fn main() {
    let Some(directory) = std::env::args().skip(1).find(|arg| arg != "--bench") else {
        return eprintln!("expected the directory of a library: cargo bench --bench recommend -- LIBRARY");
    };
    let library = Library::open(directory.as_ref()).expect("a library");
    let embedder = Embedder::load(Model::built_in().expect("the model"), Compute::default()).expect("the model");
    let desk = Desk::new(&library).expect("the index");
    let all = library.list(&Filter::default()).expect("papers");
    let with_vector = |row: &PaperRow| library.vector(*row).expect("a vector").is_some();
    let rows: Vec<PaperRow> =
        all.iter().step_by(all.len() / (2 * QUESTIONS)).map(|listing| listing.row).filter(with_vector).take(QUESTIONS).collect();
    println!("{} papers, {} questions of each kind; milliseconds", all.len(), rows.len());
    println!("{:52} {:>8} {:>8}", "", "median", "slowest");

    let narrow = Filter {
        since: Some(Date::constant(2025, 1, 1)),
        categories: vec!["cs".to_owned()],
        exclude: vec![Keyword { text: "survey".to_owned(), place: Place::Anywhere }],
        ..Filter::default()
    };
    let by_author = Filter { authors: vec!["wang".to_owned()], ..narrow.clone() };
    let plain = Options::default();
    let meaning = Options { blend: 0.0, ..Options::default() };
    let narrowed = Options { filter: narrow.clone(), ..Options::default() };
    let seed = |row: PaperRow| desk.seed(row, 1.0).expect("a seed");
    // Five papers of one topic, and two of its outskirts.
    let people = |row: PaperRow| {
        let near = desk.similar(&[row], &Options { count: 100, ..Options::default() }).expect("an answer");
        let likes = [row].into_iter().chain(near.iter().take(4).map(|hit| hit.row)).collect::<Vec<_>>();
        (likes, near.iter().rev().take(2).map(|hit| hit.row).collect::<Vec<_>>())
    };
    let people: Vec<_> = rows.iter().map(|&row| people(row)).collect();
    let ask = |(likes, dislikes): &(Vec<PaperRow>, Vec<PaperRow>)| {
        let mut query = Query { likes: likes.iter().map(|&row| seed(row)).collect(), ..Query::default() };
        query.dislikes = dislikes.iter().map(|&row| seed(row)).collect();
        query.likes.push(desk.text(TEXT, &embedder, 1.0).expect("a text"));
        desk.answer(&query, &narrowed).expect("an answer").len()
    };
    time("one paper", &rows, |&row| desk.similar(&[row], &plain).expect("an answer").len());
    time("one paper, meaning alone", &rows, |&row| desk.similar(&[row], &meaning).expect("an answer").len());
    time("a text", &rows, |_| desk.search(TEXT, &embedder, &plain).expect("an answer").len());
    time("five likes, two dislikes, a text, three filters", &people, ask);
    time("  of which: the text's vector", &rows, |_| desk.text(TEXT, &embedder, 1.0).expect("a text").vector.len());
    time("  of which: the three filters", &rows, |_| library.matching(&narrow).expect("papers").map_or(0, |rows| rows.len()));
    time("the same filters and an author", &rows, |_| library.matching(&by_author).expect("papers").map_or(0, |rows| rows.len()));
}

fn time<T>(what: &str, questions: &[T], mut ask: impl FnMut(&T) -> usize) {
    let mut seconds: Vec<f64> = questions
        .iter()
        .map(|question| {
            let start = Instant::now();
            std::hint::black_box(ask(question));
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("{what:52} {:8.2} {:8.2}", 1e3 * seconds[seconds.len() / 2], 1e3 * seconds[seconds.len() - 1]);
}

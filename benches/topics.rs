//! How long it takes to sort the papers of a library into topics and to name them: `cargo bench --bench topics -- LIBRARY…`.
//!
//! Vectors and texts are read from the library each time; how long that takes alone is told beside it.

use std::path::Path;
use std::time::{Duration, Instant};

use paperkin::library::{Filter, Library};
use paperkin::topics::{Options, topics};

fn main() {
    let libraries: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if libraries.is_empty() {
        return eprintln!("expected libraries: cargo bench --bench topics -- LIBRARY…");
    }
    println!("{} threads; milliseconds, median (fastest to slowest)", rayon::current_num_threads());
    println!("{:>8}  {:>26}  {:>26}  {:>7}  {:>9}", "papers", "read, sorted and named", "read alone", "topics", "left over");
    for library in libraries {
        let library = Library::open(Path::new(&library)).expect("a library");
        let papers = library.len().expect("a number");
        let rounds = if papers > 5_000 { 5 } else { 31 };
        let mut found = topics(&library, &Options::default()).expect("topics");
        let sorted = times(rounds, || found = topics(&library, &Options::default()).expect("topics"));
        let read = times(rounds, || read(&library));
        println!("{papers:>8}  {sorted:>26}  {read:>26}  {:>7}  {:>9}", found.topics.len(), found.leftovers.len());
    }
}

/// What topics read of a library.
fn read(library: &Library) {
    for listing in library.list(&Filter::default()).expect("papers") {
        std::hint::black_box(library.vector(listing.row).expect("a vector"));
    }
}

fn times(rounds: usize, mut work: impl FnMut()) -> String {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let mut times: Vec<Duration> = (0..rounds).map(time).collect();
    times.sort();
    let ms = |at: usize| times[at].as_secs_f64() * 1e3;
    format!("{:.1} ({:.1} to {:.1})", ms(rounds / 2), ms(0), ms(rounds - 1))
}

//! What must hold whatever bytes are read: no panic, no hang, and nothing odd in what comes out.

use std::io::BufReader;

use paperkin::paper::{Date, Paper, PaperId, parse_date};
use paperkin::source::{self, Archive, Format, Item, Options, clean};

/// Reads bytes to their end, in a format or in the one that they look like.
pub fn read(bytes: &[u8], format: Option<Format>) {
    read_input(bytes, format);
}

/// Reads every file of an archive.
pub fn read_archive(bytes: &[u8]) {
    let Ok(mut archive) = Archive::open_stream("x.zip", bytes) else { return };
    for number in 0..archive.len() {
        if let Ok(Some((_, entry))) = archive.entry(number) {
            read_input(BufReader::new(entry), None);
        }
    }
}

fn read_input(input: impl std::io::BufRead, format: Option<Format>) {
    // A day without a year needs one to be told from.
    let options = Options { format, today: Date::new(2026, 1, 31).ok(), ..Options::default() };
    let Ok(items) = source::open("x", input, &options) else { return };
    for item in items {
        match item {
            Ok(Item::Paper(paper)) => check(&paper),
            Ok(Item::Failed(_) | Item::Lost(_) | Item::Deleted(_) | Item::Note(_)) => {}
            // An input that cannot be read is over.
            Err(_) => return,
        }
    }
}

fn check(paper: &Paper) {
    assert!(
        !paper.title.is_empty() || !paper.abstract_text.is_empty() && !paper.ids.is_empty(),
        "neither a title nor an abstract with an id: {paper:?}"
    );
    let called = paper.ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    // Optional texts are absent rather than empty.
    let parts = paper.authors.iter().chain(&paper.categories).chain(&called).chain(&paper.url);
    for part in parts.clone() {
        assert!(!part.is_empty(), "an empty text in {paper:?}");
    }
    for text in parts.chain([&paper.title, &paper.abstract_text]) {
        assert_eq!(&clean(text), text, "not on one line, or with more than text in it");
    }
    assert!(paper.ids.is_sorted_by(|one, next| one < next), "ids out of order, or twice: {:?}", paper.ids);
    for (id, called) in paper.ids.iter().zip(&called) {
        assert_eq!(&PaperId::parse(called), id, "an id that is another when it is read back");
    }
    for day in [paper.published, paper.updated, paper.day].into_iter().flatten() {
        assert_eq!(parse_date(&day.to_string()), Some(day), "a day that cannot be read back");
    }
}

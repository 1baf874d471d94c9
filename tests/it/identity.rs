//! Which records are one paper: cases that once went wrong, and any combination of ids.

use std::collections::HashMap;

use paperkin::library::{Days, Filter, Library, Plan, Record};
use paperkin::paper::{Paper, PaperId};
use proptest::prelude::*;

use crate::support::space;

fn record(ids: &[&str], title: &str, text: &str) -> Record {
    let mut paper = Paper { title: title.to_owned(), abstract_text: text.to_owned(), ..Paper::default() };
    ids.iter().for_each(|id| paper.add_id(PaperId::parse(id)));
    Record { paper, format: "jsonl".to_owned(), origin: "test".to_owned() }
}

/// Adds as `ingest` does, with a vector of no meaning wherever one is asked for.
fn add(library: &mut Library, record: &Record) {
    let vectors = match library.plan(record, false).unwrap() {
        Plan::Vector(hash) => HashMap::from([(hash, vec![0.6, 0.8])]),
        Plan::NoVector => HashMap::new(),
    };
    library.commit(std::slice::from_ref(record), &vectors, &space(2), "").unwrap();
}

fn library(records: &[Record]) -> Library {
    let mut library = Library::in_memory().unwrap();
    records.iter().for_each(|record| add(&mut library, record));
    assert_eq!(library.verify().unwrap().problems, [""; 0]);
    library
}

fn papers(library: &Library) -> Vec<Paper> {
    library.list(&Default::default()).unwrap().into_iter().map(|listing| listing.paper).collect()
}

#[test]
fn one_doi_of_two_providers_is_one_paper() {
    let library = library(&[record(&["W1", "10.1000/x"], "Same thing", "one"), record(&["S2abc", "10.1000/x"], "Same thing, differently", "two")]);
    assert_eq!(papers(&library).len(), 1);
    assert_eq!(library.find("W1").unwrap(), library.find("S2abc").unwrap());
}

#[test]
fn a_corrected_doi_is_one_more_name_of_the_paper() {
    let library = library(&[record(&["2101.00001", "10.1000/a"], "T", "one"), record(&["2101.00001", "10.1000/b"], "T", "one")]);
    assert_eq!(papers(&library).len(), 1);
    assert_eq!(library.find("10.1000/b").unwrap(), library.find("2101.00001").unwrap());
}

#[test]
fn two_arxiv_ids_that_share_a_doi_are_two_papers() {
    let library = library(&[record(&["2101.00001", "10.1000/a"], "T", "one"), record(&["2101.00002", "10.1000/a"], "U", "two")]);
    assert_eq!(papers(&library).len(), 2);
    assert_ne!(library.find("2101.00002").unwrap(), library.find("10.1000/a").unwrap());
}

#[test]
fn a_title_only_paper_is_found_by_its_id_after_its_title_was_edited() {
    let first = record(&[], "Foo bar", "one");
    let id = PaperId::of_title("Foo bar").to_string();
    let library = library(&[first, record(&[&id], "Foo baz", "one")]);
    assert_eq!(papers(&library).len(), 1);
    assert_eq!(papers(&library)[0].title, "Foo baz");
}

#[test]
fn tying_two_papers_together_keeps_the_only_abstract_and_its_vector() {
    let library = library(&[
        record(&["10.1000/zz"], "Absorbed one", ""),
        record(&["W9"], "Absorbed other", "the only abstract"),
        record(&["W9", "10.1000/zz"], "Absorbed one", ""),
    ]);
    let papers = papers(&library);
    assert_eq!((papers.len(), papers[0].abstract_text.as_str()), (1, "the only abstract"));
    assert_eq!(library.vectors().unwrap().papers.len(), 1);
}

#[test]
fn a_text_without_a_version_does_not_replace_one_that_has_it() {
    let mut versioned = record(&["2101.00009"], "T", "new text");
    versioned.paper.version = Some(2);
    let library = library(&[versioned, record(&["2101.00009"], "T", "old text")]);
    assert_eq!(papers(&library)[0].abstract_text, "new text");
}

#[test]
fn what_a_source_has_said_is_no_news_and_every_day_stays_findable() {
    let day = |text: &str| paperkin::paper::parse_date(text);
    let records: Vec<Record> = ["2025-01-01", "2025-01-02", "2025-01-03"]
        .iter()
        .map(|text| {
            let mut record = record(&["2101.00001"], "T", &format!("text of {text}"));
            record.paper.day = day(text);
            record
        })
        .collect();
    let mut library = library(&records);
    let before = library.status().unwrap().generation;
    for record in &records {
        assert_eq!(library.plan(record, false).unwrap(), Plan::NoVector);
        add(&mut library, record);
        let filter = Filter { days: record.paper.day.map(Days::one).unwrap_or_default(), ..Default::default() };
        assert_eq!(library.list(&filter).unwrap().len(), 1);
    }
    assert_eq!(library.status().unwrap().generation, before);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Whatever ids and titles come together in whatever order, nothing fails, the library is sound, and all that was said
    /// is known by one of its names.
    #[test]
    fn no_combination_of_ids_breaks_a_library(
        records in proptest::collection::vec(
            (proptest::collection::vec(0usize..9, 0..4), 0usize..4, 0usize..3), 1..14)
    ) {
        const IDS: [&str; 9] =
            ["2101.00001", "2101.00002", "10.1000/a", "10.1000/b", "W1", "W2", "W3", "title:0123456789abcdef", "title:1123456789abcdef"];
        let records: Vec<Record> = records.iter().map(|(ids, title, text)| {
            let ids: Vec<&str> = ids.iter().map(|&i| IDS[i]).collect();
            record(&ids, ["A", "B", "C", "A b"][*title], ["", "one", "two"][*text])
        }).collect();
        let library = library(&records);
        for record in &records {
            for id in &record.paper.ids {
                prop_assert!(library.find(&id.to_string()).is_ok(), "{id}");
            }
        }
    }
}

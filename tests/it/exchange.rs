//! What `export` writes, `add` reads back as it was: papers of odd texts in every form, and whole libraries.

use paperkin::paper::Paper;
use paperkin::render::{Exchange, to_json};
use paperkin::source::{self, Item};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Kin, repository};

/// The papers of a text, all of which must be read.
fn read(text: &str) -> Vec<Paper> {
    let reader = source::open("x", text.as_bytes(), &source::Options::default()).unwrap_or_else(|e| panic!("{e}: {text}"));
    let paper = |item| match item {
        Ok(Item::Paper(paper)) => *paper,
        other => panic!("{other:?}: {text}"),
    };
    reader.map(paper).collect()
}

fn written(form: Exchange, papers: &[Paper]) -> String {
    form.header() + &papers.iter().map(|paper| form.record(paper)).collect::<String>()
}

fn forms() -> Vec<Exchange> {
    Exchange::NAMES.iter().map(|name| name.parse().unwrap()).collect()
}

/// Words with all that one of the forms reads as a command.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-zA-Zé]{1,8}",
        2 => "[a-z{}\\\\$&%#~^_\"'`@;,|<>=+./0-9-]{1,8}",
        1 => prop_oneof![
            Just("and".to_owned()), Just("\\'e".to_owned()), Just("$x$".to_owned()), Just("&amp;".to_owned()), Just("<i>a</i>".to_owned()),
            Just("\\alpha".to_owned()), Just("=1+1".to_owned()), Just("ER  -".to_owned()), Just("@article{".to_owned()), Just("others".to_owned()),
            Just("paperkin".to_owned()), Just("[\"a\"]".to_owned()), Just("''".to_owned()), Just("日本".to_owned()),
        ],
    ];
    prop::collection::vec(word, 1..7).prop_map(|words| words.join(" "))
}

fn paper() -> impl Strategy<Value = serde_json::Value> {
    let lists = (prop::collection::vec(text(), 0..4), prop::collection::vec("[a-z]{2,4}(\\.[A-Z]{2})?|[A-Z][a-z]{3} [a-z-]{4}", 0..3));
    let numbers = (prop::option::of(0u32..9), prop::option::of(0u32..9999), prop::option::of(1u32..9), any::<bool>());
    let ids = prop::collection::vec(prop_oneof!["2[0-4]0[1-9]\\.[0-9]{5}", "10\\.[0-9]{4}/[a-z0-9()<>_]{1,8}", "[a-zA-Z0-9_{}$%-]{1,9}"], 0..3);
    let days = prop::collection::vec(prop::option::of("20[0-2][0-9]-0[1-9]-[12][0-9]"), 3);
    (text(), prop::option::of(text()), lists, numbers, (ids, days, any::<bool>(), prop::option::of("https?://[a-z]{1,5}\\.org/[a-z0-9_%&~{}]{0,9}")))
        .prop_map(|(title, abstract_text, (authors, categories), (comments, upvotes, version, withdrawn), (ids, days, verbatim, url))| {
            json!({"title": format!("T {title}"), "abstract": abstract_text, "authors": authors, "categories": categories, "comments": comments,
                "upvotes": upvotes, "version": version, "withdrawn": withdrawn, "ids": ids, "published": days[0], "updated": days[1],
                "day": days[2], "url": url, "verbatim": verbatim})
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn papers_of_odd_texts_are_read_back(records in prop::collection::vec(paper(), 1..4)) {
        let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
        // What a library has of them; who counts authors does so when they are written.
        let papers: Vec<Paper> = read(&lines).into_iter().map(|paper| Paper { authors_count: paper.count_authors(), ..paper }).collect();
        for form in forms() {
            let text = written(form, &papers);
            let back = read(&text);
            for (paper, back) in papers.iter().zip(&back) {
                prop_assert_eq!(to_json(back), to_json(paper), "{:?}: {}", form, text);
            }
            prop_assert_eq!(back.len(), papers.len(), "{:?}: {}", form, text);
        }
    }
}

#[test]
fn a_library_is_read_back_from_every_form() {
    let kin = Kin::new();
    let sample = repository("data/sample.jsonl");
    assert_eq!(kin.run(&["add", sample.to_str().unwrap()]).code, 0);
    let exported = std::fs::read_to_string(kin.export()).unwrap();
    let mut names = vec!["a.jsonl", "a.csv", "a.bib", "a.ris"];
    if cfg!(feature = "parquet") {
        names.push("a.parquet");
    }
    for name in names {
        assert_eq!(kin.run(&["export", "-o", name]).code, 0, "{name}");
        let other = Kin::new();
        let ran = other.run(&["add", kin.path(name).to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{name}: {ran:?}");
        assert_eq!(std::fs::read_to_string(other.export()).unwrap(), exported, "{name}");
    }
    let ran = kin.run(&["export", "--format", "docx"]);
    assert!(ran.code == 2 && ran.err.contains("expected one of jsonl, csv, bibtex, ris"), "{ran:?}");
}

#[test]
fn a_spreadsheet_computes_nothing() {
    let papers = read("{\"title\": \"=HYPERLINK(1)\", \"abstract\": \"+1 and -1\", \"authors\": [\"@SUM(A1)\"], \"url\": \"http://x.org\"}\n");
    let text = written(Exchange::Csv, &papers);
    let row = text.lines().nth(1).unwrap();
    assert!(row.contains(",'=HYPERLINK(1),'+1 and -1,"), "{text}");
    let json = |papers: Vec<Paper>| papers.iter().map(to_json).collect::<Vec<_>>();
    assert_eq!(json(read(&text)), json(papers));
}

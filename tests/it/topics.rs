//! Topics: of any number of papers, with names that are true, and the same whatever the number of threads.

use serde_json::Value;

use crate::support::Kin;

/// Papers on some subjects, with words of their own and words that all have.
fn on(subjects: &[(&str, usize)]) -> String {
    let record = |(number, subject): (usize, &str)| {
        let text = format!("We study {subject}. The {subject} of example {number} is new, and we look at {subject}.");
        format!("{{\"id\": \"2001.{number:05}\", \"title\": \"Example {number} of {subject}\", \"abstract\": \"{text}\", \"day\": \"2026-08-11\"}}\n")
    };
    subjects.iter().flat_map(|(subject, count)| std::iter::repeat_n(*subject, *count)).enumerate().map(record).collect()
}

fn library(papers: &str) -> Kin {
    let kin = Kin::new();
    let path = kin.write("papers.jsonl", papers);
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    kin
}

const SUBJECTS: [(&str, usize); 4] =
    [("quantum entanglement", 30), ("protein folding", 25), ("galaxy rotation curves", 20), ("stock market crashes", 15)];

#[test]
fn subjects_are_found_and_named() {
    let kin = library(&on(&SUBJECTS));
    let topics = kin.json(&["cluster", "--topics", "4", "--json"]);
    let topics = topics.as_array().unwrap();
    assert_eq!(topics.len(), 4);
    for (topic, (subject, papers)) in topics.iter().zip(SUBJECTS) {
        assert_eq!((topic["items"].as_array().unwrap().len(), topic["label"].as_str()), (papers, Some(subject)));
    }
}

#[test]
fn a_few_papers_are_sorted_by_their_subjects() {
    let kin = library(&on(&SUBJECTS.map(|(subject, papers)| (subject, papers / 3))));
    let topics = kin.json(&["cluster", "--json"]);
    let topics = topics.as_array().unwrap();
    assert!((2..=10).contains(&topics.len()), "{topics:?}");
    for topic in topics {
        let titles: Vec<&str> = topic["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect();
        let most = SUBJECTS.map(|(subject, _)| titles.iter().filter(|title| title.contains(subject)).count()).into_iter().max().unwrap();
        assert!(most * 10 >= titles.len() * 8, "{titles:?}");
    }
}

#[test]
fn names_are_true_and_no_two_are_the_same() {
    let kin = library(&on(&SUBJECTS));
    let topics = kin.json(&["cluster", "--granularity", "fine", "--json"]);
    let mut names = std::collections::BTreeSet::new();
    for topic in topics.as_array().unwrap() {
        let label = topic["label"].as_str().unwrap();
        assert!(names.insert(label.to_owned()), "{label} is there twice");
        let items = topic["items"].as_array().unwrap();
        let strong = label.split(" (").next().unwrap().split(", ").filter(|phrase| !phrase.is_empty() && !phrase.starts_with('('));
        for phrase in strong {
            let have = items.iter().filter(|item| item["title"].as_str().unwrap().to_lowercase().contains(&phrase.to_lowercase())).count();
            assert!(2 * have >= items.len(), "{phrase} is in {have} of {}", items.len());
        }
    }
}

#[test]
fn any_number_of_papers_has_an_answer() {
    for count in [1, 2, 3, 5, 6, 7] {
        let kin = library(&on(&[("quantum entanglement", count)]));
        let topics = kin.json(&["cluster", "--json"]);
        let papers: usize = topics.as_array().unwrap().iter().map(|topic| topic["items"].as_array().unwrap().len()).sum();
        let all = kin.run(&["cluster", "--format", "jsonl"]);
        assert_eq!((all.code, all.out.lines().count()), (0, count));
        assert!(!topics.as_array().unwrap().is_empty() && papers * 10 >= count * 9, "{count}: {topics}");
    }
    // All the same, but for their ids: a few, and many.
    for count in [20, 200] {
        let same = |i: usize| format!("{{\"id\": \"2001.{i:05}\", \"title\": \"The same\", \"abstract\": \"The same text.\"}}\n");
        let kin = library(&(0..count).map(same).collect::<String>());
        let topics = kin.json(&["cluster", "--json"]);
        assert_eq!(topics[0]["items"].as_array().unwrap().len(), count, "{count} that are equal are one topic");
    }
    let kin = library(&on(&[("quantum entanglement", 8)]));
    for (args, code, what) in [
        (&["cluster", "--date", "2020-01-01"][..], 0, ""),
        (&["cluster", "--topics", "0"], 2, "expected a number from 1 on"),
        (&["cluster", "--max-leftover", "110%"], 2, "expected a share"),
        (&["cluster", "--granularity", "odd"], 2, "no granularity"),
        (&["cluster", "--format", "bibtex"], 2, "no such format"),
    ] {
        let ran = kin.run(args);
        assert!(ran.code == code && ran.err.contains(what), "{args:?}: {ran:?}");
    }
}

#[test]
fn the_same_papers_give_the_same_bytes_with_any_number_of_threads() {
    let kin = library(&on(&SUBJECTS));
    let ask = |threads: &str| {
        let output = kin.command(&["cluster", "--json"]).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    assert!(ask("1") == ask("5") && ask("5") == ask("2"));
}

#[test]
fn topics_of_a_question_and_in_every_form() {
    let kin = library(&on(&SUBJECTS));
    let lines = kin.run(&["cluster", "--query", "protein folding", "--category", "cs", "--format", "jsonl"]);
    assert_eq!((lines.code, lines.out.as_str()), (0, ""));
    let line: Value =
        serde_json::from_str(kin.run(&["cluster", "--query", "protein folding", "--format", "jsonl"]).out.lines().next().unwrap()).unwrap();
    assert_eq!(line.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "label", "score", "topic"]);
    let table = kin.run(&["cluster", "--topics", "4", "-n", "2"]);
    assert!(table.out.starts_with("1. quantum entanglement · 30 papers\n") && table.out.contains("and 28 more"), "{table:?}");
    let markdown = kin.run(&["cluster", "--topics", "4", "--format", "markdown"]);
    assert!(markdown.out.starts_with("## quantum entanglement (30)\n"), "{markdown:?}");
    assert_eq!(kin.run(&["cluster", "-q"]).out.lines().count(), 90);
    for (name, begins) in [("map.html", "<!doctype html>"), ("map.svg", "<svg ")] {
        let path = kin.path(name);
        let ran = kin.run(&["cluster", "--map", path.to_str().unwrap(), "-q"]);
        assert_eq!((ran.code, ran.out.lines().count()), (0, 90));
        assert!(std::fs::read_to_string(path).unwrap().to_lowercase().starts_with(begins), "{name}");
    }
    assert_eq!(kin.run(&["cluster", "--map", "map.png"]).code, 2);
}

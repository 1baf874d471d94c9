//! The store: identity, merging, spaces, what is refused, what a damaged library says.

use crate::support::{Kin, papers, repository};

fn line(id: &str, title: &str, text: &str, more: &str) -> String {
    let id = if id.is_empty() { String::new() } else { format!("\"id\": \"{id}\", ") };
    format!("{{{id}\"title\": \"{title}\", \"abstract\": \"{text}\"{more}}}\n")
}

fn add(kin: &Kin, name: &str, content: &str) -> serde_json::Value {
    let path = kin.write(name, content);
    kin.json(&["add", path.to_str().unwrap(), "--json"])
}

#[test]
fn records_of_one_paper_are_one_paper() {
    let kin = Kin::new();
    let first = add(&kin, "a.jsonl", &line("", "A Study of Graphs", "We study graphs.", ""));
    assert_eq!((&first["new"], &first["embedded"]), (&1.into(), &1.into()));
    let second = add(&kin, "b.jsonl", &line("2508.13426v2", "a study of  graphs", "We study graphs.", ", \"upvotes\": 3"));
    assert_eq!((&second["new"], &second["merged"]), (&0.into(), &1.into()));
    let shown = kin.json(&["show", "2508.13426", "--json"]);
    assert_eq!(shown[0]["upvotes"], 3);
    let old_id = shown[0]["ids"].as_array().unwrap().iter().find(|id| id.as_str().unwrap().starts_with("title:")).unwrap().clone();
    assert_eq!(kin.json(&["show", old_id.as_str().unwrap(), "--json"])[0]["id"], "2508.13426");
    assert_eq!(kin.json(&["status", "--json"])["papers"], 1);
}

#[test]
fn two_ids_under_one_title_are_two_papers_and_a_third_id_may_tie_two() {
    let kin = Kin::new();
    let report = add(&kin, "a.jsonl", &(line("2508.00001", "Editorial", "First.", "") + &line("2508.00002", "Editorial", "Second.", "")));
    assert_eq!(report["new"], 2);
    let report = add(&kin, "b.jsonl", &line("10.1000/x", "Another", "Third.", ""));
    assert_eq!(report["new"], 1);
    // One record says that 2508.00003 and the DOI are one paper; the two that were apart become one.
    add(&kin, "c.jsonl", &line("2508.00003", "Not yet tied", "Fourth.", ""));
    let report = add(&kin, "d.jsonl", &line("2508.00003", "Not yet tied", "Fourth.", ", \"doi\": \"10.1000/x\""));
    assert_eq!(report["merged"], 1);
    assert_eq!(kin.json(&["status", "--json"])["papers"], 3);
    assert_eq!(kin.json(&["show", "10.1000/x", "--json"])[0]["id"], "2508.00003");
    assert_eq!(kin.run(&["verify"]).code, 0);
}

#[test]
fn a_newer_version_replaces_the_text_and_an_older_one_does_not() {
    let kin = Kin::new();
    add(&kin, "a.jsonl", &line("2508.00001v1", "T", "graph network", ""));
    let newer = add(&kin, "b.jsonl", &line("2508.00001v2", "T", "protein market", ""));
    assert_eq!((&newer["merged"], &newer["embedded"]), (&1.into(), &1.into()));
    let older = add(&kin, "c.jsonl", &line("2508.00001v1", "T", "graph network", ""));
    assert_eq!(older["embedded"], 0);
    let shown = kin.json(&["show", "2508.00001", "--json"]);
    assert_eq!((&shown[0]["abstract"], &shown[0]["version"]), (&"protein market".into(), &2.into()));
    let again = add(&kin, "c.jsonl", &line("2508.00001v1", "T", "graph network", ""));
    assert_eq!((&again["unchanged"], &again["embedded"]), (&1.into(), &0.into()));
    assert_eq!(kin.run(&["verify"]).code, 0);
}

#[test]
fn a_source_that_says_something_else_updates_and_the_same_again_changes_nothing() {
    let kin = Kin::new();
    add(&kin, "a.jsonl", &line("x1", "T", "graph network", ", \"upvotes\": 1"));
    let votes = add(&kin, "a.jsonl", &line("x1", "T", "graph network", ", \"upvotes\": 5"));
    assert_eq!((&votes["updated"], &votes["embedded"]), (&1.into(), &0.into()));
    let text = add(&kin, "a.jsonl", &line("x1", "T", "protein market", ", \"upvotes\": 5"));
    assert_eq!((&text["updated"], &text["embedded"]), (&1.into(), &1.into()));
    let again = add(&kin, "a.jsonl", &line("x1", "T", "protein market", ", \"upvotes\": 5"));
    assert_eq!((&again["unchanged"], &again["embedded"]), (&1.into(), &0.into()));
}

#[test]
fn the_counts_of_a_report_add_up() {
    let kin = Kin::new();
    let text = papers(40) + "broken\n" + &papers(3) + &line("", "Only a title", "", "") + "{\"id\": \"1\"}\n";
    let path = kin.write("a.jsonl", text);
    let ran = kin.run(&["add", path.to_str().unwrap(), "--json"]);
    assert_eq!(ran.code, 7);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let n = |key: &str| report[key].as_u64().unwrap();
    assert_eq!(n("read"), n("new") + n("merged") + n("updated") + n("unchanged") + n("failed"));
    assert_eq!((n("read"), n("new"), n("merged"), n("failed"), n("without_abstract"), n("embedded")), (46, 41, 3, 2, 1, 40));
    assert!(ran.err.contains("a.jsonl:41: not valid JSON") && ran.err.contains("a.jsonl:46: the record has no title"), "{}", ran.err);
}

#[test]
fn another_model_is_refused_and_reindex_mends_it() {
    let kin = Kin::new();
    add(&kin, "a.jsonl", &papers(40));
    let other = kin.path("other");
    let from = repository("tests/fixtures/tiny-bert");
    let other = other.to_str().unwrap();
    assert_eq!(kin.run(&["model", "convert", from.to_str().unwrap(), other, "--name", "org/other"]).code, 0);
    let path = kin.write("b.jsonl", papers(41));
    let before = kin.run(&["similar", "2001.00001", "--format", "tsv"]).out;
    for args in [vec!["add", path.to_str().unwrap(), "--model", other], vec!["search", "graphs", "--model", other]] {
        let ran = kin.run(&args);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.err.contains("tiny-bert") && ran.err.contains("org/other") && ran.err.contains("paperkin reindex"), "{}", ran.err);
    }
    assert_eq!(kin.run(&["similar", "2001.00001", "--format", "tsv"]).out, before);
    assert_eq!(kin.run(&["reindex", "--model", other]).code, 0);
    assert_eq!(kin.json(&["status", "--json"])["space"]["model"], "org/other");
    assert_eq!(kin.run(&["search", "graphs", "--model", other]).code, 0);
    assert_eq!(kin.run(&["verify"]).code, 0);
    assert_eq!(kin.run(&["reindex"]).code, 0);
    assert_eq!(kin.run(&["similar", "2001.00001", "--format", "tsv"]).out, before, "the same model gives the same bytes");
}

#[test]
fn a_reindex_that_stopped_half_way_leaves_the_old_vectors_and_goes_on() {
    let kin = Kin::new();
    add(&kin, "a.jsonl", &papers(100));
    let before = kin.run(&["similar", "2001.00001", "--format", "tsv"]).out;
    let mut library = paperkin::library::Library::open_to_write(&kin.path("library")).unwrap();
    let model = paperkin::embed::Model::from_directory(&repository("tests/fixtures/tiny-bert"), None, None).unwrap();
    let mut embedder = paperkin::ingest::LazyEmbedder::new(model, paperkin::embed::Compute::default());
    let stopped = paperkin::ingest::reindex(&mut library, &mut embedder, &mut |_| std::ops::ControlFlow::Break(()));
    assert!(matches!(stopped, Err(paperkin::Error::Interrupted)));
    drop(library);
    let waiting = kin.json(&["status", "--json"])["next_vectors"].as_u64().unwrap();
    assert!(waiting > 0 && waiting < 100, "{waiting}");
    assert_eq!(kin.run(&["similar", "2001.00001", "--format", "tsv"]).out, before);
    assert!(kin.run(&["reindex"]).err.contains(&format!("{} papers embedded", 100 - waiting)));
    assert_eq!(kin.run(&["similar", "2001.00001", "--format", "tsv"]).out, before);
}

#[test]
fn a_library_in_use_is_not_written_by_a_second_process() {
    let kin = Kin::new();
    add(&kin, "a.jsonl", &papers(3));
    let held = paperkin::library::Library::open_to_write(&kin.path("library")).unwrap();
    let path = kin.write("b.jsonl", papers(4));
    let ran = kin.run(&["add", path.to_str().unwrap()]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains(&format!("process {}", std::process::id())), "{}", ran.err);
    assert_eq!(kin.run(&["similar", "2001.00001"]).code, 0, "reading goes on");
    drop(held);
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
}

#[test]
fn what_is_no_library_is_refused_and_left_as_it_is() {
    let kin = Kin::new();
    let cases: [(&str, &[u8], &str); 3] = [
        (
            "garbage",
            b"this is not a database at all, but it is long enough to look at: ..............................................................",
            "cannot be read",
        ),
        ("cut", &std::fs::read(kin_database()).unwrap()[..5000], ""),
        ("empty", b"", "no library at"),
    ];
    for (name, content, part) in cases {
        std::fs::create_dir_all(kin.path(name)).unwrap();
        std::fs::write(kin.path(name).join("library.db"), content).unwrap();
        let ran = kin.run(&["--library", name, "similar", "2001.00001"]);
        assert_ne!(ran.code, 0, "{name}");
        assert!(ran.err.starts_with("error: ") && ran.err.contains(part), "{name}: {}", ran.err);
        assert_eq!(std::fs::read(kin.path(name).join("library.db")).unwrap(), content, "{name}");
    }
    let ran = kin.run(&["--library", "nowhere", "ls"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no library at nowhere") && ran.err.contains("paperkin add"), "{}", ran.err);
}

/// The database of a library that was closed in good order.
fn kin_database() -> std::path::PathBuf {
    let kin = Kin::new();
    add(&kin, "a.jsonl", &papers(20));
    kin.directory.keep().join("library/library.db")
}

#[test]
fn verify_names_what_is_wrong() {
    let kin = Kin::new();
    add(&kin, "a.jsonl", &papers(5));
    let database = rusqlite::Connection::open(kin.path("library/library.db")).unwrap();
    database
        .execute_batch(
            "UPDATE vectors SET vector = zeroblob(64) WHERE row = 1; UPDATE vectors SET vector = x'00' WHERE row = 2;
         DELETE FROM vectors WHERE row = 3; UPDATE papers SET abstract = 'other' WHERE row = 4;",
        )
        .unwrap();
    drop(database);
    let ran = kin.run(&["verify"]);
    assert_eq!(ran.code, 1);
    for part in [
        "2001.00000: its length is 0",
        "2001.00001: it has not 32 numbers",
        "2001.00002: it has an abstract and no vector",
        "2001.00003: its text is not",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
}

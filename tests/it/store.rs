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

fn ids(ran: &crate::support::Ran) -> Vec<String> {
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    ran.out.lines().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn an_index_with_a_graph_takes_in_what_changes() {
    use paperkin::index::Build;
    use paperkin::library::Library;
    let kin = Kin::new();
    let lines: Vec<String> = papers(260).lines().map(|line| line.to_owned() + "\n").collect();
    let first = kin.write("first.jsonl", lines[..220].concat());
    assert_eq!(kin.run(&["add", first.to_str().unwrap()]).code, 0);
    // By the vectors alone: words are weighed in a pool of which a graph may miss the last.
    let ask = |how: &str| ids(&kin.run(&["similar", "2001.00003", "-n", "30", "--format", "tsv", "--blend", "0", "--search", how]));
    let refused = kin.run(&["similar", "2001.00003", "--search", "hnsw"]);
    assert!(refused.code == 2 && refused.err.contains("has no graph"), "{refused:?}");
    let directory = kin.path("library");
    Library::open_to_write(&directory).unwrap().renew_index_with(Some(Build { m: 12, ef_construction: 64 })).unwrap();
    let status = || kin.json(&["status", "--json"])["index"].clone();
    assert_eq!((&status()["has_graph"], &status()["changed"]), (&true.into(), &0.into()));
    assert!(kin.run(&["status"]).out.contains("hnsw"));
    assert_eq!(ask("hnsw"), ask("exact"));
    // New, changed and removed papers are seen at once, before the index is made anew.
    let file = kin.path("library/index/papers.index");
    let old = std::fs::read(&file).unwrap();
    let more = kin.write("more.jsonl", lines[220..].concat() + &line("2001.00005", "Another title", "protein market galaxy", ""));
    assert_eq!(kin.run(&["add", more.to_str().unwrap()]).code, 0);
    assert_eq!(kin.run(&["rm", "2001.00007", "2001.00009"]).code, 0);
    assert!(std::fs::read(&file).unwrap() != old);
    assert_eq!((&status()["has_graph"], &status()["changed"]), (&true.into(), &0.into()));
    let merged = (ask("exact"), ask("hnsw"));
    assert_eq!(merged.0, merged.1);
    let fresh = ids(&kin.run(&["similar", "2001.00003", "-n", "30", "--format", "tsv", "--blend", "0", "--in", kin.export().to_str().unwrap()]));
    assert_eq!(merged.0, fresh, "as a library made of all of it at once answers");
    let recall = kin.json(&["verify", "--recall", "--json"])["recall"].clone();
    assert!(recall["of"].as_u64().unwrap() >= 1000 && recall["found"].as_u64().unwrap() * 100 >= recall["of"].as_u64().unwrap() * 99, "{recall}");
    // More than a quarter changes: the graph is built anew, here without one, as the library is small.
    let many: Vec<String> = (20..90).map(|i| format!("2001.{i:05}")).collect();
    assert_eq!(kin.run(&[&["rm"], &many.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat()).code, 0);
    assert_eq!(status()["has_graph"], false);
}

#[test]
fn changes_beside_an_index_are_seen_before_it_is_made_anew() {
    use paperkin::index::{Build, RowSet, Search};
    use paperkin::library::Library;
    let kin = Kin::new();
    let path = kin.write("a.jsonl", papers(80));
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    let directory = kin.path("library");
    let mut library = Library::open_to_write(&directory).unwrap();
    library.renew_index_with(Some(Build::default())).unwrap();
    let reader = Library::open(&directory).unwrap();
    let gone = library.find("2001.00011").unwrap();
    library.remove(&[gone]).unwrap();
    let seen = reader.index().unwrap();
    assert!(seen.is_kept && seen.index.has_graph() && !seen.index.is_compact());
    assert_eq!((seen.index.row_of(gone.0).unwrap(), reader.status().unwrap().index.changed), (None, 1));
    let vector = library.vector(library.find("2001.00012").unwrap()).unwrap().unwrap();
    let found = seen.index.nearest(&vector, 79, Search::Exact, &RowSet::all(seen.index.len())).unwrap();
    assert_eq!(found.len(), 79);
    assert!(found.iter().all(|near| seen.index.label(near.row).unwrap() != gone.0));
    assert_eq!(reader.neighbours(3).unwrap().len(), 79);
    library.keep_index().unwrap();
    assert_eq!(reader.index().unwrap().index.row_of(gone.0).unwrap(), None);
    assert_eq!(reader.status().unwrap().index.changed, 0);
}

#[test]
fn papers_that_nearly_repeat_another_are_listed_in_groups() {
    let kin = Kin::new();
    let twice = |id: &str, title: &str| line(id, title, "A long abstract on neural networks for graphs of proteins and markets.", "");
    let text = twice("2001.00001", "First")
        + &line("2001.00002", "Alone", "climate robot proof galaxy", "")
        + &twice("2001.00003", "First!")
        + &twice("2001.00004", "First");
    let path = kin.write("a.jsonl", text);
    let found = kin.json(&["ls", "--duplicates=0.94", "--json", "--in", path.to_str().unwrap()]);
    let pairs: Vec<(&str, &str)> =
        found.as_array().unwrap().iter().map(|hit| (hit["query"].as_str().unwrap(), hit["id"].as_str().unwrap())).collect();
    assert_eq!(pairs, [("2001.00001", "2001.00004"), ("2001.00001", "2001.00003")]);
    let table = kin.run(&["ls", "--duplicates=0.94", "--in", path.to_str().unwrap()]);
    assert!(table.err.contains("like First") && !table.out.contains("Alone"), "{table:?}");
    let none = kin.run(&["ls", "--duplicates=1", "--in", kin.write("b.jsonl", papers(9)).to_str().unwrap()]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert_eq!(kin.run(&["ls", "--duplicates=7", "--in", path.to_str().unwrap()]).code, 2);
}

#[test]
fn a_library_of_the_first_format_is_read_and_brought_up_to_date() {
    let kin = Kin::new();
    let path = kin.write("a.jsonl", papers(30));
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    let ask = || ids(&kin.run(&["similar", "2001.00003", "--format", "tsv"]));
    let expected = ask();
    let database = rusqlite::Connection::open(kin.path("library/library.db")).unwrap();
    database
        .execute_batch(
            "DROP TRIGGER vectors_inserted; DROP TRIGGER vectors_deleted; DROP TRIGGER vectors_updated; DROP TABLE changed;
             DROP TABLE ratings; DROP TABLE seen; DROP INDEX papers_facts;
             DROP TABLE topic_papers; DROP TABLE topic_days; DROP TABLE topics;
             ALTER TABLE papers DROP COLUMN withdrawn; ALTER TABLE papers DROP COLUMN provenance; DROP TABLE cursors;
             DROP TABLE letters; DROP TABLE subscriptions; DROP TABLE covered; DROP TABLE readers; DROP TABLE runs;
             DELETE FROM meta WHERE key = 'index'; PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(database);
    assert_eq!((ask(), kin.json(&["status", "--json"])["index"]["is_kept"].clone()), (expected.clone(), false.into()));
    // Nobody has seen or rated anything in it.
    assert_eq!(ids(&kin.run(&["similar", "2001.00003", "--unseen", "--format", "tsv"])), expected);
    assert_eq!((kin.run(&["likes"]).code, kin.run(&["recommend"]).code), (0, 2));
    assert_eq!((kin.run(&["cluster", "--by", "day"]).code, kin.run(&["show", "--topic", "1"]).code), (0, 2));
    let more = kin.write("b.jsonl", papers(31));
    assert_eq!(kin.run(&["add", more.to_str().unwrap()]).code, 0);
    assert_eq!(kin.json(&["status", "--json"])["index"]["is_kept"], true);
    assert_eq!(kin.run(&["like", "2001.00004"]).code, 0);
    assert_eq!((kin.run(&["rm", "2001.00030"]).code, ask()), (0, expected));
}

#[test]
fn a_paper_that_gains_an_abstract_late_is_where_it_came() {
    use paperkin::index::Build;
    use paperkin::library::Library;
    let kin = Kin::new();
    let text = "A long abstract on neural networks for graphs of proteins and markets.";
    let late = |text: &str| line("2001.00001", "First", text, "");
    let lines =
        late("") + &papers(60).lines().skip(10).map(|line| line.to_owned() + "\n").collect::<String>() + &line("2001.99999", "First", text, "");
    let path = kin.write("a.jsonl", lines);
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    Library::open_to_write(&kin.path("library")).unwrap().renew_index_with(Some(Build::default())).unwrap();
    let more = kin.write("b.jsonl", late(text));
    assert_eq!(kin.run(&["add", more.to_str().unwrap()]).code, 0);
    assert_eq!(kin.json(&["status", "--json"])["index"]["has_graph"], true);
    let pairs = || {
        let found = kin.json(&["ls", "--duplicates=0.99", "--json"]);
        found.as_array().unwrap().iter().map(|hit| format!("{} {}", hit["query"], hit["id"])).collect::<Vec<_>>()
    };
    let found = pairs();
    assert_eq!(found[0], "\"2001.00001\" \"2001.99999\"");
    // Equal papers are in the order in which they came, whatever the index knows of it.
    let ask = || ids(&kin.run(&["similar", "2001.00012", "-n", "60", "--format", "tsv"]));
    let kept = ask();
    std::fs::remove_dir_all(kin.path("library/index")).unwrap();
    assert_eq!((ask(), pairs()), (kept, found));
}

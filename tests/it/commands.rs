//! The program as its user meets it: answers, forms, errors, settings.

use crate::support::{Kin, papers, repository};

fn library(count: usize) -> Kin {
    let kin = Kin::new();
    let path = kin.write("papers.jsonl", papers(count));
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    kin
}

#[test]
fn similar_answers_in_every_form() {
    let kin = library(30);
    let hits = kin.json(&["similar", "2001.00003", "-n", "5", "--json"]);
    let hits = hits.as_array().unwrap();
    assert_eq!(hits.len(), 5);
    assert!(hits.iter().all(|hit| hit["id"] != "2001.00003"), "the seed is not in its own answer");
    assert!(hits.windows(2).all(|pair| pair[0]["score"].as_f64() >= pair[1]["score"].as_f64()));
    for key in ["query", "id", "score", "cosine", "title", "abstract", "authors", "published", "url", "reasons"] {
        assert!(hits[0].get(key).is_some(), "{key}");
    }
    let lines = |format: &str| {
        let ran = kin.run(&["similar", "2001.00003", "-n", "5", "--format", format]);
        assert_eq!(ran.code, 0, "{format}: {ran:?}");
        ran.out
    };
    assert_eq!(lines("tsv").lines().next().unwrap().split('\t').collect::<Vec<_>>()[..2], ["2001.00003", hits[0]["id"].as_str().unwrap()]);
    assert_eq!((lines("jsonl").lines().count(), lines("csv").lines().count(), lines("table").lines().count()), (5, 6, 5));
    assert_eq!(lines("bibtex").matches("@misc{").count(), 5);
    assert!(lines("markdown").starts_with("- [Paper") && lines("html").contains("</html>"));
    assert_eq!(kin.run(&["similar", "2001.00003", "-n", "2", "-q"]).out.lines().count(), 2);
}

#[test]
fn several_seeds_are_one_question_with_reasons() {
    let kin = library(30);
    let hits = kin.json(&["similar", "2001.00003", "arXiv:2001.00007v1", "--json"]);
    let hits = hits.as_array().unwrap();
    assert!(hits.iter().all(|hit| hit["id"] != "2001.00003" && hit["id"] != "2001.00007"));
    assert!(hits.iter().all(|hit| hit["reasons"][0]["kind"] == "nearest"), "{hits:?}");
}

#[test]
fn n_may_be_greater_than_the_library_and_days_limit_the_answer() {
    let kin = Kin::new();
    let text = papers(3).replace("\"title\": \"Paper 1", "\"published\": \"2024-05-01\", \"title\": \"Paper 1");
    let path = kin.write("papers.jsonl", text);
    kin.run(&["add", path.to_str().unwrap()]);
    assert_eq!(kin.json(&["similar", "2001.00000", "-n", "100", "--json"]).as_array().unwrap().len(), 2);
    assert_eq!(kin.json(&["similar", "2001.00000", "--since", "2024-05-01", "--json"]).as_array().unwrap().len(), 1);
    assert_eq!(kin.json(&["similar", "2001.00000", "--until", "2024-04-30", "--json"]).as_array().unwrap().len(), 0);
    assert_eq!(kin.run(&["similar", "2001.00000", "--since", "soon"]).code, 2);
    assert_eq!(kin.json(&["ls", "--date", "2024-05-01", "--json"]).as_array().unwrap().len(), 1);
}

#[test]
fn queries_from_a_file_are_answered_in_one_process_and_failures_are_counted() {
    let kin = library(30);
    let queries = kin.write("queries", "2001.00003\n\nno such paper at all\nPaper 7 on\n");
    let ran = kin.run(&["similar", "--queries", queries.to_str().unwrap(), "-n", "4", "--format", "tsv"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("2001.00003\t")).count(), 4);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("Paper 7 on\t")).count(), 4);
    assert!(ran.err.contains("queries:3: no paper is known as \"no such paper at all\""), "{}", ran.err);
    let piped = kin.run_with_input(&["similar", "--queries", "-", "-n", "4", "--format", "jsonl"], b"2001.00003\n");
    assert_eq!((piped.code, piped.out.lines().count()), (0, 4));
}

#[test]
fn what_is_unknown_or_ambiguous_names_what_may_be_meant() {
    let kin = library(30);
    let unknown = kin.run(&["similar", "2001.00033"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("no paper is known as \"2001.00033\"; the nearest titles are:\n  2001.000"), "{}", unknown.err);
    let title = kin.run(&["similar", "studies of protein folding"]);
    assert!(title.err.contains("protein"), "{}", title.err);
    let ambiguous = kin.run(&["similar", "paper 1"]);
    assert!(ambiguous.err.contains("is in 11 titles; among them:\n  2001.00001  Paper 1 on"), "{}", ambiguous.err);
    let json = kin.run(&["similar", "2001.00033", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(error["error_type"], "unknown_paper");
    assert!(error["hint"].is_string());
}

#[test]
fn search_and_in_answer_without_a_library() {
    let kin = Kin::new();
    let path = kin.write("papers.jsonl", papers(20));
    let path = path.to_str().unwrap();
    let hits = kin.json(&["search", "quantum", "galaxy", "--in", path, "-n", "3", "--json"]);
    assert_eq!((hits.as_array().unwrap().len(), &hits[0]["query"]), (3, &"quantum galaxy".into()));
    assert_eq!(kin.json(&["ls", "--in", path, "--json"]).as_array().unwrap().len(), 20);
    assert!(!kin.path("library").exists());
    let partial = kin.run(&["similar", "2001.00003", "--in", path, "--in", "missing"]);
    assert_eq!(partial.code, 7, "{partial:?}");
    let kept = library(20);
    let args = ["similar", "2001.00003", "--format", "jsonl"];
    assert_eq!(kept.run(&args).out, kept.run(&[&args[..], &["--in", "papers.jsonl"]].concat()).out, "kept or not, the bytes are the same");
}

#[test]
fn what_export_writes_add_reads_back() {
    let kin = library(10);
    let first = kin.run(&["export"]).out;
    assert_eq!(first.lines().count(), 10);
    let copy = Kin::new();
    let path = copy.write("export.jsonl", &first);
    assert_eq!(copy.run(&["add", path.to_str().unwrap()]).code, 0);
    assert_eq!(copy.run(&["export"]).out, first);
    let ran = kin.run(&["export", "-o", "out.jsonl", "--vectors", "out.npy"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let npy = std::fs::read(kin.path("out.npy")).unwrap();
    let header = u16::from_le_bytes([npy[8], npy[9]]) as usize;
    assert_eq!((&npy[..6], (10 + header) % 64, npy.len()), (&b"\x93NUMPY"[..], 0, 10 + header + 10 * 32 * 4));
    assert!(String::from_utf8_lossy(&npy[10..10 + header]).contains("'shape': (10, 32)"));
    assert_eq!(std::fs::read_to_string(kin.path("out.ids.txt")).unwrap().lines().count(), 10);
}

#[test]
fn export_touches_no_file_but_its_own() {
    let kin = library(3);
    kin.write("papers.part", "mine");
    assert_eq!(kin.run(&["export", "-o", "out.jsonl", "--vectors", "v.npy"]).code, 0);
    assert_eq!(std::fs::read(kin.path("papers.part")).unwrap(), b"mine");
    assert_eq!(kin.run(&["export", "-o", "x", "--vectors", "x"]).code, 2);
    assert_eq!(kin.run(&["export", "-o", "/dev/null"]).code, 0);
    assert_eq!(kin.run(&["export", "-o", "no/such/folder/x"]).code, 1);
    let left = std::fs::read_dir(kin.directory.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(left.count(), 1);
}

#[test]
fn odd_questions_are_answered_with_an_error_of_their_own() {
    let kin = library(3);
    for asked in ["\"\"\"", "\"\"\" (((", "", "*", "🚀", "a OR b NEAR", "%"] {
        let ran = kin.run(&["show", asked]);
        assert!(ran.code == 1 && ran.err.contains("no paper is known as"), "{asked}: {ran:?}");
    }
}

#[test]
fn rm_removes_a_paper_its_vector_and_its_names() {
    let kin = library(5);
    assert_eq!(kin.run(&["rm", "2001.00002", "Paper 3 on"]).code, 0);
    assert_eq!(kin.json(&["status", "--json"])["vectors"], 3);
    assert_eq!(kin.run(&["show", "2001.00002"]).code, 1);
    assert_eq!(kin.run(&["verify"]).code, 0);
    let back = kin.run(&["add", "papers.jsonl"]);
    assert!(back.err.contains("2 new") && back.err.contains("2 embedded"), "{}", back.err);
}

#[test]
fn settings_come_from_the_flag_the_environment_and_the_file() {
    let kin = library(12);
    kin.write("paperkin.toml", "limit = 3\nformat = \"jsonl\"\n");
    assert_eq!(kin.run(&["similar", "2001.00003"]).out.lines().count(), 3);
    assert_eq!(kin.run(&["similar", "2001.00003", "-n", "4", "--format", "tsv"]).out.lines().count(), 4);
    let from_environment = kin.command(&["similar", "2001.00003"]).env("PAPERKIN_FORMAT", "json").output().unwrap();
    assert!(from_environment.stdout.starts_with(b"["));
    kin.write("paperkin.toml", "limit = 3\nfromat = \"jsonl\"\n");
    let ran = kin.run(&["ls"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("paperkin.toml:2:1: unknown field `fromat`"), "{}", ran.err);
}

#[test]
#[cfg(feature = "remote")]
fn a_model_that_is_not_here_is_one_sentence_and_exit_4() {
    let kin = library(2);
    for (args, env) in [(vec!["--offline"], None), (vec![], Some(("HF_HUB_OFFLINE", "1"))), (vec![], Some(("PAPERKIN_OFFLINE", "1")))] {
        let mut command = kin.command(&[&["search", "x", "--model", "org/missing"], &args[..]].concat());
        command.envs(env).env("HF_ENDPOINT", "http://127.0.0.1:9");
        let output = command.output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{err}");
        for part in ["org/missing", "offline", "the directory org/missing", "huggingface/hub", "paperkin model fetch org/missing"] {
            assert!(err.contains(part), "{part}: {err}");
        }
    }
    let dead = kin.command(&["search", "x", "--model", "org/missing"]).env("HF_ENDPOINT", "http://127.0.0.1:9").output().unwrap();
    let err = String::from_utf8(dead.stderr).unwrap();
    assert_eq!(dead.status.code(), Some(4), "{err}");
    assert!(err.contains("cannot reach the hub") && err.contains("127.0.0.1:9") && err.contains("paperkin model fetch org/missing"), "{err}");
    let path = kin.run(&["search", "x", "--model", "./missing"]);
    assert_eq!(path.code, 4, "{path:?}");
}

#[test]
fn an_index_that_is_damaged_old_or_gone_changes_no_answer() {
    let kin = library(60);
    let ask = || kin.run(&["similar", "2001.00003", "-n", "20", "--format", "tsv"]);
    let file = kin.path("library/index/papers.index");
    let whole = std::fs::read(&file).unwrap();
    let expected = ask();
    assert_eq!((expected.code, expected.err.as_str(), expected.out.lines().count()), (0, "", 20));
    let mut flipped = whole.clone();
    // In a block of codes, which no head tells of.
    flipped[3 * 4096 + 100] ^= 1;
    for damaged in [&whole[..whole.len() / 2], &whole[..0], b"no index", &flipped] {
        std::fs::write(&file, damaged).unwrap();
        let ran = ask();
        assert_eq!((ran.code, &ran.out), (0, &expected.out));
        assert!(ran.err.contains("index was damaged") && ran.err.lines().count() == 1, "{ran:?}");
        assert!(std::fs::read(&file).unwrap() == whole, "it is made anew, and the same");
    }
    std::fs::write(&file, &flipped).unwrap();
    assert!(kin.run(&["verify"]).out.contains("the index is damaged: block"));
    std::fs::remove_dir_all(kin.path("library/index")).unwrap();
    assert_eq!((ask().out, kin.run(&["verify"]).code), (expected.out.clone(), 0));
    // One of another generation is of another library.
    std::fs::create_dir(kin.path("library/index")).unwrap();
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(kin.run(&["rm", "2001.00007"]).code, 0);
    assert!(!ask().out.contains("2001.00007"));
    assert!(std::fs::read(&file).unwrap() != whole);
    std::fs::write(&file, &whole).unwrap();
    let ran = ask();
    assert!(!ran.out.contains("2001.00007") && ran.err.contains("not the one that the library knows"), "{ran:?}");
    assert_eq!((ask().out, ask().err.as_str()), (ran.out, ""), "it was made anew");
    // Killed between the index and the note of it: what changed is still known as changed.
    let more = kin.write("more.jsonl", papers(62));
    let old = std::fs::read(&file).unwrap();
    assert_eq!(kin.run(&["add", more.to_str().unwrap()]).code, 0);
    let database = rusqlite::Connection::open(kin.path("library/library.db")).unwrap();
    let known: i64 = database.query_row("SELECT value FROM meta WHERE key = 'index'", [], |row| row.get(0)).unwrap();
    for (state, index) in [(known + 1, std::fs::read(&file).unwrap()), (known, old)] {
        database.execute_batch("INSERT OR IGNORE INTO changed SELECT row FROM papers WHERE id IN ('2001.00060', '2001.00061')").unwrap();
        database.execute("UPDATE meta SET value = ?1 WHERE key = 'index'", [state]).unwrap();
        std::fs::write(&file, index).unwrap();
        let all = kin.run(&["similar", "2001.00003", "-n", "100", "--format", "tsv"]);
        assert!(all.out.lines().count() == 61 && all.out.contains("2001.00061") && all.err.contains("made anew"), "{all:?}");
    }
}

#[test]
fn an_index_of_another_library_is_not_believed() {
    let kin = Kin::new();
    let all = papers(40);
    let part = |name: &str, skip: usize| kin.write(name, all.lines().skip(skip).take(20).map(|line| line.to_owned() + "\n").collect::<String>());
    let (first, second) = (part("first", 0), part("second", 20));
    assert_eq!(kin.run(&["add", first.to_str().unwrap()]).code, 0);
    // Another database, with as many commits and papers, beside the index of the first.
    for file in std::fs::read_dir(kin.path("library")).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(kin.run(&["add", second.to_str().unwrap()]).code, 0);
    let ask = |args: &[&str]| kin.run(&[&["similar", "2001.00025", "--format", "tsv"], args].concat()).out;
    let answer = ask(&[]);
    assert_eq!((answer.lines().count(), &answer), (10, &ask(&["--in", second.to_str().unwrap()])));
}

#[test]
fn verify_looks_for_every_vector_in_the_index() {
    let (kin, other) = (Kin::new(), Kin::new());
    for (kin, skip) in [(&kin, 0), (&other, 1)] {
        let path = kin.write("papers.jsonl", papers(41).lines().skip(skip).take(40).map(|line| line.to_owned() + "\n").collect::<String>());
        assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    }
    assert_eq!(kin.run(&["verify"]).code, 0);
    let index = std::fs::read(other.path("library/index/papers.index")).unwrap();
    std::fs::write(kin.path("library/index/papers.index"), &index).unwrap();
    let state = i64::from_le_bytes(index[16..24].try_into().unwrap());
    let database = rusqlite::Connection::open(kin.path("library/library.db")).unwrap();
    database.execute("UPDATE meta SET value = ?1 WHERE key = 'index'", [state]).unwrap();
    let ran = kin.run(&["verify"]);
    assert!(ran.code == 1 && ran.out.contains("paper 2001.00000 has another vector in it") && ran.out.contains("it can be deleted"), "{ran:?}");
}

#[test]
fn precisions_may_be_mixed_and_made_one_again() {
    let kin = Kin::new();
    let all = papers(40);
    let half: String = all.lines().take(20).map(|line| line.to_owned() + "\n").collect();
    let (half, all) = (kin.write("half.jsonl", half), kin.write("all.jsonl", all));
    let computed = |kin: &Kin| kin.json(&["status", "--json"])["precisions"].clone();
    assert_eq!(kin.run(&["add", half.to_str().unwrap(), "--precision", "exact"]).code, 0);
    assert_eq!(computed(&kin), serde_json::json!(["exact"]));
    let portable = kin.command(&["add", all.to_str().unwrap(), "--precision", "turbo"]).env("PAPERKIN_INSTRUCTIONS", "portable").output().unwrap();
    assert!(portable.status.success(), "{portable:?}");
    assert_eq!(computed(&kin), serde_json::json!(["exact", "turbo"]));
    assert!(kin.run(&["status"]).out.contains("exact and turbo"));
    assert_eq!(kin.json(&["similar", "2001.00003", "-n", "39", "--json"]).as_array().unwrap().len(), 39);
    assert_eq!(kin.run(&["reindex", "--precision", "exact"]).code, 0);
    assert_eq!(computed(&kin), serde_json::json!(["exact"]));
    let wrong = kin.command(&["status"]).env("PAPERKIN_INSTRUCTIONS", "sse9").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("avx512, avx2, neon, portable"), "{wrong:?}");
}

#[test]
fn wrong_devices_precisions_and_formats_are_named() {
    let kin = library(2);
    let cases = [
        (vec!["search", "x", "--device", "cuda"], 1, "built without it"),
        (vec!["search", "x", "--device", "tpu"], 2, "auto, cpu, cuda or metal"),
        (vec!["search", "x", "--precision", "half"], 2, "expected auto, exact, fast, turbo"),
        (vec!["ls", "--format", "xml"], 2, "expected one of table, json"),
        (vec!["add", "papers.jsonl", "--format", "xml"], 2, "expected one of capture, hf, jsonl"),
        (vec!["add", "hf:2026-13"], 2, "expected hf:today, hf:2026-08-11, hf:2026-W32 or hf:2026-08"),
        (vec!["similar"], 2, "nothing to start from: no paper and no text"),
        (vec!["search", " "], 2, "empty"),
    ];
    for (args, code, part) in cases {
        if args.contains(&"cuda") && cfg!(feature = "cuda") {
            continue;
        }
        let ran = kin.run(&args);
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
        assert!(ran.err.contains(part), "{args:?}: {}", ran.err);
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let kin = library(2000);
    let mut child = kin.command(&["ls", "--format", "jsonl"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_usage_in_the_readme_is_that_of_the_program() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let kin = Kin::new();
    let mut blocks = 0;
    for block in readme.split("```console\n$ paperkin ").skip(1) {
        let (command, rest) = block.split_once('\n').unwrap();
        let expected = rest.split("\n```").next().unwrap();
        if command.ends_with("--help") {
            let ran = kin.run(&command.split(' ').collect::<Vec<_>>());
            let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned();
            assert_eq!(trimmed(&ran.out), trimmed(expected), "the README's `paperkin {command}`");
            blocks += 1;
        }
    }
    assert!(blocks >= 2, "the README shows the usage");
}

//! Likes, dislikes, texts and profiles: what is asked, and what is told of the answer.

use serde_json::Value;

use crate::support::{Kin, papers};

fn library(count: usize) -> Kin {
    let kin = Kin::new();
    let path = kin.write("papers.jsonl", papers(count));
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    kin
}

fn ids(answer: &Value) -> Vec<String> {
    answer.as_array().unwrap().iter().map(|hit| hit["id"].as_str().unwrap().to_owned()).collect()
}

fn reason<'a>(hit: &'a Value, kind: &str) -> Option<&'a Value> {
    hit["reasons"].as_array().unwrap().iter().find(|reason| reason["kind"] == kind)
}

fn place(answer: &Value, id: &str) -> Option<usize> {
    ids(answer).iter().position(|other| other == id)
}

#[test]
fn likes_weigh_and_dislikes_cost() {
    let kin = library(60);
    let all = ["-n", "60", "--json"];
    let ask = |args: &[&str]| kin.json(&[&["similar"], args, &all].concat());
    let liked = ask(&["2001.00003", "2001.00010"]);
    assert_eq!(liked.as_array().unwrap().len(), 58, "the seeds are not in the answer");
    for strategy in ["auto", "average", "best", "sum"] {
        let near = ids(&ask(&["2001.00003", "--strategy", strategy]))[0].clone();
        let before = ask(&["2001.00003", "2001.00010", "--strategy", strategy]);
        let disliked = ask(&["2001.00003", "2001.00010", "--dislike", &near, "--strategy", strategy]);
        assert!(place(&disliked, &near).is_none(), "{strategy}: a disliked paper is a seed, and in no answer");
        let costs: Vec<f64> = disliked.as_array().unwrap().iter().map(|hit| reason(hit, "disliked").unwrap()["cost"].as_f64().unwrap()).collect();
        assert!(costs.iter().any(|cost| *cost > 0.0), "{strategy}: {costs:?}");
        assert_ne!(ids(&before), ids(&disliked), "{strategy}");
    }
    // A weak dislike costs less than a strong one, by itself and beside others.
    let cost = |dislike: &str| reason(&ask(&["2001.00003", "2001.00010", "--dislike", dislike])[0], "disliked").unwrap()["cost"].as_f64().unwrap();
    assert!(cost("2001.00020:0.1") < cost("2001.00020") && cost("2001.00020") < cost("2001.00020:3"));
    // A heavy seed pulls the answer to its side.
    let to = |answer: &Value, seed: &str| {
        let near = answer.as_array().unwrap().iter().take(10).filter(|hit| reason(hit, "nearest").unwrap()["seed"] == seed).count();
        near as f64
    };
    let (first, second) = (ask(&["2001.00003:20", "2001.00010"]), ask(&["2001.00003", "2001.00010:20"]));
    assert!(to(&first, "2001.00003") > to(&second, "2001.00003"));
}

#[test]
fn weights_are_told_from_ids_and_wrong_ones_are_refused() {
    let kin = library(20);
    let answer = |asked: &str| ids(&kin.json(&["similar", asked, "--json"]));
    assert_eq!(answer("2001.00003:2"), answer("2001.00003"));
    assert_eq!(answer("arXiv:2001.00003"), answer("2001.00003"));
    assert_eq!(answer("arXiv:2001.00003:0.5"), answer("2001.00003"));
    for (args, what) in [
        (&["similar", "2001.00003:0"][..], "a weight of 0"),
        (&["similar", "2001.00003:-1"], "a weight of -1"),
        (&["similar", "2001.00003:x"], "no paper is known"),
        (&["similar"], "nothing to start from"),
        (&["similar", "--dislike", "2001.00003"], "--like-file"),
        (&["similar", "2001.00003", "--strategy", "median"], "no strategy \"median\""),
        (&["similar", "2001.00003", "--blend", "2"], "a blend of 2"),
        (&["similar", "2001.00003", "--diversity=NaN"], "a diversity of NaN"),
        (&["similar", "2001.00003", "--recent=0"], "a half-life of 0"),
        (&["similar", "2001.00003", "--unseen=week"], "no time \"week\""),
        (&["similar", "2001.00003", "--unseen=0d"], "no time \"0d\""),
        (&["similar", "2001.00003", "--keyword", "!!"], "is no keyword"),
        (&["similar", "--text", " "], "the text is empty"),
        (&["similar", "--like-file", "absent.txt"], "absent.txt"),
        (&["recommend"], "likes no paper with an abstract yet"),
        (&["search", "-n", "3", "!!", "--keyword", "--semantic"], "cannot be used with"),
    ] {
        let ran = kin.run(args);
        assert!(ran.code != 0 && ran.err.contains(what) && ran.out.is_empty(), "{args:?}: {ran:?}");
    }
}

#[test]
fn texts_and_files_are_seeds() {
    let kin = library(40);
    let known = kin.write("known.jsonl", papers(4).lines().nth(3).unwrap());
    let new = kin.write("new.jsonl", "{\"id\": \"2401.00001\", \"title\": \"Paper 3 on proof\", \"abstract\": \"quantum graph protein\"}\n");
    let text = kin.write("abstract.txt", "A pasted abstract on quantum graphs and proteins,\nover two lines.");
    let ask = |args: &[&str]| kin.json(&[&["similar"], args, &["-n", "40", "--json"]].concat());
    // A paper of the library is that paper, wherever it comes from.
    let by_file = ask(&["--like-file", known.to_str().unwrap()]);
    assert_eq!(ids(&by_file), ids(&ask(&["2001.00003"])));
    assert_eq!(ids(&ask(&["--like-file", new.to_str().unwrap()])).len(), 40);
    assert_eq!(ids(&ask(&["2001.00003", "--like-file", text.to_str().unwrap(), "--text", "quantum"])).len(), 39);
    let piped = kin.run_with_input(&["similar", "--text", "-", "--json"], b"quantum graph protein");
    assert_eq!(
        (piped.code, serde_json::from_str::<Value>(&piped.out).unwrap()),
        (0, kin.json(&["similar", "--text", "quantum graph protein", "--json"]).as_array().unwrap().iter().cloned().collect::<Vec<_>>().into())
    );
    // A text is named after its file, whether it can be read twice or not.
    let named = kin.json(&["similar", "--like-file", text.to_str().unwrap(), "--json", "-n", "1"]);
    assert_eq!(named[0]["query"], "abstract.txt");
    let piped = kin.run_with_input(&["similar", "--like-file", "-", "--json"], &std::fs::read(&text).unwrap());
    assert_eq!(ids(&serde_json::from_str(&piped.out).unwrap()), ids(&ask(&["--like-file", text.to_str().unwrap()]))[..10]);
    for empty in ["", " \n"] {
        let path = kin.write("empty.txt", empty);
        assert_ne!(kin.run(&["similar", "--like-file", path.to_str().unwrap()]).code, 0, "{empty:?}");
    }
    let twice = kin.json(&["similar", "2001.00003", "--like-file", known.to_str().unwrap(), "--json"]);
    assert_eq!(ids(&twice), ids(&ask(&["2001.00003"]))[..10]);
    let binary = kin.write("x.bin", b"\x89PNG\r\n\x1a\n\0\0\0\xff\xfe");
    assert_ne!(kin.run(&["similar", "--like-file", binary.to_str().unwrap()]).code, 0);
}

#[test]
fn other_versions_of_a_seed_are_not_in_the_answer() {
    let kin = library(10);
    let twin = papers(4).lines().nth(3).unwrap().replace("2001.00003", "2101.00003") + "\n";
    let path = kin.write("twin.jsonl", twin);
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    assert_eq!(kin.run(&["ls", "-q"]).out.lines().count(), 11, "two ids are two papers");
    let answer = kin.json(&["similar", "2001.00003", "--json", "-n", "20"]);
    assert_eq!((ids(&answer).len(), place(&answer, "2101.00003")), (9, None));
}

#[test]
fn a_profile_is_kept_recommends_and_travels() {
    let kin = library(60);
    assert_eq!(kin.run(&["like", "2001.00003", "2001.00010:2"]).code, 0);
    let told = kin.run(&["dislike", "2001.00020", "--profile", "default"]);
    assert_eq!((told.code, told.err.trim()), (0, "default likes 2 papers and dislikes 1"));
    let answer = kin.json(&["recommend", "--json", "-n", "60"]);
    assert_eq!(ids(&answer).len(), 57, "what is rated is known");
    assert_eq!(answer, kin.json(&["recommend", "--json", "-n", "60"]));
    let by_hand = kin.json(&["similar", "2001.00003", "2001.00010:2", "--dislike", "2001.00020", "--json", "-n", "60"]);
    assert_eq!(ids(&answer), ids(&by_hand));

    let file = kin.path("me.jsonl");
    assert_eq!(kin.run(&["likes", "--export", file.to_str().unwrap()]).code, 0);
    assert_eq!(kin.run(&["likes", "--import", file.to_str().unwrap(), "--profile", "other"]).code, 0);
    let of_other = kin.json(&["recommend", "--profile", "other", "--json", "-n", "60"]);
    assert_eq!(ids(&answer), ids(&of_other));
    let ratings = |profile: &str| kin.json(&["likes", "--profile", profile, "--json"]);
    assert_eq!(ratings("default"), ratings("other"));
    assert_eq!(ratings("default")[0]["rating"], 2.0);

    assert_eq!(kin.run(&["unlike", "2001.00003", "2001.00010", "--profile", "other"]).code, 0);
    assert_eq!(kin.run(&["recommend", "--profile", "other"]).code, 2);
    let bad = kin
        .write("bad.jsonl", "{\"id\": \"2001.00004\", \"rating\": 1}\n{\"id\": \"9\", \"rating\": 1}\nx\n{\"id\": \"2001.00005\", \"rating\": 0}\n");
    let ran = kin.run(&["likes", "--import", bad.to_str().unwrap(), "--profile", "bad"]);
    assert!(ran.code == 7 && ran.err.contains("1 rating taken, 3 failed") && ran.err.contains("bad.jsonl:2"), "{ran:?}");
    let empty = kin.run(&["likes", "--profile", "nobody"]);
    assert!(empty.code == 0 && empty.err.contains("bad, default, other"), "{empty:?}");
}

#[test]
fn ratings_and_marks_follow_a_paper_that_turns_out_to_be_another() {
    let kin = Kin::new();
    let record = |id: &str, more: &str| format!("{{\"id\": \"{id}\", \"title\": \"Title {id}\", \"abstract\": \"text of {id}\"{more}}}\n");
    let path = kin.write("a.jsonl", record("W1", "") + &record("W2", ""));
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    assert_eq!(kin.run(&["like", "W2"]).code, 0);
    assert_eq!(kin.run(&["similar", "W1", "--mark-seen"]).code, 0);
    let path = kin.write("b.jsonl", record("W1", ", \"ids\": [\"W1\", \"W2\"]"));
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    let likes = kin.json(&["likes", "--json"]);
    assert_eq!((likes.as_array().unwrap().len(), &likes[0]["id"]), (1, &"W1".into()), "{likes}");
    let seen = kin.json(&["search", "text", "--json"]);
    assert!(ids(&seen) == ["W1"] && reason(&seen[0], "seen").is_some(), "{seen}");
    assert_eq!(kin.run(&["verify"]).code, 0);
}

#[test]
fn what_was_seen_is_marked_or_hidden() {
    let kin = library(30);
    let first = kin.json(&["similar", "2001.00003", "--json", "-n", "5", "--mark-seen"]);
    let again = kin.json(&["similar", "2001.00003", "--json", "-n", "6"]);
    assert_eq!(ids(&first), ids(&again)[..5]);
    let marks: Vec<bool> = again.as_array().unwrap().iter().map(|hit| reason(hit, "seen").is_some()).collect();
    assert_eq!(marks, [true, true, true, true, true, false]);
    for when in ["--unseen", "--unseen=30d", "--unseen=ever"] {
        let new = kin.json(&["similar", "2001.00003", "--json", "-n", "30", when]);
        assert!(ids(&new).len() == 24 && ids(&first).iter().all(|id| place(&new, id).is_none()), "{when}");
    }
    assert_eq!(ids(&kin.json(&["similar", "2001.00003", "--json", "-n", "30", "--unseen", "--profile", "other"])).len(), 29);
    let path = kin.path("papers.jsonl");
    assert_eq!(kin.run(&["search", "x", "--in", path.to_str().unwrap(), "--mark-seen"]).code, 2);
}

#[test]
fn newer_more_popular_and_more_diverse_papers_come_first() {
    let kin = Kin::new();
    let record = |id: usize, text: &str, more: &str| format!("{{\"id\": \"2001.{id:05}\", \"title\": \"T{id}\", \"abstract\": \"{text}\"{more}}}\n");
    let lines = [
        record(0, "quantum graphs of proteins on a twisted lattice", ""),
        record(1, "quantum graphs of protein folds", ", \"published\": \"2010-01-01\""),
        record(2, "quantum graphs of protein folds 2", ", \"published\": \"2026-01-01\""),
        record(3, "quantum graphs of protein folds, the twisted lattices", ", \"upvotes\": 100"),
        record(4, "markets and climate", ""),
    ];
    let path = kin.write("a.jsonl", lines.concat());
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    let ask = |args: &[&str]| kin.json(&[&["similar", "2001.00000", "--json"], args].concat());
    let plain = ask(&[]);
    let recent = ask(&["--recent=36500"]);
    let gain = |answer: &Value, id: &str, kind: &str| {
        let hit = answer.as_array().unwrap().iter().find(|hit| hit["id"] == id).unwrap();
        reason(hit, kind).map(|reason| reason["gain"].as_f64().unwrap())
    };
    assert!(gain(&recent, "2001.00002", "recent") > gain(&recent, "2001.00001", "recent"));
    assert_eq!((gain(&plain, "2001.00002", "recent"), gain(&recent, "2001.00003", "recent")), (None, None));
    let popular = ask(&["--popular"]);
    assert_eq!((ids(&popular)[0].as_str(), gain(&popular, "2001.00003", "popular")), ("2001.00003", Some(0.2)));
    let diverse = ask(&["--diversity=0.9", "-n", "2"]);
    assert_eq!(ids(&diverse), [ids(&plain)[0].clone(), "2001.00004".to_owned()]);
    // The text on the terminal says the same in short.
    let table = kin.run(&["similar", "2001.00000", "--popular"]);
    assert!(table.out.contains("+0.20 for 100 votes") && table.out.contains("shares twisted lattices"), "{table:?}");
}

#[test]
fn queries_have_prefixes_and_words_or_meaning_alone() {
    let kin = Kin::new();
    let record = |id: usize, title: &str, text: &str, more: &str| {
        format!("{{\"id\": \"2001.{id:05}\", \"title\": \"{title}\", \"abstract\": \"{text}\"{more}}}\n")
    };
    let lines = [
        record(
            1,
            "Sparse attention",
            "attention for long documents",
            ", \"authors\": [\"Ann Li\"], \"categories\": [\"cs.CL\"], \"published\": \"2026-01-01\"",
        ),
        record(
            2,
            "A survey of attention",
            "attention in people",
            ", \"authors\": [\"Erwin Schrödinger\"], \"categories\": [\"q-bio.NC\"], \"published\": \"2026-02-01\"",
        ),
        record(3, "Graphs", "markets of graphs", ", \"categories\": [\"cs.LG\"]"),
    ];
    let path = kin.write("a.jsonl", lines.concat());
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    let ask = |query: &str| {
        let mut found = ids(&kin.json(&["search", query, "--json"]));
        found.sort();
        found.join(" ").replace("2001.0000", "")
    };
    for (query, expected) in [
        ("attention", "1 2 3"),
        ("attention -survey", "1 3"),
        ("x -cat:cs", "2"),
        ("x -au:schrodinger AU:li", "1"),
        ("attention \"long documents\"", "1"),
        ("ti:attention x", "1 2"),
        ("abs:people x", "2"),
        ("au:schrodinger x", "2"),
        ("cat:cs", "1 3"),
        ("cat:cs.LG au:li", ""),
        ("id:2001.00002", "2"),
    ] {
        assert_eq!(ask(query), expected, "{query}");
    }
    // Nothing but prefixes: the newest first.
    assert_eq!(ids(&kin.json(&["search", "ti:attention", "--json"])), ["2001.00002", "2001.00001"]);
    let keyword = kin.json(&["search", "documents", "--keyword", "--json"]);
    assert_eq!(ids(&keyword), ["2001.00001"], "by words alone only what has one");
    let semantic = kin.json(&["search", "documents", "--semantic", "--json"]);
    assert!(semantic.as_array().unwrap().iter().all(|hit| hit["score"] == hit["cosine"]), "{semantic}");
    assert_eq!(kin.json(&["search", "\"!!", "--keyword", "--json"]), Value::Array(Vec::new()));
    // What SQL or the text index would obey is only text.
    for query in ["'; DROP TABLE papers; --", "a\" OR \"b", "NEAR(a b)", "title:x*", "^a AND NOT b"] {
        assert_eq!(kin.run(&["search", query]).code, 0, "{query}");
        assert_eq!(kin.run(&["search", "x", "--exclude", query]).code, 0, "{query}");
    }
    assert_eq!(kin.run(&["ls", "-q"]).out.lines().count(), 3);
}

#[test]
fn a_body_for_semantic_scholar_is_read() {
    let kin = library(20);
    let body =
        kin.write("body.json", r#"{"positivePaperIds": ["ArXiv:2001.00003", "CorpusId:123"], "negativePaperIds": ["2001.00010"], "limit": 5}"#);
    let ran = kin.run(&["recommend", "--from-json", body.to_str().unwrap(), "--json"]);
    assert!(ran.code == 7 && ran.err.contains("CorpusId:123"), "{ran:?}");
    let by_hand = kin.json(&["similar", "2001.00003", "--dislike", "2001.00010", "--json"]);
    assert_eq!(ids(&serde_json::from_str(&ran.out).unwrap()), ids(&by_hand));
    for body in ["{", "[]", "{\"positivePaperIds\": [1]}"] {
        let ran = kin.run_with_input(&["recommend", "--from-json", "-"], body.as_bytes());
        assert!(ran.code == 1 && ran.err.contains("positivePaperIds"), "{body}: {ran:?}");
    }
}

#[test]
fn settings_are_measured_on_a_persons_own_data() {
    let kin = library(40);
    // The five nearest by cosine are what ought to be found: by meaning alone all are.
    let mut pairs = String::new();
    for query in ["2001.00003", "2001.00010", "2001.00017"] {
        for id in ids(&kin.json(&["similar", query, "--blend", "0", "-n", "5", "--json"])) {
            pairs += &format!("{query}\t{id}\n");
        }
    }
    let citations = kin.write("citations.tsv", pairs.clone() + "2001.00003\tabsent\n");
    let file = citations.to_str().unwrap();
    let found = kin.json(&["eval", "--citations", file, "--blend", "0", "--json"]);
    assert_eq!(
        (found["all"]["queries"].clone(), found["all"]["recall_at_10"].clone(), found["all"]["ndcg_at_10"].clone()),
        (3.into(), 1.0.into(), 1.0.into())
    );
    assert_eq!((found["odd"]["queries"].clone(), found["even"]["queries"].clone()), (2.into(), 1.into()));
    let qrels: String = pairs.lines().map(|line| line.replace('\t', " 0 ") + " 1\n").collect();
    let qrels = kin.write("qrels.txt", qrels);
    assert_eq!(kin.json(&["eval", "--citations", qrels.to_str().unwrap(), "--blend", "0", "--json"]), found);
    let of_profiles = kin.json(&["eval", "--citations", file, "--profiles", "--json"]);
    assert_eq!((&of_profiles["all"]["queries"], &of_profiles["all"]["recall_at_100"]), (&3.into(), &1.0.into()));
    // One citation is no profile, and a paper without a vector is no question.
    let one = kin.write("one.txt", "2001.00003 0 2001.00004 1\nabsent 0 2001.00004 1\n");
    assert_eq!(kin.json(&["eval", "--citations", one.to_str().unwrap(), "--profiles", "--json"])["all"]["queries"], 0);
    let table = kin.run(&["eval", "--citations", file, "--blend", "0"]);
    assert!(table.out.lines().nth(1).unwrap().contains("100.00") && table.err.contains("1 of the lines name papers"), "{table:?}");
    let wrong = kin.write("wrong.tsv", "a\n");
    assert_eq!(kin.run(&["eval", "--citations", wrong.to_str().unwrap()]).code, 1);
}

#[test]
fn more_papers_do_not_change_the_order_of_the_first() {
    let kin = library(450);
    let ask = |n: &str| ids(&kin.json(&["similar", "2001.00003", "-n", n, "--json"]));
    let all = ask("1000");
    assert_eq!(all.len(), 449);
    for n in [1, 10, 150, 250, 448] {
        assert_eq!(ask(&n.to_string()), all[..n], "-n {n}");
    }
    let answer = kin.json(&["similar", "2001.00003", "2001.00010", "-n", "1000", "--json"]);
    let scores: Vec<f64> = answer.as_array().unwrap().iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(scores.len() == 448 && scores.windows(2).all(|pair| pair[0] >= pair[1]));
    for n in ["0", "18446744073709551615"] {
        assert_eq!(kin.run(&["search", "graph", "--keyword", "-n", n, "-q"]).code, 0, "-n {n}");
    }
}

#[test]
fn a_library_of_titles_alone_is_searched_by_words() {
    let kin = Kin::new();
    let path = kin.write("a.jsonl", "{\"id\": \"W1\", \"title\": \"GPT\"}\n{\"id\": \"W2\", \"title\": \"GPT 4 report\"}\n");
    assert_eq!(kin.run(&["add", path.to_str().unwrap()]).code, 0);
    let found = kin.run(&["search", "report", "--keyword", "--json"]);
    assert_eq!((found.code, found.err.as_str()), (0, ""), "nothing is damaged");
    let found: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!((ids(&found), &found[0]["cosine"], reason(&found[0], "nearest")), (vec!["W2".to_owned()], &Value::Null, None));
    assert_eq!(ids(&kin.json(&["search", "report", "--json"])), ["W2"]);
    // A weight is a weight, though a title has the same words.
    let ran = kin.run(&["like", "GPT:4"]);
    assert!(ran.code == 0 && kin.json(&["likes", "--json"])[0]["id"] == "W1", "{ran:?}");
    assert_eq!((kin.run(&["recommend"]).code, kin.run(&["verify"]).code), (2, 0));
}

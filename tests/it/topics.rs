//! Topics: of any number of papers, with names that are true, and the same whatever the number of threads.

use std::collections::BTreeSet;

use serde_json::{Value, json};

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
    let (mut labels, mut phrases) = (BTreeSet::new(), BTreeSet::new());
    for topic in topics.as_array().unwrap() {
        let (label, items) = (topic["label"].as_str().unwrap(), topic["items"].as_array().unwrap());
        assert!(!label.is_empty() && labels.insert(label.to_owned()), "{label:?} is there twice");
        for keyword in topic["keywords"].as_array().unwrap().iter().filter(|keyword| keyword["in_name"] == true) {
            let (text, share) = (keyword["text"].as_str().unwrap(), keyword["share"].as_f64().unwrap());
            // Titles have all the words of these papers.
            let have = items.iter().filter(|item| item["title"].as_str().unwrap().to_lowercase().contains(&text.to_lowercase())).count();
            assert!((share - have as f64 / items.len() as f64).abs() < 1e-6, "{text}: {share}, {have} of {}", items.len());
            let said_to_be_weak = label.split_once('(').is_some_and(|(_, weak)| weak.contains(text));
            assert!(label.contains(text) && said_to_be_weak == (share < 0.5), "{text} is in {share} of {label}");
            assert!(phrases.insert(text.to_owned()), "{text} names two topics");
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
        (&["cluster", "--by", "week"], 2, "'week' for '--by"),
        (&["cluster", "--keep"], 2, "give --date DAY or --by day"),
        (&["cluster", "--by", "day", "--query", "entanglement"], 2, "cannot be used with"),
        (&["cluster", "--date", "2026-08-11", "--category", "cs", "--keep"], 2, "no other choice of papers"),
        (&["show", "--topic", "7"], 2, "no topic 7 is kept"),
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
    for (format, begins, lines) in
        [("csv", "topic,label,score,id,title,", 91), ("tsv", "2001.", 90), ("html", "<!doctype html>", 0), ("bibtex", "@", 0)]
    {
        let ran = kin.run(&["cluster", "--topics", "4", "--format", format]);
        assert!(ran.code == 0 && ran.out.starts_with(begins), "{format}: {}", &ran.out[..200]);
        assert!(lines == 0 || ran.out.lines().count() == lines, "{format}");
    }
    assert_eq!(kin.run(&["cluster", "--format", "bibtex"]).out.matches("\n@").count(), 89);
    let table = kin.run(&["cluster", "--topics", "4", "-n", "2"]);
    assert!(table.out.starts_with("1. quantum entanglement · 30 papers\n") && table.out.contains("and 27 more\n"), "{table:?}");
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

/// Papers of two days: the second has one subject more, and one less.
fn two_days() -> Kin {
    let first = on(&[("quantum entanglement", 6), ("protein folding", 5), ("galaxy rotation curves", 4)]).replace("2026-08-11", "2026-08-10");
    let second = on(&[("quantum entanglement", 8), ("protein folding", 3), ("stock market crashes", 4)]);
    library(&(first + &second.replace("\"2001.", "\"2002.").replace("Example", "Another case")))
}

#[test]
fn topics_go_on_from_day_to_day_and_keep_their_numbers_and_names() {
    let kin = two_days();
    let days = kin.json(&["cluster", "--by", "day", "--json"]);
    let told = |day: usize| {
        let topic = |topic: &Value| {
            (topic["id"].as_i64().unwrap(), topic["label"].as_str().unwrap().to_owned(), topic["change"].as_str().unwrap_or_default().to_owned())
        };
        days[day]["topics"].as_array().unwrap().iter().filter(|topic| !topic["id"].is_null()).map(topic).collect::<Vec<_>>()
    };
    let expect =
        |topics: &[(i64, &str, &str)]| topics.iter().map(|(id, name, change)| (*id, (*name).to_owned(), (*change).to_owned())).collect::<Vec<_>>();
    assert_eq!(told(0), expect(&[(1, "quantum entanglement", ""), (2, "protein folding", ""), (3, "galaxy rotation curves", "")]));
    assert_eq!(told(1), expect(&[(1, "quantum entanglement", "grown"), (4, "stock market crashes", "new"), (2, "protein folding", "shrunk")]));
    assert_eq!(days[1]["gone"], json!([{ "id": 3, "label": "galaxy rotation curves", "day": "2026-08-10", "papers": 4 }]));
    assert_eq!(days[1]["topics"][0]["before"], json!({ "day": "2026-08-10", "papers": 6 }));

    let table = kin.run(&["cluster", "--by", "day"]);
    assert!(table.out.contains("6     +8") && table.out.contains("1 new · 1 grown · 1 shrunk · 1 gone"), "{table:?}");
    assert_eq!(kin.run(&["cluster", "--by", "day", "--since", "2026-08-11", "--format", "tsv"]).out.lines().count(), 3);
    for (format, has) in
        [("csv", "2026-08-11,1,quantum entanglement,8,grown\n"), ("markdown", "| 1 | quantum entanglement | 6 | +8 |"), ("html", "<td>+8</td>")]
    {
        let ran = kin.run(&["cluster", "--by", "day", "--format", format]);
        assert!(ran.out.contains(has), "{format}: {}", ran.out);
    }
    assert!(kin.run(&["cluster", "--by", "day", "--format", "jsonl"]).out.starts_with("{\"day\":\"2026-08-10\",\"id\":\"2001.0000"));
}

#[test]
fn kept_topics_are_found_again_and_shown() {
    let kin = two_days();
    // Nothing is kept until it is said to be.
    assert_eq!(kin.run(&["cluster", "--date", "2026-08-10"]).code, 0);
    assert_eq!(kin.run(&["show", "--topic", "1"]).code, 2);
    assert_eq!(kin.run(&["cluster", "--date", "2026-08-10", "--keep"]).code, 0);
    let after = |args: &[&str]| kin.json(args).as_array().unwrap().iter().map(|topic| topic["id"].clone()).collect::<Vec<_>>();
    let ids = [json!(1), json!(4), json!(2)];
    assert_eq!(after(&["cluster", "--date", "2026-08-11", "--json"]), ids);
    // Keeping a day twice changes nothing.
    for _ in 0..2 {
        assert_eq!(after(&["cluster", "--date", "2026-08-11", "--keep", "--json"]), ids);
    }
    let shown = kin.json(&["show", "--topic", "1", "--json"]);
    assert_eq!(shown["days"], json!([{ "day": "2026-08-10", "papers": 6 }, { "day": "2026-08-11", "papers": 8 }]));
    assert_eq!((shown["label"].as_str(), shown["change"].as_str()), (Some("quantum entanglement"), Some("grown")));
    let table = kin.run(&["show", "--topic", "1"]);
    assert!(table.out.contains("8 papers · grown from 6 on 2026-08-10") && table.out.contains("days  2026-08-10 6 · 2026-08-11 8"), "{table:?}");
    // What goes from the library goes from its topics; the number of one that went is not given again.
    let galaxies: Vec<String> = (11..15).map(|number| format!("2001.{number:05}")).collect();
    let mut args = vec!["rm"];
    args.extend(galaxies.iter().map(String::as_str));
    assert_eq!(kin.run(&args).code, 0);
    assert_eq!(kin.json(&["show", "--topic", "3", "--json"])["items"], json!([]));
    assert_eq!(kin.run(&["verify"]).code, 0);
}

#[cfg(unix)]
#[test]
fn a_command_may_name_topics() {
    let kin = library(&on(&SUBJECTS));
    let labels =
        |args: &[&str]| kin.json(args).as_array().unwrap().iter().map(|topic| topic["label"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let with = |command: &str| {
        ["cluster", "--topics", "4", "--json", "--label-with"].into_iter().map(str::to_owned).chain([command.to_owned()]).collect::<Vec<_>>()
    };
    // It is told what there is to know, and its answer is one line that cannot command a terminal.
    let told = kin.path("told.json");
    let command = format!("tee {} > /dev/null; printf '{{\"1\": \"A\\\\nname\\\\u001b[2J\"}}'", told.display());
    let args = with(&command);
    let named = labels(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(named, ["A name [2J", "protein folding", "galaxy rotation curves", "stock market crashes"]);
    let told: Value = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
    assert_eq!((told[0]["id"].as_i64(), told[0]["papers"].as_i64(), told[0]["titles"].as_array().unwrap().len()), (Some(1), Some(30), 10));
    // Whatever goes wrong, the topics stay what they are.
    for (command, says) in [
        ("exit 3", "exit status: 3"),
        ("echo no", "is not such JSON"),
        ("echo '{\"x\": \"y\"}'", "names the topic \"x\", which was not asked for"),
        ("yes", "is longer than"),
    ] {
        let args = with(command);
        let ran = kin.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ran.code == 7 && ran.err.contains(says) && ran.out.contains("quantum entanglement"), "{command}: {}", ran.err);
    }
}

#[test]
fn a_day_of_one_topic_goes_on_too() {
    let day = |month: &str, first: usize| {
        let papers =
            on(&[("quantum entanglement", 5)]).replace("2026-08-11", &format!("2026-08-{month}")).replace("\"2001.", &format!("\"20{first:02}."));
        papers.replace("Example", &format!("Case {first} of example"))
    };
    let kin = library(&(day("10", 1) + &day("11", 2)));
    for _ in 0..3 {
        let ids = |day: &str| kin.json(&["cluster", "--date", day, "--keep", "--json"])[0]["id"].clone();
        assert_eq!([ids("2026-08-10"), ids("2026-08-11")], [json!(1), json!(1)]);
    }
    assert_eq!(kin.json(&["show", "--topic", "1", "--json"])["days"].as_array().unwrap().len(), 2);
    // A name that is given later, on the first day of a topic, is the one that is kept.
    #[cfg(unix)]
    {
        let args = ["cluster", "--by", "day", "--keep", "--label-with", "cat > /dev/null; echo '{\"1\": \"Spooky\"}'"];
        assert_eq!(kin.run(&args).code, 0);
        assert_eq!(kin.json(&["show", "--topic", "1", "--json"])["label"], "Spooky");
        // The next day has it too, on its map as well, and none of its own phrases is said to be in it.
        let second = kin.json(&["cluster", "--date", "2026-08-11", "--json"])[0].clone();
        assert_eq!(second["label"], "Spooky");
        let keywords = second["keywords"].as_array().unwrap();
        assert!(!keywords.is_empty() && keywords.iter().all(|keyword| keyword["in_name"] == false), "{second}");
        let map = kin.path("map.svg");
        assert_eq!(kin.run(&["cluster", "--date", "2026-08-11", "--map", map.to_str().unwrap()]).code, 0);
        assert!(std::fs::read_to_string(map).unwrap().contains(">Spooky<"));
    }
}

#[test]
fn papers_that_are_joined_stay_in_their_topics() {
    let kin = two_days();
    assert_eq!(kin.run(&["cluster", "--by", "day", "--keep"]).code, 0);
    let count = || (1..5).map(|id| kin.json(&["show", "--topic", &id.to_string(), "--json"])["items"].as_array().unwrap().len()).sum::<usize>();
    let before = count();
    // A record that knows a paper of the first day by another title, which is one of no paper, and an id of its own.
    let again = r#"{"id": "10.1000/xyz", "title": "Galaxies", "abstract": "Other words."}"#.to_owned() + "\n";
    let both = r#"{"id": "2001.00011", "doi": "10.1000/xyz", "title": "Galaxies"}"#.to_owned() + "\n";
    for (name, text) in [("again.jsonl", again), ("both.jsonl", both)] {
        let path = kin.write(name, &text);
        let ran = kin.run(&["add", path.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    assert_eq!((kin.run(&["ls", "-q"]).out.lines().count(), count()), (30, before));
}

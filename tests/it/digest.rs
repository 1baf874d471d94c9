//! `paperkin digest`: topics, order, what is left out, and every form of it.

use serde_json::Value;

use crate::support::{Kin, shared};

/// Five papers on each of three subjects on two days, with votes; the subjects share no word.
fn papers() -> String {
    const SUBJECTS: [&str; 3] = [
        "sparse attention for long documents and transformer language models",
        "protein folding and molecular structure of enzyme families",
        "exoplanet atmospheres and stellar spectra from space telescopes",
    ];
    let paper = |day: usize, subject: usize, at: usize| {
        let (id, text) = (format!("2608.{day:02}{subject}{at:02}"), SUBJECTS[subject]);
        format!(
            "{{\"id\": \"{id}\", \"title\": \"Study {at} of {text}\", \"abstract\": \"We study {text}, in way {at} of day {day}. {text} again.\", \
             \"day\": \"2026-08-{day:02}\", \"published\": \"2026-08-{day:02}\", \"upvotes\": {}, \"authors\": [\"Ada L\", \"Bo M\"]}}\n",
            at * 10 + subject
        )
    };
    let of_day = |day: usize| (0..3).flat_map(move |subject| (1..=5).map(move |at| paper(day, subject, at)));
    of_day(10).chain(of_day(11)).collect()
}

fn library() -> Kin {
    let kin = Kin::new();
    kin.write("papers.jsonl", papers());
    assert_eq!(kin.run(&["add", "papers.jsonl"]).code, 0);
    kin
}

fn ids(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

fn shown(digest: &Value) -> Vec<&str> {
    let of_topics = digest["topics"].as_array().unwrap().iter().flat_map(|topic| ids(&topic["items"]));
    of_topics.chain(digest["surprise"]["id"].as_str()).collect()
}

#[test]
fn a_day_is_told_in_topics_and_what_is_known_is_left_out_or_marked() {
    let kin = library();
    let digest = |args: &[&str]| kin.json(&[&["digest", "--date", "2026-08-11", "--json"], args].concat());
    // Nobody likes anything yet: what has most votes comes first.
    let first = digest(&[]);
    assert_eq!((&first["papers"], shown(&first).len()), (&Value::from(15), 15));
    let text = kin.run(&["digest", "--date", "2026-08-11"]).out;
    assert!(text.starts_with("Tuesday, 11 August 2026\n15 papers in ") && text.contains("likes no paper yet"), "{text}");
    kin.run(&["like", "2608.10001", "2608.11003"]);
    let liked = digest(&[]);
    assert_eq!(liked["left_out"], serde_json::json!({ "rated": 1, "seen": 0 }));
    assert!(!shown(&liked).contains(&"2608.11003"));
    assert!(ids(&liked["topics"][0]["items"])[0].starts_with("2608.110"), "what is liked comes first: {liked:#}");
    assert_eq!(liked["topics"][0]["items"][0]["reasons"][0]["kind"], "nearest");
    assert_eq!(liked["trending"].as_array().unwrap().len(), 3);
    let surprise = liked["surprise"]["id"].as_str().unwrap();
    assert!(!surprise.starts_with("2608.110") && !liked["trending"].as_array().unwrap().contains(&surprise.into()), "{surprise}");
    // The same day in the same bytes.
    let table = |kin: &Kin| kin.run(&["digest", "--date", "2026-08-11"]).out;
    assert_eq!(table(&kin), table(&kin));
    assert_eq!(kin.run(&["digest", "--date", "2026-08-11", "-n", "5", "--mark-seen", "-q"]).out.lines().count(), 5);
    let after = digest(&[]);
    assert_eq!(after["left_out"]["seen"], 5);
    assert_eq!(shown(&after).len(), 15 - 1 - 5);
    let marked = kin.run(&["digest", "--date", "2026-08-11", "--seen", "mark"]).out;
    assert_eq!(marked.matches("seen 2").count(), 5, "{marked}");
    assert_eq!(digest(&["--profile", "other"])["left_out"]["seen"], 0);
}

#[test]
fn length_order_and_choice_are_settings() {
    let kin = library();
    let digest = |args: &[&str]| kin.json(&[&["digest", "--date", "2026-08-11", "--json"], args].concat());
    let short = digest(&["-n", "4"]);
    let more: u64 = short["topics"].as_array().unwrap().iter().map(|topic| topic["more"].as_u64().unwrap()).sum();
    assert_eq!((shown(&short).len() as u64, more), (4, 11));
    assert_eq!(shown(&digest(&["-n", "0"])).len(), 0);
    let votes =
        |digest: &Value| digest["topics"][0]["items"].as_array().unwrap().iter().map(|item| item["upvotes"].as_u64().unwrap()).collect::<Vec<_>>();
    let trending = votes(&digest(&["--sort", "trending"]));
    assert!(trending.windows(2).all(|pair| pair[0] >= pair[1]), "{trending:?}");
    assert_eq!(digest(&["--keyword", "protein"])["papers"], 5);
    assert_eq!(digest(&["--min-upvotes", "50"])["papers"], 3);
    assert_eq!(digest(&["--category", "cs.LG"])["papers"], 0);
    let month = kin.json(&["digest", "--month", "2026-08", "--sort", "published", "--json"]);
    assert_eq!(month["topics"][0]["items"][0]["day"], "2026-08-11");
    for (args, papers) in [
        (&["--week", "2026-W33"][..], 30),
        (&["--week", "2026-W32"], 0),
        (&["--days", "1", "--until", "2026-08-10"], 15),
        (&["--days", "2", "--until", "2026-08-11"], 30),
        (&["--since", "2026-08-11", "--until", "2026-08-20"], 15),
        (&[], 15),
        (&["--until", "2026-08-10"], 15),
    ] {
        assert_eq!(kin.json(&[&["digest", "--json"], args].concat())["papers"], papers, "{args:?}");
    }
    for wrong in [
        &["--week", "2026-33"][..],
        &["--week", "2026-W60"],
        &["--month", "August"],
        &["--days", "0"],
        &["--date", "someday"],
        &["--since", "2026-08-12", "--until", "2026-08-11"],
        &["--sort", "best"],
        &["--seen", "maybe"],
        &["--format", "bibtex"],
        &["--date", "2026-08-11", "--new"],
    ] {
        assert_eq!(kin.run(&[&["digest"], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn new_is_what_no_digest_before_held() {
    let kin = library();
    let new = |until: &str, mark: bool| {
        let mut args = vec!["digest", "--new", "--until", until, "--json"];
        args.extend(mark.then_some("--mark-seen"));
        kin.json(&args)["papers"].as_u64().unwrap()
    };
    // The first time, the last day with papers; and the same again until it is noted.
    assert_eq!([new("2026-08-10", false), new("2026-08-10", true), new("2026-08-10", true)], [15, 15, 0]);
    let late = r#"{"id": "2608.10999", "title": "Late", "abstract": "A paper that comes late.", "day": "2026-08-10"}"#;
    let early = r#"{"id": "2608.01999", "title": "Early", "abstract": "A paper from before the first digest.", "day": "2026-08-01"}"#;
    kin.write("late.jsonl", format!("{late}\n{early}\n"));
    kin.run(&["add", "late.jsonl"]);
    assert_eq!([new("2026-08-11", true), new("2026-08-12", true)], [16, 0]);
}

#[test]
fn text_of_others_stays_text_in_every_form() {
    let kin = Kin::new();
    let title = r#"<script>alert(1)</script> & \"quotes\" ]]> *stars* [link](x) \u0007 \uFFFE"#;
    let paper = |id: &str, url: &str| {
        format!(
            "{{\"id\": \"{id}\", \"title\": \"{title} {id}\", \"abstract\": \"<img src=x> {title}\", \"day\": \"2026-08-11\", \"upvotes\": 2, \"authors\": [\"<b>A</b>\"], \"categories\": [\"<c>\"], \"url\": \"{url}\"}}\n"
        )
    };
    let urls = ["javascript:alert(1)", "https://example.org/?a=1&b=\\\"2\\\" x"];
    kin.write("papers.jsonl", (0..10).map(|at| paper(&format!("given<{at}>"), urls[at % 2])).collect::<String>());
    kin.run(&["add", "papers.jsonl"]);
    kin.run(&["like", "given<0>", "--profile", "<i>me</i>"]);
    let args = ["digest", "--date", "2026-08-11", "--profile", "<i>me</i>"];
    let files = ["--to-html", "d.html", "--to-markdown", "d.md", "--to-atom", "d.xml", "--to-json", "d.json", "--to-mail", "d.eml"];
    let ran = kin.run(&[&args[..], &files].concat());
    assert!(ran.code == 0 && ran.out.is_empty(), "{ran:?}");
    let read = |name: &str| std::fs::read_to_string(kin.path(name)).unwrap();
    let html = read("d.html");
    for forbidden in ["<script", "<img", "<i>", "<b>", "javascript:"] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
    assert!(html.contains("prefers-color-scheme") && html.contains("@media print") && html.contains("https://example.org/?a=1&amp;b="), "{html}");
    assert!(!read("d.md").contains("javascript:") && read("d.md").contains("\\*stars\\* \\[link\\]"), "{}", read("d.md"));
    let feed = read("d.xml");
    assert!(!feed.contains("<script") && !feed.contains('\u{7}') && !feed.contains('\u{fffe}') && feed.matches("<entry>").count() == 9, "{feed}");
    let mut reader = quick_xml::Reader::from_str(&feed);
    while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
    let mail = read("d.eml");
    assert!(mail.is_ascii() && !mail.contains("List-Id"), "{mail}");
    let text = kin.run(&args).out;
    assert!(!text.contains('\u{7}'), "{text}");
    // What cannot be written is told, and nothing is left half written.
    let ran = kin.run(&["digest", "--to-html", "missing/d.html"]);
    assert!(ran.code == 1 && ran.err.contains("missing/"), "{ran:?}");
}

#[test]
fn a_feed_names_each_paper_the_same_for_ever() {
    let kin = library();
    let feed = |args: &[&str]| {
        let feed = kin.run(&[&["digest", "--format", "atom"], args].concat()).out;
        feed.split("<entry>")
            .skip(1)
            .map(|entry| entry.split("<id>").nth(1).unwrap().split("</updated>").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (day, both) = (feed(&["--date", "2026-08-11", "-n", "100"]), feed(&["--days", "2", "--until", "2026-08-11", "-n", "100"]));
    assert_eq!((day.len(), both.len()), (15, 30));
    assert!(day.iter().all(|entry| both.contains(entry)), "{day:?}");
    assert!(day[0].starts_with("https://arxiv.org/abs/2608.11"), "{}", day[0]);
}

#[test]
fn libraries_of_any_size_have_a_digest() {
    let kin = Kin::new();
    for count in [1, 2, 3, 8, 40] {
        let same = |at: usize| {
            format!("{{\"id\": \"2608.{at:05}\", \"title\": \"The same\", \"abstract\": \"All of it is the same.\", \"day\": \"2026-08-11\"}}\n")
        };
        let file = kin.write("papers.jsonl", (0..count).map(same).collect::<String>());
        let digest = kin.json(&["digest", "--in", file.to_str().unwrap(), "--json", "--date", "2026-08-11"]);
        assert_eq!(shown(&digest).len(), count.min(30), "{count}: {digest:#}");
    }
    let bare = kin.write("bare.jsonl", "{\"id\": \"2608.00001\", \"title\": \"Only a title\", \"day\": \"2026-08-11\"}\n");
    kin.run(&["add", bare.to_str().unwrap()]);
    let digest = kin.json(&["digest", "--json"]);
    assert_eq!((shown(&digest).len(), &digest["topics"][0]["label"]), (1, &Value::Null), "a paper without a vector is in no topic, and is told");
    assert!(kin.run(&["digest", "--date", "2026-08-12"]).out.contains("There are no papers of these days."));
}

#[test]
fn a_day_of_real_papers_for_who_likes_three() {
    let Some(shared) = shared("a_day_of_real_papers_for_who_likes_three") else { return };
    let kin = Kin::new();
    let run = |args: &[&str]| crate::support::ran(kin.command(args).env("PAPERKIN_MODEL", "built-in").output().unwrap());
    for day in ["2026-08-10", "2026-08-11"] {
        assert_eq!(run(&["add", shared.join(format!("data/hf_daily/{day}.json")).to_str().unwrap()]).code, 0);
    }
    assert_eq!(run(&["like", "2608.09096", "2608.08311", "2608.07169"]).code, 0);
    let ran = run(&["digest", "--date", "2026-08-11", "--json"]);
    let digest: Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    assert_eq!((&digest["papers"], &digest["left_out"]["rated"]), (&20.into(), &3.into()));
    assert_eq!(digest["trending"][0], "2608.09802", "70 votes");
    let first = &digest["topics"][0];
    assert!(ids(&first["items"]).contains(&"2608.09802"), "an agent paper, for who likes agents: {first:#}");
    assert!(first["items"][0]["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()));
}

#[test]
fn topics_go_on_from_the_days_before_whatever_was_kept_of_them() {
    let kin = library();
    let goes_on = |digest: &Value| digest["topics"].as_array().unwrap().iter().all(|topic| topic["change"] == "goes on");
    let changes = |args: &[&str]| {
        let digest = kin.json(&[&["digest", "--json"], args].concat());
        let changes: Vec<_> = digest["topics"].as_array().unwrap().iter().map(|topic| topic["change"].as_str().map(str::to_owned)).collect();
        (changes, digest["before"]["since"].clone(), digest["gone"].as_array().unwrap().len())
    };
    // Three subjects on both days: each goes on.
    let all = || vec![Some("goes on".to_owned()); 3];
    let of_day = changes(&["--date", "2026-08-11"]);
    assert_eq!(of_day, (all(), "2026-08-04".into(), 0));
    // The first day has nothing before it.
    assert_eq!(changes(&["--date", "2026-08-10"]), (vec![None; 3], Value::Null, 0));
    // That its own topics, or those of a day long ago, are kept changes nothing.
    kin.write("old.jsonl", papers().replace("2026-08-1", "2026-06-1").replace("2608.", "2606."));
    kin.run(&["add", "old.jsonl"]);
    for day in ["2026-06-10", "2026-08-11"] {
        assert_eq!(kin.run(&["cluster", "--date", day, "--keep"]).code, 0);
        assert_eq!(changes(&["--date", "2026-08-11"]), of_day);
    }
    assert_eq!(changes(&["--date", "2026-08-10"]).0, vec![None; 3], "two months are too long ago");
    // A month goes on from the month before, and a subject that is not there any more is told.
    kin.write("july.jsonl", papers().replace("2026-08-1", "2026-07-1").replace("2608.", "2607."));
    kin.run(&["add", "july.jsonl"]);
    assert!(goes_on(&kin.json(&["digest", "--month", "2026-08", "--json"])));
    let narrow = changes(&["--date", "2026-08-11", "--exclude", "protein"]);
    assert_eq!((narrow.0.len(), narrow.2), (2, 0), "what is left out is left out before, too");
}

#[test]
fn of_a_day_of_many_papers_every_one_is_ranked() {
    let kin = Kin::new();
    let many = crate::support::papers(900).replace("\"abstract\"", "\"day\": \"2026-08-11\", \"abstract\"");
    kin.write("papers.jsonl", many);
    kin.run(&["add", "papers.jsonl"]);
    kin.run(&["like", "2001.00001", "2001.00500"]);
    let digest = kin.json(&["digest", "--date", "2026-08-11", "-n", "1000", "--json"]);
    let items = || digest["topics"].as_array().unwrap().iter().flat_map(|topic| topic["items"].as_array().unwrap());
    assert_eq!(items().count(), 900 - 2 - 1);
    assert!(items().all(|item| item["cosine"].is_number()), "without a cosine: {}", items().filter(|item| item["cosine"].is_null()).count());
}

#[test]
fn a_paper_that_stood_in_two_digests_is_told_of_the_day_that_was_asked_for() {
    let kin = library();
    kin.write(
        "again.jsonl",
        "{\"id\": \"2608.10001\", \"title\": \"Study 1 once more\", \"abstract\": \"The same again.\", \"day\": \"2026-08-12\"}\n",
    );
    kin.run(&["add", "again.jsonl"]);
    let text = kin.run(&["digest", "--date", "2026-08-12"]).out;
    assert!(text.starts_with("Wednesday, 12 August 2026\n1 paper"), "{text}");
}

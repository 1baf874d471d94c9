//! `paperkin run`: steps, faults, kills, two hundred nights.

use serde_json::Value;

use crate::support::{Kin, Ran, ran};

/// Papers of one day, as a line each.
fn of_day(day: jiff::civil::Date, count: usize) -> String {
    const WORDS: [&str; 6] = ["neural", "quantum", "protein", "galaxy", "market", "robot"];
    let paper = |at: usize| {
        let number = day.day_of_year() as usize * 20 + at;
        let word = WORDS[(number * 7 + at) % 6];
        format!(
            "{{\"id\": \"{:02}{:02}.{number:05}\", \"title\": \"On {word} matters {number}\", \"abstract\": \"What is {word} in {number}, and {} too.\", \
             \"day\": \"{day}\", \"upvotes\": {at}}}\n",
            day.year() % 100,
            day.month(),
            WORDS[number % 6]
        )
    };
    (0..count).map(paper).collect()
}

fn run_at(kin: &Kin, now: &str, args: &[&str]) -> Ran {
    ran(kin.command(&[&["run"], args].concat()).env("PAPERKIN_NOW", now).output().unwrap())
}

fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
}

fn day(text: &str) -> jiff::civil::Date {
    text.parse().unwrap()
}

const JOB: &str = r#"
sources = ["incoming.jsonl", "broken.json"]
report = "reports/{date}.json"
[[digest]]
to = ["site/{date}.html", "site/feed.xml", "site/digest.md"]
[[export]]
to = "out/papers.jsonl"
vectors = "out/vectors.npy"
"#;

#[test]
fn a_step_that_fails_takes_down_no_other_and_the_report_counts() {
    let kin = Kin::new();
    kin.write("incoming.jsonl", of_day(day("2026-08-11"), 6) + "{\"id\": \"2608.77777\"}\n");
    kin.write("broken.json", "no papers, and nothing else");
    kin.write("night.toml", JOB);
    let first = run_at(&kin, "2026-08-11T03:00:00Z", &["night.toml", "--json", "--log-format", "json"]);
    assert_eq!(first.code, 7, "{first:?}");
    let told = report(&first);
    assert_eq!((&told["status"], &told["job"], &told["goes_on_from"]), (&"partial".into(), &"night".into(), &Value::Null));
    let numbers = ["read", "new", "embedded", "failed", "shown", "exported"].map(|name| told["counts"][name].as_u64().unwrap());
    assert_eq!(numbers, [7, 6, 6, 1, 6, 6], "{told:#}");
    let steps = told["steps"].as_array().unwrap();
    let became: Vec<_> = steps.iter().map(|step| (step["name"].as_str().unwrap(), step["status"].as_str().unwrap())).collect();
    assert!(!first.err.contains("\"level\":\"info\",\"message\":\"add broken.json: failed"), "{}", first.err);
    let expected = [
        ("add incoming.jsonl", "partial"),
        ("add broken.json", "failed"),
        ("topics", "done"),
        ("digest site/{date}.html, site/feed.xml, site/digest.md", "done"),
        ("export out/papers.jsonl", "done"),
    ];
    assert_eq!(became, expected);
    assert!(steps[0]["failures"][0].as_str().unwrap().contains("the record has no title"), "{}", steps[0]);
    assert!(steps[1]["error"].as_str().is_some_and(|error| error.contains("broken.json")), "{}", steps[1]);
    assert!(told["settings"]["model"].is_string() && told["paperkin"].is_string() && told["seconds"].is_number());
    // Messages are lines of JSON, and the report is also where the job wants it.
    assert!(
        first.err.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["time"] == "2026-08-11T03:00:00Z")),
        "{}",
        first.err
    );
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(kin.path("reports/2026-08-11.json")).unwrap()).unwrap();
    assert_eq!(kept["counts"], told["counts"]);
    for file in ["site/2026-08-11.html", "site/feed.xml", "site/digest.md", "out/papers.jsonl", "out/vectors.npy", "out/vectors.ids.txt"] {
        assert!(kin.path(file).metadata().is_ok_and(|file| file.len() > 0), "{file}");
    }
    // The same again gives the same files, and nothing new.
    let page = std::fs::read(kin.path("site/2026-08-11.html")).unwrap();
    kin.write("night.toml", JOB.replace(", \"broken.json\"", ""));
    kin.write("incoming.jsonl", of_day(day("2026-08-11"), 6));
    let again = run_at(&kin, "2026-08-11T04:00:00Z", &["night.toml", "--exit-code"]);
    assert!(again.code == 3 && again.out.contains("add incoming.jsonl"), "{again:?}");
    assert_eq!(std::fs::read(kin.path("site/2026-08-11.html")).unwrap(), page);
    assert_eq!(run_at(&kin, "2026-08-11T05:00:00Z", &["night.toml", "-q"]).out, "");
}

#[test]
fn a_job_is_made_looked_at_and_tried_without_doing_anything() {
    let kin = Kin::new();
    assert_eq!(kin.run(&["run", "--init", "night.toml"]).code, 0);
    assert_eq!(kin.run(&["run", "--init", "night.toml"]).code, 1, "a file that is there stays");
    assert_eq!(kin.run(&["run", "--check", "night.toml"]).code, if cfg!(feature = "remote") { 0 } else { 2 });
    kin.write("incoming.jsonl", of_day(day("2026-08-11"), 6));
    kin.write("broken.json", "");
    kin.write("night.toml", format!("deliver = true\n{JOB}\n[mail]\nfrom = \"kin@example.org\"\ndirectory = \"outbox\"\n"));
    let tried = run_at(&kin, "2026-08-11T03:00:00Z", &["--dry-run", "night.toml"]);
    assert!(
        tried.code == 0 && tried.out.contains("export out/papers.jsonl: writes 0 papers") && tried.out.contains("deliver: nothing is due"),
        "{tried:?}"
    );
    assert!(!kin.path("library").exists() && !kin.path("site").exists());
    kin.run(&["add", "incoming.jsonl"]);
    kin.run(&["subscribe", "tim@example.org"]);
    let tried = run_at(&kin, "2026-08-11T08:00:00Z", &["--dry-run", "night.toml"]);
    assert!(tried.out.contains("tim@example.org for default: 6 papers up to 2026-08-11"), "{tried:?}");
    kin.write("night.toml", "sources = [\n  \"nowhere.json\"]\n");
    let wrong = kin.run(&["run", "--check", "night.toml"]);
    assert!(wrong.code == 2 && wrong.err.contains("night.toml:2:3: \"nowhere.json\" is neither an address nor a file"), "{wrong:?}");
    kin.write("night.toml", "deliver = true\n");
    let wrong = kin.run(&["run", "--check", "night.toml"]);
    assert!(wrong.code == 2 && wrong.err.contains("nothing says how mail leaves"), "{wrong:?}");
    assert_eq!(kin.run(&["run", "missing.toml"]).code, 1);
}

#[test]
fn two_runs_are_kept_apart() {
    let kin = Kin::new();
    kin.write("incoming.jsonl", of_day(day("2026-08-11"), 2));
    kin.write("night.toml", "sources = [\"incoming.jsonl\"]\n");
    assert_eq!(kin.run(&["run", "night.toml"]).code, 0);
    let held = paperkin::library::Library::open_to_write(&kin.path("library")).unwrap();
    let second = kin.run(&["run", "night.toml", "--json"]);
    assert!(second.code == 6 && second.err.contains("\"error_type\":\"locked\""), "{second:?}");
    drop(held);
    assert_eq!(kin.run(&["run", "night.toml"]).code, 0);
}

#[cfg(unix)]
#[test]
fn sigterm_ends_a_run_at_a_clean_point_and_the_next_goes_on() {
    let kin = Kin::new();
    kin.write("small.jsonl", of_day(day("2026-08-10"), 3));
    kin.write("large.jsonl", crate::support::papers(4000));
    kin.write("night.toml", "sources = [\"small.jsonl\", \"large.jsonl\"]\nreport = \"report.json\"\n[[export]]\nto = \"papers.jsonl\"\n");
    let now = "2026-08-11T03:00:00Z";
    let child = kin
        .command(&["run", "night.toml"])
        .env("PAPERKIN_NOW", now)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Until the first papers of the large source are committed.
    let status = || paperkin::library::Library::open(&kin.path("library")).and_then(|library| library.len()).unwrap_or(0);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while status() < 50 && std::time::Instant::now() < patience {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let ended = ran(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 130, "{ended:?}");
    let read = || serde_json::from_str::<Value>(&std::fs::read_to_string(kin.path("report.json")).unwrap()).unwrap();
    let became = |told: &Value| told["steps"].as_array().unwrap().iter().map(|step| step["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        (&read()["status"], became(&read())),
        (&"interrupted".into(), ["done", "interrupted", "not_begun", "not_begun"].map(str::to_owned).to_vec())
    );
    assert!(!kin.path("papers.jsonl").exists() && status() < 4003);
    let next = run_at(&kin, now, &["night.toml"]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!((&read()["goes_on_from"], &read()["steps"][0]["counts"]["unchanged"], status()), (&now.into(), &3.into(), 4003));
    // On another day nothing is left over from this one.
    assert_eq!(run_at(&kin, "2026-08-12T03:00:00Z", &["night.toml"]).code, 0);
    assert_eq!(read()["goes_on_from"], Value::Null);
}

#[cfg(feature = "remote")]
#[test]
fn a_source_that_fails_for_a_while_is_asked_again_after_a_pause() {
    use crate::server::{Answer, Server};
    let asked = std::sync::atomic::AtomicUsize::new(0);
    // The client asks four times before it gives up; then the job waits, and asks again.
    let server = Server::start(move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0..4 => Answer::new(503, vec![("Retry-After", "0".to_owned())], b""),
        _ => Answer::new(200, vec![], br#"[{"paper": {"id": "2608.00001", "title": "A", "summary": "Text.", "upvotes": 3}, "numComments": 1}]"#),
    });
    let kin = Kin::new();
    kin.write("night.toml", "sources = [\"hf:2026-08-11\"]\nretries = 1\nretry_after = 0.1\n");
    let mut command = kin.command(&["run", "night.toml", "--json"]);
    command.env("HF_ENDPOINT", format!("http://{}", server.address)).env("PAPERKIN_PAUSE", "0").env("PAPERKIN_CACHE", kin.path("answers"));
    let told = ran(command.output().unwrap());
    let report = report(&told);
    assert!(told.code == 0 && report["steps"][0]["attempts"] == 2 && told.err.contains("tried again in 0 seconds"), "{told:?}");
    assert_eq!(report["counts"]["new"], 1);
}

#[cfg(unix)]
#[test]
fn a_timer_is_written_and_removed() {
    let kin = Kin::new();
    kin.write("my night.toml", "topics = true\n");
    let installed = kin.run(&["run", "--install", "my night.toml", "--timer", "systemd", "--at", "04:30"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    let units = || std::fs::read_dir(kin.path(".config/systemd/user")).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let unit = |ending: &str| units().into_iter().find(|path| path.extension().is_some_and(|e| e == ending)).unwrap();
    assert!(unit("timer").to_string_lossy().contains("/paperkin-my-night-"), "{:?}", units());
    let read = |ending: &str| std::fs::read_to_string(unit(ending)).unwrap();
    assert!(
        read("timer").contains("OnCalendar=*-*-* 04:30:00 UTC") && read("service").contains("/my night.toml\" \"--library\" \""),
        "{}",
        read("service")
    );
    match std::process::Command::new("systemd-analyze").arg("verify").arg(unit("timer")).arg(unit("service")).output() {
        // It also looks at what it finds of the machine's own units.
        Ok(verified) => assert!(!String::from_utf8_lossy(&verified.stderr).contains("paperkin-"), "{verified:?}"),
        Err(e) => eprintln!("skipped: systemd-analyze, which would look at the timer: {e}"),
    }
    assert_eq!(kin.run(&["run", "--uninstall", "my night.toml"]).code, 0);
    assert!(units().is_empty(), "{:?}", units());
    for at in ["25:00", "4:30", "noon"] {
        assert_eq!(kin.run(&["run", "--install", "my night.toml", "--timer", "systemd", "--at", at]).code, 2, "{at}");
    }
    // A crontab that keeps its table in a file.
    let crontab = "#!/bin/sh\ncase $1 in -l) cat table 2>/dev/null || { echo no crontab for me >&2; exit 1; };; -) cat > table;; esac\n";
    let path = kin.write("crontab", crontab);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let here = format!("{}:/usr/bin:/bin", kin.directory.path().display());
    let cron = |args: &[&str]| ran(kin.command(&[&["run", "my night.toml"], args].concat()).env("PATH", &here).output().unwrap());
    assert_eq!(cron(&["--install", "--timer", "cron"]).code, 0);
    assert_eq!(cron(&["--install", "--timer", "cron", "--at", "02:15"]).code, 0);
    let table = std::fs::read_to_string(kin.path("table")).unwrap();
    assert!(table.starts_with("15 2 * * * ") && table.contains(" # paperkin-my-night-") && table.lines().count() == 1, "{table}");
    assert_eq!(cron(&["--uninstall"]).code, 0);
    assert_eq!(std::fs::read_to_string(kin.path("table")).unwrap(), "");
}

#[cfg(feature = "remote")]
type Counted<T> = std::collections::BTreeMap<String, T>;

/// Each letter that was taken, and how often; and each paper in them, and in how many.
#[cfg(feature = "remote")]
fn delivered(post: &crate::post::Post) -> (Counted<(usize, String)>, Counted<usize>) {
    use std::collections::BTreeSet;

    use crate::post::{header, plain};
    let mut letters: Counted<(usize, String)> = Counted::new();
    for message in post.taken() {
        let letter = letters.entry(header(&message, "Message-ID")).or_insert_with(|| (0, message.clone()));
        assert_eq!(letter.1, message, "one message id, one text");
        letter.0 += 1;
    }
    let mut papers: Counted<usize> = Counted::new();
    for (_, message) in letters.values() {
        let text = plain(message);
        let is_id = |word: &&str| word.len() == 10 && word.as_bytes()[4] == b'.' && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let ids: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_digit() && c != '.').filter(is_id).collect();
        ids.into_iter().for_each(|id| *papers.entry(id.to_owned()).or_default() += 1);
    }
    (letters, papers)
}

/// A fixed sequence of chances, each below a number (xorshift, Marsaglia 2003).
#[cfg(feature = "remote")]
fn chances() -> impl FnMut(u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |most| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % most
    }
}

#[cfg(feature = "remote")]
#[test]
fn of_two_hundred_nights_with_kills_every_paper_is_delivered_once() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use crate::post::{Manner, Post};

    const NIGHTS: i32 = 200;
    let mut chance = chances();
    // Of ten times, the server is slow four times, busy once, and once gone when it has taken a letter.
    let post = Post::start(|at| match at % 10 {
        1 => Manner::Busy,
        4 => Manner::GoneAfter,
        5..=8 => Manner::Slow,
        _ => Manner::Take,
    });
    let kin = Kin::new();
    kin.write("incoming.jsonl", "");
    kin.write(
        "night.toml",
        format!(
            "sources = [\"incoming.jsonl\"]\ndeliver = true\nreport = \"report.json\"\nretries = 0\n[[digest]]\nto = [\"feed.xml\"]\ndays = 7\n{}",
            post.settings()
        ),
    );
    kin.write("first.jsonl", of_day(day("2025-12-31"), 1));
    kin.run(&["add", "first.jsonl"]);
    assert_eq!(kin.run(&["subscribe", "tim@example.org", "--at", "03:00", "-n", "1000"]).code, 0);
    let first = day("2026-01-01");
    let at = |night: i32| paperkin::paper::days_before(first, -night);
    // On weekends there are none, and some come a day late.
    let counts: Vec<usize> =
        (0..NIGHTS).map(|night| if at(night).weekday().to_monday_zero_offset() > 4 { 0 } else { 1 + chance(6) as usize }).collect();
    let late: Vec<bool> = counts.iter().map(|_| chance(5) == 0).collect();
    let (mut kills, mut said_twice, mut usual) = (0, 0, Duration::from_millis(100));
    for night in 0..NIGHTS {
        let known = (night - 4).max(0)..=night;
        let incoming = known.filter(|one| *one < night || !late[*one as usize]).map(|one| of_day(at(one), counts[one as usize]));
        kin.write("incoming.jsonl", incoming.collect::<String>() + &of_day(day("2025-12-31"), 1));
        let now = format!("{}T03:30:00Z", at(night));
        // Until it is not killed, or nobody starts it again before the next night.
        while chance(3) != 0 {
            let mut child =
                kin.command(&["run", "night.toml", "-q"]).env("PAPERKIN_NOW", &now).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(usual.mul_f64(chance(1000) as f64 / 900.0));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                kills += 1;
            }
            child.wait().unwrap();
        }
        if chance(4) > 0 {
            let begun = Instant::now();
            let ended = run_at(&kin, &now, &["night.toml", "--json"]);
            usual = (usual + begun.elapsed()) / 2;
            // What the server could not take, it takes on another night.
            assert!(matches!(ended.code, 0 | 7), "night {night}: {ended:?}");
            said_twice += report(&ended)["counts"]["mailed_again"].as_u64().unwrap();
        }
    }
    while run_at(&kin, &format!("{}T04:00:00Z", at(NIGHTS - 1)), &["night.toml"]).code != 0 {}
    let (letters, delivered) = delivered(&post);
    let twice: usize = letters.values().map(|(times, _)| times - 1).sum();
    let expected: usize = counts.iter().sum::<usize>() + 1;
    // The last night's late papers have not come.
    let missing = if late[NIGHTS as usize - 1] { counts[NIGHTS as usize - 1] } else { 0 };
    eprintln!(
        "{NIGHTS} nights, {kills} kills, {} letters, {} papers, {twice} letters twice, {said_twice} of them said by a run that ended",
        letters.len(),
        delivered.len()
    );
    assert!(kills > 50, "{kills} kills are too few to tell anything");
    let more_than_once: Vec<_> = delivered.iter().filter(|(_, times)| **times > 1).collect();
    assert!(more_than_once.is_empty(), "{more_than_once:?}");
    assert_eq!(delivered.len(), expected - missing);
    let gone = post.connections() / 10 + 1;
    assert!(twice <= kills + gone, "{twice} letters came twice after {kills} kills and {gone} losses of the server");
}

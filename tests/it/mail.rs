//! Digests by mail: the true program against a small server on this machine, a sendmail and a directory.

use std::path::Path;

use paperkin::library::{Covered, Letter, LetterState, Library};
use paperkin::paper::{Date, parse_date};

use crate::post::{Manner, Post, header, plain};
use crate::support::{Kin, Ran};

/// Papers of some days of August 2026, so many each.
fn papers(days: &[(u32, usize)]) -> String {
    let paper = |day: u32, at: usize| {
        format!(
            "{{\"id\": \"2608.{day:02}{at:03}\", \"title\": \"Paper {at} of day {day}\", \"abstract\": \"Neural text {at} on graphs of day {day}.\", \
             \"day\": \"2026-08-{day:02}\", \"upvotes\": {at}, \"published\": \"2026-08-{day:02}\"}}\n"
        )
    };
    days.iter().flat_map(|&(day, count)| (1..=count).map(move |at| paper(day, at))).collect()
}

/// A library with papers, a subscriber, and mail by these settings.
fn subscribed(settings: &str) -> Kin {
    let kin = Kin::new();
    kin.write("papers.jsonl", papers(&[(10, 3), (11, 4)]));
    kin.write("paperkin.toml", settings);
    assert_eq!(kin.run(&["add", "papers.jsonl"]).code, 0);
    let ran = kin.run(&["subscribe", "tim@example.org"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    kin
}

fn deliver(kin: &Kin, now: &str) -> Ran {
    crate::support::ran(kin.command(&["digest", "--deliver"]).env("PAPERKIN_NOW", now).output().unwrap())
}

fn ids(text: &str) -> Vec<&str> {
    let mut ids: Vec<&str> = text.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|id| id.starts_with("2608.") && id.len() == 10).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[test]
fn what_is_due_is_mailed_once_and_what_comes_late_is_mailed_later() {
    let post = Post::start(|_| Manner::Take);
    let kin = subscribed(&post.settings());
    let first = deliver(&kin, "2026-08-11T08:00:00Z");
    assert!(first.code == 0 && first.err.contains("tim@example.org, for default: 7 papers mailed"), "{first:?}");
    let message = &post.taken()[0];
    assert_eq!(header(message, "To"), "tim@example.org");
    assert_eq!(header(message, "From"), "paperkin <kin@example.org>");
    assert!(header(message, "Message-ID").ends_with(".paperkin@example.org>"), "{message}");
    assert!(header(message, "List-Unsubscribe").starts_with("<mailto:kin@example.org?"), "{message}");
    assert!(header(message, "Content-Type").starts_with("multipart/alternative;") && message.contains("Content-Type: text/html"), "{message}");
    assert_eq!(ids(&plain(message)).len(), 7, "{}", plain(message));
    assert!(plain(message).contains("https://arxiv.org/abs/2608.11004"), "{}", plain(message));
    // Not again on the same day, nor before its time.
    for now in ["2026-08-11T09:00:00Z", "2026-08-12T06:59:59Z"] {
        let again = deliver(&kin, now);
        assert!(again.code == 0 && again.err.contains("nothing is due; the next is at 2026-08-12T07:00:00Z"), "{again:?}");
    }
    // On a day without papers, nothing; then what came late, and what is new.
    let empty = deliver(&kin, "2026-08-12T07:00:00Z");
    assert!(empty.code == 0 && empty.err.contains("no mail (nothing is new up to 2026-08-12)"), "{empty:?}");
    kin.write("more.jsonl", papers(&[(11, 5), (13, 1)]));
    kin.run(&["add", "more.jsonl"]);
    assert!(deliver(&kin, "2026-08-13T07:00:00Z").err.contains("2 papers mailed"));
    let taken = post.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(ids(&plain(&taken[1])), ["2608.11005", "2608.13001"]);
    // What was mailed was seen by the profile.
    assert_eq!(kin.json(&["digest", "--date", "2026-08-11", "--json"])["left_out"]["seen"], 5);
    assert_eq!(kin.run(&["unsubscribe", "tim@example.org"]).code, 0);
    assert_eq!(kin.run(&["unsubscribe", "tim@example.org"]).code, 2);
    assert!(deliver(&kin, "2026-08-15T07:00:00Z").err.contains("nobody is subscribed"));
}

#[test]
fn each_subscriber_gets_what_it_wishes_when_it_wishes_it() {
    let post = Post::start(|_| Manner::Take);
    let kin = subscribed(&post.settings());
    let weekly =
        ["subscribe", "Ann <ann@example.org>", "--every", "week", "--on", "tuesday", "--at", "09:00+02:00", "--keyword", "day 10", "-n", "2"];
    assert_eq!(kin.run(&weekly).code, 0);
    assert_eq!(kin.run(&["subscribe", "eva@example.org", "--min-upvotes", "90", "--even-if-empty", "--profile", "eva"]).code, 0);
    let listed = kin.run(&["subscriptions"]).out;
    assert!(listed.contains("ann@example.org  for default, every tuesday at 09:00+02:00; due now"), "{listed}");
    assert_eq!(deliver(&kin, "2026-08-11T07:00:00Z").code, 0);
    let taken = post.taken();
    let of = |name: &str| taken.iter().find(|message| header(message, "To").contains(name)).unwrap_or_else(|| panic!("nothing to {name}"));
    assert!(plain(of("ann")).contains("3 papers") && plain(of("ann")).contains("and 1 more"), "{}", plain(of("ann")));
    assert_eq!(ids(&plain(of("tim"))).len(), 7);
    assert!(plain(of("eva")).contains("no papers of these days"), "{}", plain(of("eva")));
    // Papers that were counted and not shown do not come as new ones.
    assert!(deliver(&kin, "2026-08-18T07:00:00Z").err.contains("ann@example.org, for default: no mail"));
    assert_eq!(kin.json(&["subscriptions", "--json"])[1]["next"], "2026-08-25T07:00:00Z".replace("2026-08-25", next_tuesday()));
    for wrong in [
        &["subscribe", "nobody"][..],
        &["subscribe", "a@example.org", "--at", "25:00"],
        &["subscribe", "a@example.org", "--every", "year"],
        &["subscribe", "a@example.org", "--on", "someday"],
        &["subscribe", "a@example.org", "--keyword", "!"],
        &["subscribe", "a@example.org", "--sort", "best"],
    ] {
        assert_eq!(kin.run(wrong).code, 2, "{wrong:?}");
    }
}

/// `subscriptions` tells of the next time after now, whenever the test runs.
fn next_tuesday() -> &'static str {
    static DAY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    DAY.get_or_init(|| {
        let schedule: paperkin::digest::Schedule = serde_json::from_str(r#"{"every": "week", "on": "tuesday", "at": "09:00+02:00"}"#).unwrap();
        schedule.next(jiff::Timestamp::now()).strftime("%Y-%m-%d").to_string()
    })
}

#[test]
fn a_server_with_faults_gets_each_letter_once_more_and_none_is_lost() {
    use Manner::{Busy, GoneAfter, GoneWithin, NoAnswer, NoQuestion, NotYet, Take};
    // What the server does, each time it is asked, and what is said of it.
    let cases: [(&[Manner], &[&str], usize); 7] = [
        (&[NoQuestion, Take], &["neither yes nor no to a message", "7 papers mailed"], 1),
        (&[NoAnswer, Take], &["does not say that it has the message", "perhaps for the second time"], 1),
        (&[Busy, Take], &["waits, and is tried again", "7 papers mailed"], 1),
        (&[NotYet, NotYet, Take], &["greylisted", "waits", "7 papers mailed"], 1),
        (&[GoneWithin, Take], &["perhaps mailed", "perhaps for the second time"], 1),
        (&[GoneAfter, Take], &["perhaps mailed", "perhaps for the second time"], 2),
        (&[GoneAfter, Busy, Take], &["perhaps mailed", "waits", "perhaps for the second time"], 2),
    ];
    for (manners, said, taken) in cases {
        let post = Post::start(|at| manners.get(at).copied().unwrap_or(Take));
        let kin = subscribed(&post.settings());
        for (at, said) in said.iter().enumerate() {
            let ran = deliver(&kin, &format!("2026-08-11T08:0{at}:00Z"));
            let is_last = at + 1 == manners.len();
            assert!(ran.err.contains(said) && ran.code == i32::from(!is_last), "{manners:?} {at}: {ran:?}");
        }
        let messages = post.taken();
        assert_eq!(messages.len(), taken, "{manners:?}");
        let mut names: Vec<String> = messages.iter().map(|message| header(message, "Message-ID")).collect();
        names.dedup();
        assert_eq!((names.len(), ids(&plain(&messages[0])).len()), (1, 7), "{manners:?}");
        assert!(messages.iter().all(|message| message == &messages[0]), "the same letter has the same bytes");
        assert!(deliver(&kin, "2026-08-11T08:09:00Z").err.contains("nothing is due"));
    }
}

#[test]
fn what_a_server_may_have_is_not_told_once_more_under_another_name() {
    use Manner::{Busy, GoneAfter, Refuse, Take};
    // Never an answer; busy in between, which is one; and a refusal of what it may have taken.
    let cases: [(&[Manner], &[&str]); 3] = [
        (&[GoneAfter, GoneAfter, GoneAfter], &["it is tried again", "it is tried again", "it is not tried again"]),
        (&[Busy, Busy, GoneAfter, Take], &["waits", "waits", "it is tried again", "perhaps for the second time"]),
        (&[GoneAfter, Refuse], &["it is tried again", "it is not tried again"]),
    ];
    for (manners, said) in cases {
        let post = Post::start(|at| manners.get(at).copied().unwrap_or(Take));
        let kin = subscribed(&post.settings());
        for (at, said) in said.iter().enumerate() {
            let ran = deliver(&kin, &format!("2026-08-11T08:0{at}:00Z"));
            assert!(ran.err.contains(said), "{manners:?} {at}: {ran:?}");
        }
        let ran = deliver(&kin, "2026-08-12T08:00:00Z");
        assert!(ran.code == 0 && ran.err.contains("no mail"), "{manners:?}: {ran:?}");
        let mut names: Vec<String> = post.taken().iter().map(|message| header(message, "Message-ID")).collect();
        names.dedup();
        assert_eq!(names.len(), 1, "{manners:?}");
    }
}

#[test]
fn two_addresses_of_one_profile_get_the_same_whenever_they_get_it() {
    let post = Post::start(|at| if at == 1 { Manner::NoSuchUser } else { Manner::Take });
    let kin = subscribed(&post.settings());
    kin.run(&["subscribe", "late@example.org", "--at", "09:00"]);
    kin.run(&["subscribe", "weekly@example.org", "--every", "week", "--on", "wednesday"]);
    // The first ones are due at once; then each at its time.
    assert_eq!(deliver(&kin, "2026-08-11T08:00:00Z").code, 7);
    assert!(deliver(&kin, "2026-08-11T08:01:00Z").err.contains("nothing is due"), "who was refused is not written to again at once");
    kin.write("more.jsonl", papers(&[(12, 3)]));
    kin.run(&["add", "more.jsonl"]);
    for now in ["2026-08-12T07:30:00Z", "2026-08-12T09:30:00Z"] {
        assert_eq!(deliver(&kin, now).code, 0);
    }
    let letters = post.taken();
    for name in ["tim@example.org", "late@example.org", "weekly@example.org"] {
        let text: String = letters.iter().filter(|message| header(message, "To") == name).map(|message| plain(message)).collect();
        let told = (1..=3).flat_map(|at| [10, 11, 12].map(|day| format!("2608.{day}00{at} "))).chain(["2608.11004 ".to_owned()]);
        told.into_iter().for_each(|id| assert_eq!(text.matches(&id).count(), 1, "{id} to {name}: {text}"));
    }
}

#[test]
fn what_is_refused_comes_with_the_next_letter_however_often() {
    let post = Post::start(|at| if at < 6 { [Manner::NoSuchUser, Manner::Refuse][at % 2] } else { Manner::Take });
    let kin = subscribed(&post.settings());
    for day in 11..17 {
        let now = format!("2026-08-{day}T08:00:00Z");
        let ran = deliver(&kin, &now);
        assert!(ran.code == 1 && ran.err.contains("refused; its papers are new again"), "{day}: {ran:?}");
        assert!(deliver(&kin, &now).err.contains("nothing is due"), "not again on the same day");
        kin.write("more.jsonl", papers(&[(day + 1, 2)]));
        kin.run(&["add", "more.jsonl"]);
    }
    assert!(deliver(&kin, "2026-08-17T08:00:00Z").err.contains("19 papers mailed"));
}

#[test]
fn letters_that_waited_for_long_and_are_refused_give_all_of_their_papers_back() {
    let post = Post::start(|at| match at {
        0..20 => Manner::Busy,
        20..27 => Manner::Refuse,
        _ => Manner::Take,
    });
    let kin = subscribed(&post.settings());
    let mut connections = 0;
    for day in 11..31 {
        deliver(&kin, &format!("2026-08-{day}T08:00:00Z"));
        kin.write("more.jsonl", papers(&[(day + 1, 1)]));
        kin.run(&["add", "more.jsonl"]);
        connections = post.connections();
        if connections >= 27 {
            break;
        }
    }
    assert!(connections >= 27, "{connections}");
    for day in 1..5 {
        deliver(&kin, &format!("2026-09-{day:02}T08:00:00Z"));
    }
    let text: String = post.taken().iter().map(|message| plain(message)).collect();
    let told = ids(&text);
    let all = crate::support::records(&kin.export());
    assert!(all.iter().all(|paper| told.contains(&paper["id"].as_str().unwrap())), "{} of {}", told.len(), all.len());
}

#[test]
fn a_clock_that_was_wrong_silences_nobody() {
    let post = Post::start(|_| Manner::Take);
    let kin = subscribed(&post.settings());
    assert_eq!(deliver(&kin, "2036-01-01T08:00:00Z").code, 0);
    assert!(deliver(&kin, "2026-08-11T08:00:00Z").err.contains("7 papers mailed"));
    assert!(deliver(&kin, "2026-08-11T08:00:00Z").err.contains("nothing is due; the next is at 2026-08-12"));
    // And one that is behind opens no history.
    kin.write("old.jsonl", papers(&[(1, 5), (12, 2)]));
    kin.run(&["add", "old.jsonl"]);
    assert!(deliver(&kin, "1970-01-01T08:00:00Z").err.contains("no mail"));
    assert!(deliver(&kin, "2026-08-12T08:00:00Z").err.contains("2 papers mailed"));
}

#[test]
fn who_unsubscribes_takes_no_papers_from_another_and_what_was_seen_by_hand_stays_seen() {
    let post = Post::start(|_| Manner::Take);
    let kin = subscribed(&post.settings());
    kin.run(&["subscribe", "weekly@example.org", "--every", "week", "--on", "wednesday"]);
    // On the tenth, before both: one paper is seen by hand.
    assert_eq!(kin.run(&["digest", "--date", "2026-08-10", "-n", "1", "--mark-seen"]).code, 0);
    assert!(deliver(&kin, "2026-08-11T08:00:00Z").err.contains("tim@example.org, for default: 6 papers mailed"));
    assert_eq!(kin.run(&["unsubscribe", "tim@example.org"]).code, 0);
    assert!(deliver(&kin, "2026-08-12T08:00:00Z").err.contains("weekly@example.org, for default: 6 papers mailed"));
}

#[cfg(unix)]
#[test]
fn a_letter_over_which_paperkin_always_ends_is_given_up() {
    let kin = subscribed("");
    let program = script(&kin, "sendmail", "cat >> messages; kill -9 $PPID; sleep 1");
    kin.write("paperkin.toml", format!("[mail]\nfrom = \"kin@example.org\"\nsendmail = \"{program}\"\n"));
    let codes: Vec<i32> = (0..4).map(|at| deliver(&kin, &format!("2026-08-11T08:0{at}:00Z")).code).collect();
    assert_eq!(codes, [-1, -1, -1, 1]);
    let messages = std::fs::read_to_string(kin.path("messages")).unwrap();
    assert_eq!(messages.matches("Message-ID: ").count(), 3);
}

#[test]
fn a_letter_that_was_being_sent_when_the_program_ended_is_sent_again_and_said() {
    let post = Post::start(|_| Manner::Take);
    let kin = subscribed(&post.settings());
    {
        // As the library is when the power goes between handing over and noting.
        let mut library = Library::open_to_write(&kin.path("library")).unwrap();
        let papers = library.rows_of(&paperkin::library::Filter::default()).unwrap();
        let until = parse_date("2026-08-11").unwrap();
        let letter = Letter {
            message_id: "one@example.org".to_owned(),
            subscription: 1,
            until,
            state: LetterState::Ready,
            attempts: 0,
            changed: String::new(),
            note: String::new(),
            shown: papers.clone(),
            message: b"Message-ID: <one@example.org>\n\nhello\n".to_vec(),
        };
        let covered = Covered { reader: "subscription 1", since: Date::constant(2026, 8, 10), until, papers: &papers };
        library.write_letter(&letter, &covered).unwrap();
        library.hand_over(&letter, "2026-08-11T07:00:00Z").unwrap();
    }
    let ran = deliver(&kin, "2026-08-11T08:00:00Z");
    assert!(ran.code == 0 && ran.err.contains("perhaps for the second time") && ran.err.contains("under one message id"), "{ran:?}");
    assert_eq!(header(&post.taken()[0], "Message-ID"), "<one@example.org>");
    assert!(deliver(&kin, "2026-08-11T08:00:00Z").err.contains("nothing is due"));
}

#[cfg(unix)]
fn script(kin: &Kin, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = kin.write(name, format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[cfg(unix)]
#[test]
fn mail_leaves_by_a_sendmail_and_into_a_directory() {
    let kin = subscribed("");
    let from = "[mail]\nfrom = \"kin@example.org\"\n";
    let settings = |way: &str| _ = kin.write("paperkin.toml", format!("{from}{way}\n"));
    let ends = [("exit 75", "waits"), ("exit 67", "refused"), ("exit 1", "waits"), ("kill -9 $$", "perhaps mailed"), ("exit 0", "7 papers mailed")];
    for (day, (end, said)) in (11..).zip(ends) {
        let said_much = "yes went wrong | head -c 200000 >&2";
        let program = script(&kin, "sendmail", &format!("echo \"$@\" > args; {said_much}; cat > message; {end}"));
        settings(&format!("sendmail = \"{program}\""));
        let ran = deliver(&kin, &format!("2026-08-{day}T08:00:00Z"));
        assert!(ran.err.contains(said), "{end}: {ran:?}");
    }
    let read = |name: &str| std::fs::read_to_string(kin.path(name)).unwrap();
    assert_eq!(read("args").trim(), "-i -f kin@example.org -- tim@example.org");
    assert_eq!(ids(&plain(&read("message").replace("\r\n", "\n"))).len(), 7);
    settings("directory = \"outbox\"");
    kin.write("more.jsonl", papers(&[(16, 2)]));
    kin.run(&["add", "more.jsonl"]);
    assert_eq!(deliver(&kin, "2026-08-16T08:00:00Z").code, 0);
    let files: Vec<_> = std::fs::read_dir(kin.path("outbox")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.len() == 1 && files[0].to_string_lossy().starts_with("2026-08-16.1."), "{files:?}");
}

#[test]
fn one_digest_is_mailed_at_once_or_told_why_not() {
    let post = Post::start(|at| if at == 0 { Manner::Take } else { Manner::NoSuchUser });
    let kin = subscribed(&post.settings());
    let mailed = kin.run(&["digest", "--date", "2026-08-11", "--email", "Jo Ö <jo@example.org>"]);
    assert!(mailed.code == 0 && mailed.err.contains("mailed to jo@example.org") && mailed.out.is_empty(), "{mailed:?}");
    assert_eq!(ids(&plain(&post.taken()[0])).len(), 4);
    let refused = kin.run(&["digest", "--date", "2026-08-11", "--email", "jo@example.org"]);
    assert!(refused.code == 1 && refused.err.contains("refused: ") && refused.err.contains("no such user"), "{refused:?}");
    // What did not leave was not told.
    let new = ["digest", "--new", "--until", "2026-08-11", "--profile", "new"];
    let some = [&new[..], &["--mark-seen", "--email", "jo@example.org", "--email", "al@example.org"]].concat();
    assert_eq!(kin.run(&some).code, 1);
    assert_eq!(kin.json(&[&new[..], &["--json"]].concat())["papers"], 4);
    let offline = kin.run(&["digest", "--date", "2026-08-11", "--email", "jo@example.org", "--offline"]);
    assert!(offline.code == 1 && offline.err.contains("set to offline"), "{offline:?}");
    let settings = [
        ("", "nothing says how mail leaves"),
        ("from = \"kin@example.org\"", "nothing says how mail leaves"),
        ("from = \"kin\"\nserver = \"x\"", "no address"),
        ("from = \"a@b.org\"\nserver = \"x\"\ndirectory = \"y\"", "more than one way"),
        ("from = \"a@b.org\"\nserver = \"127.0.0.1:1\"\nsecurity = \"none\"\nuser = \"u\"\npassword_file = \"p\"", "gives the password away"),
        ("from = \"a@b.org\"\nserver = \"127.0.0.1:1\"\nuser = \"u\"\npassword_file = \"p\"", "cannot read the password of mail from p"),
        ("from = \"a@b.org\"\nserver = \"127.0.0.1:1\"\nuser = \"u\"\npassword_command = \"exit 3\"", "the command for the password of mail failed"),
        ("from = \"a@ö.org\"\nserver = \"x\"", "xn--"),
        ("password = \"secret\"", "paperkin.toml:2:1: unknown field `password`"),
        ("from = \"a@b.org\"\nserver = \"http://x\"", "no mail server"),
        ("from = \"a@b.org\"\nserver = \"127.0.0.1:1\"\nca_file = \"paperkin.toml\"", "no certificate"),
        ("from = \"a@b.org\"\nserver = \"127.0.0.1:1\"", "not now: 127.0.0.1:1: "),
    ];
    for (text, expected) in settings {
        kin.write("paperkin.toml", format!("[mail]\n{text}\n"));
        let ran = kin.run(&["digest", "--date", "2026-08-11", "--email", "jo@example.org"]);
        assert!((1..=2).contains(&ran.code) && ran.err.contains(expected) && !ran.err.contains("secret"), "{text}: {ran:?}");
    }
}

#[test]
fn a_library_of_an_older_format_has_no_subscribers_and_gets_them() {
    let kin = subscribed("");
    let subscriptions = |directory: &Path| Library::open(directory).unwrap().subscriptions().unwrap().len();
    assert_eq!(subscriptions(&kin.path("library")), 1);
    let sql = "PRAGMA foreign_keys = OFF; DROP TABLE letters; DROP TABLE subscriptions; DROP TABLE covered; DROP TABLE readers; DROP TABLE runs;
        ALTER TABLE seen DROP COLUMN by_mail; PRAGMA user_version = 5;";
    rusqlite::Connection::open(kin.path("library/library.db")).unwrap().execute_batch(sql).unwrap();
    assert_eq!(subscriptions(&kin.path("library")), 0);
    assert_eq!(kin.json(&["digest", "--new", "--until", "2026-08-11", "--json"])["papers"], 4);
    assert_eq!(kin.run(&["subscribe", "tim@example.org"]).code, 0);
    assert_eq!(subscriptions(&kin.path("library")), 1);
}

//! Live sources: the true client and the true program against a small server on this machine, with the faults that servers have.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use paperkin::remote::client::{Client, Options};

use crate::server::{Answer, Manner, Request, Server};
use crate::support::{Kin, Ran};

/// An entry of arXiv's API.
fn entry(id: &str, version: u32, updated: &str, title: &str) -> String {
    format!(
        "<entry><id>http://arxiv.org/abs/{id}v{version}</id><updated>{updated}T10:00:00Z</updated><published>2026-08-01T10:00:00Z</published>\
         <title>{title}</title><summary>What {title} is about, version {version}.</summary><author><name>Ada Lovelace</name></author></entry>"
    )
}

fn feed(total: usize, start: usize, entries: &[String]) -> Answer {
    let body = format!(
        "<feed xmlns='http://www.w3.org/2005/Atom'><updated>2026-08-11T00:00:00Z</updated><opensearch:totalResults>{total}</opensearch:totalResults>\
         <opensearch:startIndex>{start}</opensearch:startIndex>{}</feed>",
        entries.concat()
    );
    Answer::new(200, vec![("Content-Type", "application/atom+xml".to_owned())], body.as_bytes())
}

fn records(ids: &[&str], token: &str) -> Answer {
    let record = |id: &&str| {
        format!(
            "<record><header><identifier>oai:arXiv.org:{id}</identifier></header><metadata><arXiv><id>{id}</id><created>2026-08-01</created>\
             <title>Paper {id}</title><abstract>Text of {id}.</abstract></arXiv></metadata></record>"
        )
    };
    let body = format!(
        "<OAI-PMH><ListRecords>{}<resumptionToken>{token}</resumptionToken></ListRecords></OAI-PMH>",
        ids.iter().map(record).collect::<String>()
    );
    Answer::new(200, vec![], body.as_bytes())
}

fn daily(ids: &[&str]) -> Answer {
    let paper = |id: &&str| {
        format!("{{\"paper\": {{\"id\": \"{id}\", \"title\": \"Paper {id}\", \"summary\": \"Text of {id}.\", \"upvotes\": 3}}, \"numComments\": 1}}")
    };
    Answer::new(200, vec![], format!("[{}]", ids.iter().map(paper).collect::<Vec<_>>().join(",")).as_bytes())
}

/// Runs the program with every server in one place, and without waiting between questions.
fn run(kin: &Kin, server: &Server, args: &[&str]) -> Ran {
    let url = format!("http://{}", server.address);
    let mut command = kin.command(args);
    for name in ["HF_ENDPOINT", "PAPERKIN_ARXIV", "PAPERKIN_S2", "PAPERKIN_OPENALEX", "PAPERKIN_CROSSREF"] {
        command.env(name, &url);
    }
    command.env("PAPERKIN_ARXIV_OAI", format!("{url}/oai")).env("PAPERKIN_CACHE", kin.path("answers"));
    command.env("PAPERKIN_PAUSE", "0").env("PAPERKIN_FRESH", "0").env("PAPERKIN_CONTACT", "me@example.org");
    let output = command.output().unwrap();
    Ran { code: output.status.code().unwrap_or(-1), out: String::from_utf8(output.stdout).unwrap(), err: String::from_utf8(output.stderr).unwrap() }
}

fn paths(server: &Server) -> Vec<String> {
    server.asked().into_iter().map(|request| request.path).collect()
}

#[test]
fn daily_papers_are_read_page_by_page_and_a_weekend_is_no_error() {
    let server = Server::start(|request: &Request| match request.path.as_str() {
        path if path.contains("date=2026-08-11") && path.ends_with("p=0") => daily(&["2608.00001", "2608.00002"]),
        path if path.contains("date=2026-08-11") && path.ends_with("p=1") => daily(&["2608.00003"]),
        _ => daily(&[]),
    });
    let kin = Kin::new();
    let ran = run(&kin, &server, &["add", "hf:2026-08-11"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("3 records of 3 papers: 3 new"), "{ran:?}");
    assert_eq!(paths(&server).len(), 3);
    let ran = run(&kin, &server, &["add", "hf:2026-08-09"]);
    assert!(ran.code == 0 && ran.err.contains("0 records of 0 papers"), "{ran:?}");
    let asked = server.asked();
    assert!(asked[0].header("user-agent").unwrap().contains("(mailto:me@example.org)"), "{:?}", asked[0]);
    assert!(asked[3].path.starts_with("/api/daily_papers?date=2026-08-09"), "{:?}", asked[3]);
}

#[test]
fn what_is_new_on_arxiv_goes_on_from_the_last_time_and_newer_versions_replace() {
    let is_second = std::sync::Arc::new(Mutex::new(false));
    let server = Server::start({
        let is_second = std::sync::Arc::clone(&is_second);
        move |request: &Request| match (*is_second.lock().unwrap(), request.path.contains("start=0")) {
            (false, true) => feed(900, 0, &[entry("2608.00001", 1, "2099-01-02", "One"), entry("2608.00002", 2, "2099-01-01", "Two")]),
            (false, false) => feed(900, 2, &[entry("2608.00003", 1, "2020-01-01", "Three")]),
            (true, _) => feed(2, 0, &[entry("2608.00001", 2, "2099-01-03", "One, revised"), entry("2608.00002", 1, "2099-01-01", "Two, the first")]),
        }
    });
    let kin = Kin::new();
    let ran = run(&kin, &server, &["add", "arxiv:cs.LG+stat.ML"]);
    assert!(ran.code == 0 && ran.err.contains("3 records of 3 papers: 3 new"), "{ran:?}");
    let asked = paths(&server);
    assert!(asked[0].contains("search_query=cat%3Acs.LG%20OR%20cat%3Astat.ML") && asked[0].contains("sortBy=lastUpdatedDate"), "{asked:?}");
    assert_eq!(asked.len(), 2, "what is older than a week is not asked for: {asked:?}");
    *is_second.lock().unwrap() = true;
    let ran = run(&kin, &server, &["add", "arxiv:cs.LG+stat.ML"]);
    assert!(ran.code == 0 && ran.err.contains("2 records of 2 papers: 0 new"), "{ran:?}");
    let paper = |id: &str| kin.json(&["show", id, "--json"])[0].clone();
    assert_eq!((paper("2608.00001")["title"].as_str(), paper("2608.00001")["version"].as_u64()), (Some("One, revised"), Some(2)));
    assert_eq!((paper("2608.00002")["title"].as_str(), paper("2608.00002")["published"].as_str()), (Some("Two"), Some("2026-08-01")));
}

#[test]
fn an_archive_is_harvested_by_its_tokens_and_left_alone_when_it_asks() {
    let busy = Mutex::new(2);
    let server = Server::start(move |request: &Request| {
        let mut left = busy.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            return Answer::new(if *left == 1 { 503 } else { 429 }, vec![("Retry-After", "0".to_owned())], b"busy");
        }
        match request.path.split_once("resumptionToken=").map(|(_, token)| token) {
            None => records(&["2608.00001"], "a&amp;b|1"),
            Some("a%26b%7C1") => records(&["2608.00002"], "2"),
            _ => records(&["2608.00003"], ""),
        }
    });
    let kin = Kin::new();
    let ran = run(&kin, &server, &["add", "oai:cs since=2026-08-01"]);
    assert!(ran.code == 0 && ran.err.contains("3 records of 3 papers: 3 new"), "{ran:?}");
    let asked = paths(&server);
    assert_eq!(asked[2], "/oai?verb=ListRecords&metadataPrefix=arXiv&from=2026-08-01&set=cs");
    assert_eq!(asked.len(), 5, "{asked:?}");
}

#[test]
fn a_token_that_never_ends_is_told_and_what_was_read_stays() {
    for token in ["same", "{n}"] {
        let count = Mutex::new(0);
        let server = Server::start(move |_: &Request| {
            let mut n = count.lock().unwrap();
            *n += 1;
            let ids = if *n == 1 { vec!["2608.00001"] } else { vec![] };
            records(&ids, &token.replace("{n}", &n.to_string()))
        });
        let kin = Kin::new();
        let ran = run(&kin, &server, &["add", "oai:cs"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains("goes round in a circle") || ran.err.contains("pages without a record"), "{ran:?}");
        assert_eq!(kin.json(&["ls", "--json"]).as_array().unwrap().len(), 1);
        assert!(paths(&server).len() < 12);
    }
}

#[test]
fn what_broke_is_asked_for_again_from_where_it_was() {
    let server = Server::start(|request: &Request| match request.path.contains("resumptionToken") {
        false => records(&["2608.00001"], "next"),
        true => Answer::new(200, vec![], b"<OAI-PMH><error code='badResumptionToken'>too late</error></OAI-PMH>"),
    });
    let kin = Kin::new();
    for _ in 0..2 {
        let ran = run(&kin, &server, &["add", "oai:cs"]);
        assert!(ran.code == 7 && ran.err.contains("badResumptionToken too late"), "{ran:?}");
    }
    let asked = paths(&server);
    assert!(asked.len() == 4 && asked[0] == asked[2], "{asked:?}");
}

#[test]
fn nothing_new_is_no_failure_and_what_was_deleted_is_counted() {
    let server = Server::start(|request: &Request| match request.path.as_str() {
        path if path.contains("set=none") => Answer::new(200, vec![], b"<OAI-PMH><error code='noRecordsMatch'>none</error></OAI-PMH>"),
        path if path.starts_with("/oai") => {
            let record = "<record><header status='deleted'><identifier>oai:arXiv.org:2608.00009</identifier></header></record>";
            Answer::new(200, vec![], format!("<OAI-PMH><ListRecords>{record}</ListRecords></OAI-PMH>").as_bytes())
        }
        path if path.starts_with("/graph") => Answer::new(200, vec![], b"{\"total\": 0, \"offset\": 0}"),
        _ => feed(0, 0, &[]),
    });
    let kin = Kin::new();
    let ran = run(&kin, &server, &["add", "oai:none", "oai:some", "s2:nothing", "arxiv:query=all:nothing", "hf:2026-08-09"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("1 record of 0 papers") && ran.err.contains("1 deleted by their source"), "{ran:?}");
}

#[test]
fn a_limit_ends_the_questions_too() {
    let server = Server::start(|request: &Request| {
        let start = request.path.rsplit("start=").next().and_then(|start| start.parse::<usize>().ok()).unwrap_or(0);
        feed(9, start, &[entry(&format!("2608.0000{start}"), 1, "2026-08-01", "One"), entry(&format!("2608.0001{start}"), 1, "2026-08-01", "Two")])
    });
    let kin = Kin::new();
    let ran = run(&kin, &server, &["add", "--limit", "3", "arxiv:query=all:x"]);
    assert!(ran.code == 0 && ran.err.contains("3 records of 3 papers"), "{ran:?}");
    assert_eq!(paths(&server).len(), 2);
}

#[test]
fn an_empty_page_where_there_are_papers_is_no_end() {
    let server = Server::start(|request: &Request| match request.path.contains("start=0") {
        true => feed(9, 0, &[entry("2608.00001", 1, "2099-08-01", "One")]),
        false => feed(9, 1, &[]),
    });
    let kin = Kin::new();
    for _ in 0..2 {
        let before = server.asked().len();
        let ran = run(&kin, &server, &["add", "arxiv:cs.LG"]);
        assert!(ran.code == 1 && ran.err.contains("an empty page where it says that there is more"), "{ran:?}");
        assert!(server.asked().len() > before + 2, "it is asked for again, and not kept");
    }
    assert_eq!(kin.json(&["status", "--json"])["papers"], 1);
}

#[test]
fn other_indexes_are_asked_by_words_and_crossref_by_a_doi() {
    let server = Server::start(|request: &Request| {
        let body = match request.path.as_str() {
            path if path.starts_with("/graph/v1/paper/search?query=graph%20nets") && !path.contains("offset") => {
                "{\"total\": 2, \"next\": 1, \"data\": [{\"paperId\": \"a\", \"title\": \"One\", \"abstract\": \"Text.\"}]}"
            }
            path if path.starts_with("/graph/") => {
                "{\"total\": 2, \"data\": [{\"paperId\": \"b\", \"title\": \"Two\", \"abstract\": \"Text of two.\"}]}"
            }
            path if path.starts_with("/works?search=graph") && path.ends_with("cursor=*") => {
                "{\"meta\": {\"next_cursor\": \"x=\"}, \"results\": [{\"id\": \"https://openalex.org/W1\", \"display_name\": \"Three\"}]}"
            }
            path if path.starts_with("/works?search=graph") => "{\"meta\": {\"next_cursor\": \"y\"}, \"results\": []}",
            "/works/10.1000/abc" => {
                "{\"message-type\": \"work\", \"message\": {\"DOI\": \"10.1000/abc\", \"title\": [\"Four\"], \"abstract\": \"<jats:p>Text of four.</jats:p>\"}}"
            }
            _ => return Answer::new(404, vec![], b"nothing here"),
        };
        Answer::new(200, vec![("Content-Type", "application/json".to_owned())], body.as_bytes())
    });
    let kin = Kin::new();
    let ran = run(&kin, &server, &["add", "--title-only", "s2:graph nets", "openalex:graph", "doi:10.1000/abc", "https://doi.org/10.1000/none"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("4 records of 4 papers: 4 new"), "{ran:?}");
    assert!(ran.err.contains("failed: the server has nothing under this address") && ran.err.contains("1 inputs could not be read"), "{ran:?}");
}

#[test]
fn a_paper_that_the_library_lacks_is_fetched_and_kept_when_asked() {
    let server = Server::start(|request: &Request| {
        assert!(request.path.starts_with("/api/query?id_list=2608.00001"), "{}", request.path);
        feed(1, 0, &[entry("2608.00001", 1, "2026-08-01", "Neural graph networks")])
    });
    let kin = Kin::new();
    let papers = kin.write("papers.jsonl", crate::support::papers(20));
    assert_eq!(kin.run(&["add", papers.to_str().unwrap()]).code, 0);
    let ran = run(&kin, &server, &["similar", "oai:arXiv.org:2608.00001", "-n", "3", "--format", "tsv"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{ran:?}");
    let ran = run(&kin, &server, &["similar", "arxiv:2608.00001", "-n", "3", "--format", "tsv"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{ran:?}");
    assert!(ran.err.contains("--keep keeps it"), "{ran:?}");
    assert_eq!(kin.json(&["status", "--json"])["papers"], 20);
    let ran = run(&kin, &server, &["similar", "https://arxiv.org/abs/2608.00001v1", "--keep", "-n", "3", "--format", "tsv"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{ran:?}");
    assert_eq!(kin.json(&["status", "--json"])["papers"], 21);
    let before = server.asked().len();
    assert_eq!(run(&kin, &server, &["similar", "arxiv:2608.00001"]).code, 0);
    assert_eq!(server.asked().len(), before, "a paper that is there is not fetched");
    let titled = kin.write("titled.jsonl", "{\"title\": \"Mining arXiv at scale\", \"abstract\": \"x\"}\n");
    assert_eq!(kin.run(&["add", titled.to_str().unwrap()]).code, 0);
    let ran = kin.run(&["similar", "arxiv:2508.13426", "--offline"]);
    assert!(ran.code == 1 && ran.err.contains("set to offline"), "a part of a title has no such weight: {ran:?}");
    let ran = kin.run(&["similar", "2608.00009"]);
    assert!(ran.code == 1 && ran.err.contains("`paperkin similar arxiv:2608.00009` fetches it"), "{ran:?}");
}

#[test]
fn offline_nothing_is_asked() {
    let server = Server::start(|_: &Request| daily(&[]));
    let kin = Kin::new();
    for args in [&["add", "hf:today", "--offline"][..], &["similar", "arxiv:2608.00001", "--offline", "--in", "x.jsonl"]] {
        kin.write("x.jsonl", crate::support::papers(3));
        let ran = run(&kin, &server, args);
        assert!(ran.code == 1 && ran.err.contains("set to offline"), "{ran:?}");
    }
    assert!(server.asked().is_empty());
    assert!(!kin.path("library").exists(), "no library is made");
}

#[test]
fn what_is_no_list_of_papers_is_named() {
    let server = Server::start(|request: &Request| match request.path.as_str() {
        "/captcha" => Answer::new(200, vec![], b"<!doctype html><html><title>x</title><div class='g-recaptcha'>captcha</div></html>"),
        "/page" => Answer::new(200, vec![("Content-Type", "application/atom+xml".to_owned())], b"<html><body>Down for maintenance</body></html>"),
        "/error" => Answer::new(
            200,
            vec![],
            b"<feed><entry><id>http://arxiv.org/api/errors#x</id><title>Error</title><summary>incorrect id format</summary></entry></feed>",
        ),
        "/odd" => Answer::new(400, vec![], b"{\"error\":\"bad  date\"}"),
        "/loop" => Answer::new(302, vec![("Location", "/loop".to_owned())], b""),
        "/moved" => Answer::new(301, vec![("Location", "/feed".to_owned())], b""),
        "/binary" => Answer::new(200, vec![], &[0u8; 400]),
        _ => feed(1, 0, &[entry("2608.00001", 1, "2026-08-01", "One")]),
    });
    let kin = Kin::new();
    let cases = [
        ("captcha", "asks whether you are human"),
        ("page", "this is a web page"),
        ("error", "arXiv answered with an error: incorrect id format"),
        ("odd", "the server answered 400: {\"error\":\"bad date\"}"),
        ("loop", "redirect"),
        ("binary", "a binary file, not text"),
    ];
    for (path, expected) in cases {
        let ran = run(&kin, &server, &["add", &format!("feed:http://{}/{path}", server.address)]);
        assert!(ran.code == 1 && ran.err.contains(expected), "{path}: {ran:?}");
    }
    assert_eq!(run(&kin, &server, &["add", &format!("http://{}/moved", server.address)]).code, 0);
}

#[test]
fn a_proxy_is_asked_for_the_way() {
    let proxy = Server::start(|_: &Request| Answer::new(502, vec![], b""));
    let kin = Kin::new();
    let mut command = kin.command(&["add", "feed:http://papers.example/feed.xml"]);
    command.env("http_proxy", format!("http://{}", proxy.address)).env("HTTP_PROXY", format!("http://{}", proxy.address)).env("PAPERKIN_PAUSE", "0");
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    assert!(paths(&proxy).iter().all(|path| path.contains("papers.example")) && !proxy.asked().is_empty(), "{:?}", paths(&proxy));
}

// -------------------------------------------------------------------- the client alone

fn client(change: impl FnOnce(Options) -> Options) -> Client {
    let options = Options { pause: Duration::ZERO, stall_timeout: Duration::from_millis(300), retries: 2, ..Options::new(SystemTime::now) };
    Client::new(change(options))
}

fn get(client: &Client, server: &Server, path: &str) -> paperkin::Result<Vec<u8>> {
    client.get(&format!("http://{}{path}", server.address), |_| true)
}

#[test]
fn faults_that_pass_are_outlived_and_others_are_told() {
    let once = Mutex::new(std::collections::BTreeMap::<String, u32>::new());
    let text = "text ".repeat(1000);
    let body = text.clone();
    let server = Server::start(move |request: &Request| {
        let mut times = once.lock().unwrap();
        let time = times.entry(request.path.clone()).or_default();
        *time += 1;
        let whole = Answer::new(200, vec![], body.as_bytes());
        let with = |manner| Answer { manner, ..Answer::new(200, vec![], body.as_bytes()) };
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(body.as_bytes()).unwrap();
        match request.path.as_str() {
            "/chunked" => with(Manner::Chunked),
            "/gzip" => Answer::new(200, vec![("Content-Encoding", "gzip".to_owned())], &packed.finish().unwrap()),
            "/always-cut" => with(Manner::Cut),
            "/long-wait" => Answer::new(503, vec![("Retry-After", "100000".to_owned())], b""),
            "/date" if *time == 1 => Answer::new(503, vec![("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned())], b""),
            "/cut" if *time == 1 => with(Manner::Cut),
            "/chunked-cut" if *time == 1 => with(Manner::ChunkedCut),
            "/stall" if *time == 1 => with(Manner::Stall),
            "/500" if *time < 3 => Answer::new(500, vec![], b""),
            "/always-500" => Answer::new(500, vec![], b""),
            _ => whole,
        }
    });
    let client = client(|options| options);
    for path in ["/chunked", "/gzip", "/date", "/cut", "/chunked-cut", "/stall", "/500"] {
        assert_eq!(String::from_utf8(get(&client, &server, path).unwrap()).unwrap(), text, "{path}");
    }
    for (path, what) in [("/always-cut", "broke off after"), ("/long-wait", "left alone for 100000 seconds"), ("/always-500", "answered 500")] {
        let error = get(&client, &server, path).unwrap_err().to_string();
        assert!(error.contains(what), "{path}: {error}");
    }
    assert_eq!(server.asked().iter().filter(|request| request.path == "/always-500").count(), 3);
}

#[test]
fn an_answer_is_used_again_and_then_asked_whether_it_changed() {
    let server = Server::start(|request: &Request| {
        let headers = vec![("ETag", "\"1\"".to_owned()), ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned())];
        match (request.path.as_str(), request.header("if-none-match")) {
            ("/private", _) => Answer::new(200, vec![("Cache-Control", "no-store".to_owned())], b"private"),
            (_, Some("\"1\"")) => Answer::new(304, headers, b""),
            _ => Answer::new(200, headers, b"kept"),
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let with = |fresh_for| client(|options| Options { cache: Some(directory.path().to_path_buf()), fresh_for, ..options });
    let (fresh, stale) = (with(Duration::from_secs(600)), with(Duration::ZERO));
    for (client, questions) in [(&fresh, 1), (&fresh, 1), (&stale, 2), (&stale, 3)] {
        assert_eq!(get(client, &server, "/a").unwrap(), b"kept");
        assert_eq!(server.asked().len(), questions);
    }
    let last = server.asked().pop().unwrap();
    assert_eq!((last.header("if-none-match"), last.header("if-modified-since")), (Some("\"1\""), Some("Wed, 21 Oct 2015 07:28:00 GMT")));
    get(&fresh, &server, "/private").unwrap();
    get(&fresh, &server, "/private").unwrap();
    assert_eq!(server.asked().len(), 5, "what is not to be stored is not");
}

#[test]
fn clients_that_share_a_directory_take_turns_with_a_pause() {
    let times = std::sync::Arc::new(Mutex::new(Vec::new()));
    let server = Server::start({
        let times = std::sync::Arc::clone(&times);
        move |_: &Request| {
            times.lock().unwrap().push(std::time::Instant::now());
            Answer::new(200, vec![], b"x")
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let pause = Duration::from_millis(200);
    std::thread::scope(|scope| {
        for name in ["/a", "/b", "/c"] {
            let (server, directory) = (&server, directory.path().to_path_buf());
            scope.spawn(move || get(&client(|options| Options { cache: Some(directory), pause, ..options }), server, name).unwrap());
        }
    });
    let times = times.lock().unwrap();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= pause * 9 / 10), "{times:?}");
}

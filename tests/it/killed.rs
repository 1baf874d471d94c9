//! `kill -9` while papers are added, at any moment and within a commit: the library opens, is sound, and is completed.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Kin, papers};

const PAPERS: usize = 2000;

/// Waits until the write-ahead log has been written to `times` more: then a commit is under way, or has just ended.
fn wait_for_writes(kin: &Kin, child: &mut Child, times: u64) {
    let log = kin.path("library/library.db-wal");
    let state = || std::fs::metadata(&log).map(|m| (m.len(), m.modified().ok())).ok();
    let (mut last, mut seen) = (state(), 0);
    let patience = Instant::now() + Duration::from_secs(20);
    while seen < times && Instant::now() < patience && child.try_wait().unwrap().is_none() {
        let now = state();
        seen += u64::from(now != last);
        last = now;
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_committed() {
    let kin = Kin::new();
    kin.write("papers.jsonl", papers(PAPERS));
    let (mut last, mut killed_at_work) = (0, 0);
    for attempt in 0..20u64 {
        let mut child = kin.command(&["add", "papers.jsonl"]).stderr(Stdio::null()).spawn().unwrap();
        if attempt % 2 == 0 {
            wait_for_writes(&kin, &mut child, 1 + attempt * 7 % 23);
        } else {
            std::thread::sleep(Duration::from_millis(20 + attempt * 7));
        }
        killed_at_work += usize::from(last < PAPERS as u64 && child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        if !kin.path("library/library.db").exists() {
            continue;
        }
        let ran = kin.run(&["status", "--json"]);
        if ran.code != 0 {
            // Killed before the tables were there: there is no library yet.
            assert!(last == 0 && ran.err.contains("no library at"), "{ran:?}");
            continue;
        }
        let status: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let verified = kin.run(&["verify"]);
        assert_eq!(verified.code, 0, "after kill {attempt}: {verified:?}");
        let now = status["papers"].as_u64().unwrap();
        assert!(now >= last, "{now} papers after kill {attempt}, {last} before");
        assert_eq!(status["papers"], status["vectors"]);
        last = now;
    }
    eprintln!("{killed_at_work} of 20 runs were killed at work, {last} of {PAPERS} papers were in");
    assert!(killed_at_work > 0, "every run ended before it could be killed");
    let ran = kin.run(&["add", "papers.jsonl"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains(&format!("{} new", PAPERS as u64 - last)), "{last}: {}", ran.err);
    assert_eq!(kin.json(&["status", "--json"])["papers"], PAPERS);
    assert_eq!(kin.run(&["verify"]).code, 0);
}

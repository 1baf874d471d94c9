//! The rules of the house: who may use whom, what is written where, how long things are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// The table of `src/lib.rs`: a room, and the rooms that it may use. `cargo test` fails on any other arrow.
const ARROWS: [(&str, &[&str]); 18] = [
    ("paper", &[]),
    ("vector", &[]),
    ("phrase", &[]),
    ("likeness", &["vector", "phrase"]),
    ("error", &[]),
    ("kernel", &["error"]),
    ("source", &["paper", "error"]),
    ("remote", &["error"]),
    ("embed", &["vector", "kernel", "error"]),
    ("index", &["vector", "kernel", "error"]),
    ("library", &["paper", "vector", "index", "error"]),
    ("ingest", &["paper", "vector", "source", "embed", "library", "error"]),
    ("recommend", &["paper", "vector", "phrase", "likeness", "embed", "index", "library", "error"]),
    ("topics", &["paper", "vector", "phrase", "likeness", "index", "library", "error"]),
    ("digest", &["paper", "library", "recommend", "topics", "error"]),
    ("deliver", &["error"]),
    ("render", &["paper", "vector", "error", "library", "ingest", "recommend", "topics", "digest"]),
    ("job", &["paper", "library", "topics", "digest", "deliver", "render", "error"]),
];

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 80;

struct Source {
    path: PathBuf,
    text: String,
}

fn rust_files(folder: &str) -> Vec<Source> {
    let walk = walkdir::WalkDir::new(repository(folder)).sort_by_file_name();
    let files = walk.into_iter().map(|entry| entry.unwrap().into_path()).filter(|path| path.extension().is_some_and(|e| e == "rs"));
    files.map(|path| Source { text: std::fs::read_to_string(&path).unwrap(), path }).collect()
}

/// The room of a file in `src`; none for `lib.rs` and the program.
fn room(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(repository("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
    (!matches!(first.as_str(), "lib" | "bin")).then_some(first)
}

/// The rooms that a text names as `crate::room`; `crate::Error` and `crate::Result` are those of `error`.
fn used(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let names = code.split("crate::").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned());
    names.filter(|name| !name.is_empty()).map(|name| if name.starts_with(char::is_uppercase) { "error".to_owned() } else { name }).collect()
}

#[test]
fn rooms_use_only_the_rooms_that_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let mut wrong = Vec::new();
    for source in rust_files("src") {
        let Some(room) = room(&source.path) else { continue };
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("{room} is not in the table"));
        for other in used(&source.text) {
            if other != room && !may.contains(&other.as_str()) {
                wrong.push(format!("{}: {room} uses {other}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_map_in_lib_names_every_room() {
    let map = std::fs::read_to_string(repository("src/lib.rs")).unwrap();
    for (room, may) in ARROWS {
        let row = map.lines().find(|line| line.contains(&format!("| [`{room}`] |"))).unwrap_or_else(|| panic!("{room} is not in the map"));
        let listed = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        let expected = if may.is_empty() { "–".to_owned() } else { may.join(", ") };
        assert_eq!(listed, expected, "the map's row of {room}");
    }
}

#[test]
fn every_file_says_what_it_is_and_none_is_too_long() {
    let mut wrong = Vec::new();
    for source in rust_files("src").into_iter().chain(rust_files("tests")) {
        let lines: Vec<&str> = source.text.lines().collect();
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with //!", source.path.display()));
        }
        if lines.len() > LONGEST_FILE {
            wrong.push(format!("{} has {} lines", source.path.display(), lines.len()));
        }
        wrong.extend(long_functions(&lines).into_iter().map(|(line, n)| format!("{}:{line} has {n} lines", source.path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Functions as rustfmt writes them: from `fn` to the brace at the same indentation.
fn long_functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let starts = lines.iter().enumerate().filter(|(_, line)| {
        let line = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
        line.starts_with("fn ") || line.starts_with("const fn ")
    });
    let length = |(at, line): (usize, &&str)| {
        let closing = format!("{}}}", " ".repeat(indentation(line)));
        let end = lines[at..].iter().position(|line| *line == closing)?;
        (end + 1 > LONGEST_FUNCTION).then_some((at + 1, end + 1))
    };
    starts.filter_map(length).collect()
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut wrong = Vec::new();
    for source in rust_files("src/kernel") {
        let lines: Vec<&str> = source.text.lines().collect();
        let is_unsafe = |line: &str| line.contains("unsafe {") || line.contains("unsafe impl") || line.contains("unsafe fn");
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_unsafe(line)) {
            // The reason stands right above, but for attributes and the line before, of a pair that has one reason.
            let is_reason = |line: &&&str| line.trim_start().starts_with("//");
            let between = lines[..at].iter().rev().take_while(|line| !is_reason(line)).count();
            let above: Vec<&str> = lines[..at - between].iter().rev().take_while(is_reason).copied().collect();
            let above = above.join(" ");
            if between > 2 || !(above.contains("// SAFETY: ") || above.contains("/// # Safety")) {
                wrong.push(format!("{}:{}: {}", source.path.display(), at + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_program_prints_reads_the_clock_or_exits() {
    const FORBIDDEN: [&str; 9] =
        ["println!", "print!(", "eprint!(", "eprintln!(", "process::exit", "SystemTime::now", "Timestamp::now", "thread_rng", "env::var"];
    let mut wrong = Vec::new();
    for source in rust_files("src").into_iter().filter(|source| room(&source.path).is_some()) {
        let code = source.text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (at, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let is_unsafe = line.contains("unsafe ") && room(&source.path).as_deref() != Some("kernel");
            if FORBIDDEN.iter().any(|word| line.contains(word)) || is_unsafe || line.contains("todo!") {
                wrong.push(format!("{}:{}: {}", source.path.display(), at + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

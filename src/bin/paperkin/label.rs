//! Names of topics by someone's own command, such as a language model on this machine.
//!
//! The command is run by the shell that the system has. It gets `[{"id", "label", "keywords", "papers", "titles"}]` on its standard
//! input, and answers with `{"1": "a name"}`. A topic that goes on from an earlier day has its name already and is not asked for.
//! paperkin waits for the command as long as it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use paperkin::library::PaperRow;
use paperkin::paper::Paper;
use paperkin::render::{fit, one_line};
use paperkin::topics::{Topic, Topics};
use paperkin::{Error, Result};
use serde_json::{Value, json};

use crate::output;

/// Titles of a topic that the command gets.
const TITLES: usize = 10;
/// A longer answer is none.
const LONGEST: u64 = 1 << 20;
/// The longest name, in columns of a terminal.
const NAME: usize = 80;

/// Renames topics; false if the command failed and the names are those that were.
pub(crate) fn rename(command: &str, found: &mut [Topics], paper: &dyn Fn(PaperRow) -> Result<Paper>) -> Result<bool> {
    let new = |topics: &Topics| topics.topics.iter().filter(|topic| topic.before.is_none()).map(|topic| ask(topic, paper)).collect::<Vec<_>>();
    let question = found.iter().flat_map(new).collect::<Result<Vec<Value>>>()?;
    if question.is_empty() {
        return Ok(true);
    }
    let names = match names(command, &Value::Array(question)) {
        Ok(names) => names,
        Err(reason) => {
            output::complain(&format!("--label-with {command}: {reason}; topics keep the names that paperkin gave them"));
            return Ok(false);
        }
    };
    for found in found {
        // What is new on one day goes on, or is gone, on the next.
        for topic in &mut found.topics {
            if let Some(name) = names.get(&topic.id) {
                (topic.name, topic.in_name) = (name.clone(), 0);
            }
        }
        found.gone.iter_mut().for_each(|gone| gone.name = names.get(&gone.id).unwrap_or(&gone.name).clone());
    }
    Ok(true)
}

fn ask(topic: &Topic, paper: &dyn Fn(PaperRow) -> Result<Paper>) -> Result<Value> {
    let titles = topic.members.iter().take(TITLES).map(|member| Ok(paper(member.paper)?.title)).collect::<Result<Vec<_>>>()?;
    let keywords: Vec<&str> = topic.keywords.iter().map(|keyword| keyword.text.as_str()).collect();
    Ok(json!({ "id": topic.id, "label": topic.name, "keywords": keywords, "papers": topic.members.len(), "titles": titles }))
}

/// Names by numbers, as the command gives them: those of topics that it was asked for, each name once.
fn names(command: &str, question: &Value) -> Result<BTreeMap<i64, String>> {
    let answer = run(command, question.to_string().into_bytes())?;
    let wrong = |what: &str| Error::usage(format!("its answer {what}; expected {{\"1\": \"a name\"}}"));
    let told: BTreeMap<String, String> = serde_json::from_slice(&answer).map_err(|e| wrong(&format!("is not such JSON ({e})")))?;
    let asked: BTreeSet<i64> = question.as_array().into_iter().flatten().filter_map(|topic| topic["id"].as_i64()).collect();
    let (mut names, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for (id, name) in told {
        let number =
            id.parse().ok().filter(|id| asked.contains(id)).ok_or_else(|| wrong(&format!("names the topic {id:?}, which was not asked for")))?;
        let name = fit(one_line(&name).trim(), NAME);
        if !name.is_empty() && seen.insert(name.clone()) {
            names.insert(number, name);
        }
    }
    Ok(names)
}

fn run(command: &str, question: Vec<u8>) -> Result<Vec<u8>> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut child = Command::new(shell).arg(flag).arg(command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|e| failed(&e))?;
    let mut stdin = child.stdin.take();
    // Both pipes hold little: whoever only wrote would wait for a command that waits for its reader.
    let writer = std::thread::spawn(move || stdin.as_mut().map(|stdin| stdin.write_all(&question)));
    let mut answer = Vec::new();
    let read = child.stdout.take().map(|stdout| stdout.take(LONGEST + 1).read_to_end(&mut answer)).transpose();
    let is_too_long = answer.len() as u64 > LONGEST;
    if is_too_long {
        child.kill().map_err(|e| failed(&e))?;
    }
    let status = child.wait().map_err(|e| failed(&e))?;
    // A command that does not read all of it may still answer.
    if !is_too_long {
        _ = writer.join();
    }
    read.map_err(|e| failed(&e))?;
    match (is_too_long, status.success()) {
        (true, _) => Err(Error::usage(format!("its answer is longer than {LONGEST} bytes"))),
        (_, false) => Err(Error::usage(format!("it failed ({status})"))),
        _ => Ok(answer),
    }
}

fn failed(e: &std::io::Error) -> Error {
    Error::usage(format!("it cannot be run: {e}"))
}

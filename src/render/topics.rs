//! Topics: for people the papers of each, for programs all of them.

use serde_json::{Value, json};

use super::table::{fit, one_line, row};
use super::{Format, link, markdown, markdown_item, pretty, rounded};
use crate::error::{Error, Result};
use crate::paper::Paper;
use crate::topics::{Member, Topic, Topics};

/// Renders topics. `paper` gives the paper of a member; `most` is the number of papers of a topic that people are shown.
///
/// # Errors
///
/// [`Error::Usage`] for a format that topics have not, and what `paper` fails with.
pub fn topics(found: &Topics, paper: &dyn Fn(&Member) -> Result<Paper>, format: Format, most: usize, width: usize) -> Result<String> {
    match format {
        Format::Table => table(found, paper, most, width),
        Format::Markdown => for_markdown(found, paper, most),
        Format::Json => {
            let topic = |(number, topic): (usize, &Topic)| -> Result<Value> {
                let items = topic.members.iter().map(|member| item(member, paper)).collect::<Result<Vec<_>>>()?;
                Ok(json!({ "id": number + 1, "label": topic.name, "keywords": keywords(topic), "items": items }))
            };
            Ok(pretty(&Value::Array(found.topics.iter().enumerate().map(topic).collect::<Result<_>>()?)))
        }
        Format::Jsonl => {
            lines(found, paper, |id, topic, label, score| format!("{}\n", json!({ "id": id, "topic": topic, "label": label, "score": score })))
        }
        Format::Tsv => lines(found, paper, |id, topic, label, score| {
            format!("{id}\t{}\t{}\t{score}\n", topic.map(|topic| topic.to_string()).unwrap_or_default(), one_line(label.unwrap_or_default()))
        }),
        Format::Ids => lines(found, paper, |id, _, _, _| format!("{id}\n")),
        Format::Csv | Format::Bibtex | Format::Html => {
            Err(Error::usage("topics have no such format; expected table, json, jsonl, tsv or markdown".to_owned()))
        }
    }
}

/// A line a paper, topic by topic, and then those that are left over.
fn lines(
    found: &Topics,
    paper: &dyn Fn(&Member) -> Result<Paper>,
    line: impl Fn(&str, Option<usize>, Option<&str>, Value) -> String,
) -> Result<String> {
    let in_topics = found.topics.iter().flat_map(|topic| topic.members.iter().map(move |member| (member, Some(topic))));
    let all = in_topics.chain(found.leftovers.iter().map(|member| (member, None)));
    let one = |(member, topic): (&Member, Option<&Topic>)| {
        let (number, label) = (topic.map(|_| member.topic + 1), topic.map(|topic| topic.name.as_str()));
        Ok(line(&paper(member)?.id().to_string(), number, label, rounded(member.score)))
    };
    all.map(one).collect()
}

fn item(member: &Member, paper: &dyn Fn(&Member) -> Result<Paper>) -> Result<Value> {
    let paper = paper(member)?;
    Ok(json!({ "id": paper.id(), "title": paper.title, "score": rounded(member.score), "published": paper.published, "url": link(&paper) }))
}

fn keywords(topic: &Topic) -> Vec<Value> {
    topic.keywords.iter().map(|keyword| json!({ "text": keyword.text, "share": rounded(keyword.share) })).collect()
}

fn papers_of(count: usize) -> String {
    if count == 1 { "1 paper".to_owned() } else { format!("{count} papers") }
}

fn table(found: &Topics, paper: &dyn Fn(&Member) -> Result<Paper>, most: usize, width: usize) -> Result<String> {
    let mut out = String::new();
    let list = |out: &mut String, members: &[Member], with_topic: bool| -> Result<()> {
        for member in members.iter().take(most) {
            let paper = paper(member)?;
            let near = if with_topic && !found.topics.is_empty() { format!(" (nearest: topic {})", member.topic + 1) } else { String::new() };
            out.push_str(&row(&format!("   {:.2}  {}  ", member.score, one_line(&paper.id().to_string())), &format!("{}{near}", paper.title), width));
        }
        if members.len() > most {
            out.push_str(&format!("         and {} more\n", members.len() - most));
        }
        out.push('\n');
        Ok(())
    };
    for (number, topic) in found.topics.iter().enumerate() {
        let name = if topic.name.is_empty() { "(no name)" } else { &topic.name };
        out.push_str(&format!("{}\n", fit(&format!("{}. {name} · {}", number + 1, papers_of(topic.members.len())), width)));
        list(&mut out, &topic.members, false)?;
    }
    if !found.leftovers.is_empty() {
        out.push_str(&format!("left over · {}\n", papers_of(found.leftovers.len())));
        list(&mut out, &found.leftovers, true)?;
    }
    if out.is_empty() {
        out.push_str("nothing to sort\n");
    }
    Ok(out)
}

fn for_markdown(found: &Topics, paper: &dyn Fn(&Member) -> Result<Paper>, most: usize) -> Result<String> {
    let section = |heading: String, members: &[Member]| -> Result<String> {
        let items = members.iter().take(most).map(|member| Ok(markdown_item(&paper(member)?, Some(member.score)))).collect::<Result<String>>()?;
        let more = members.len().saturating_sub(most);
        Ok(format!("## {heading}\n\n{items}{}\n", if more > 0 { format!("- and {more} more\n") } else { String::new() }))
    };
    let mut out = String::new();
    for topic in &found.topics {
        out.push_str(&section(format!("{} ({})", markdown(&topic.name), topic.members.len()), &topic.members)?);
    }
    if !found.leftovers.is_empty() {
        out.push_str(&section(format!("Left over ({})", found.leftovers.len()), &found.leftovers)?);
    }
    Ok(out)
}

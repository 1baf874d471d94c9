//! Topics: for people the papers of each, for programs all of them.

use serde_json::{Value, json};

use super::table::{fit, one_line, row};
use super::{Format, PAPER_COLUMNS, bibtex, csv, html, link, markdown, markdown_item, paper_cells, plural, pretty, rounded, titled};
use crate::error::Result;
use crate::library::{KeptTopic, PaperRow};
use crate::paper::Paper;
use crate::topics::{Change, Keyword, Member, Topic, Topics};

/// Keywords beside a name that people are shown.
const KEYWORDS: usize = 5;

/// Topics with what is needed to write them.
pub struct TopicList<'t> {
    /// The topics.
    pub found: &'t Topics,
    /// Gives a paper of them.
    pub paper: &'t dyn Fn(PaperRow) -> Result<Paper>,
    /// Papers of a topic that people are shown.
    pub most: usize,
    /// The width of the terminal.
    pub width: usize,
}

impl TopicList<'_> {
    /// Renders them.
    ///
    /// # Errors
    ///
    /// What `paper` fails with.
    pub fn render(&self, format: Format) -> Result<String> {
        match format {
            Format::Table => self.table(),
            Format::Markdown => self.markdown(),
            Format::Html => self.html(),
            Format::Json => Ok(pretty(&self.json()?)),
            Format::Jsonl => self.lines(|member, topic, paper| Ok(format!("{}\n", self.line(member, topic, paper)))),
            Format::Tsv => self.lines(|member, topic, paper| {
                let (number, label) = topic.map(|topic| (topic.id.to_string(), one_line(&topic.name))).unwrap_or_default();
                Ok(format!("{}\t{number}\t{label}\t{}\n", one_line(&paper.id().to_string()), member.score))
            }),
            Format::Ids => self.lines(|_, _, paper| Ok(format!("{}\n", paper.id()))),
            Format::Bibtex => {
                let papers = self.all().map(|(member, _)| (self.paper)(member.paper)).collect::<Result<Vec<Paper>>>()?;
                Ok(bibtex::entries(&papers.iter().collect::<Vec<_>>()))
            }
            Format::Csv => {
                let rows = self.all().map(|(member, topic)| Ok(cells(member, topic, &(self.paper)(member.paper)?))).collect::<Result<Vec<_>>>()?;
                csv(&[&["topic", "label", "score"], &PAPER_COLUMNS[..]].concat(), rows.into_iter())
            }
        }
    }

    /// Every paper, topic by topic, and then those that are left over.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Member, Option<&Topic>)> {
        let in_topics = self.found.topics.iter().flat_map(|topic| topic.members.iter().map(move |member| (member, Some(topic))));
        in_topics.chain(self.found.leftovers.iter().map(|member| (member, None)))
    }

    fn lines(&self, line: impl Fn(&Member, Option<&Topic>, &Paper) -> Result<String>) -> Result<String> {
        self.all().map(|(member, topic)| line(member, topic, &(self.paper)(member.paper)?)).collect()
    }

    /// A paper as a line of JSON.
    pub(super) fn line(&self, member: &Member, topic: Option<&Topic>, paper: &Paper) -> Value {
        let (id, label) = (topic.map(|topic| topic.id), topic.map(|topic| &topic.name));
        let mut line = json!({ "id": paper.id(), "topic": id, "label": label, "score": rounded(member.score) });
        if topic.is_none() {
            line["nearest"] = json!(self.nearest(member));
        }
        line
    }

    /// The number of the topic that a left-over is nearest to.
    fn nearest(&self, member: &Member) -> Option<i64> {
        self.found.topics.get(member.topic).map(|topic| topic.id)
    }

    /// A list of topics; the last one, without a number, holds what is left over.
    pub(super) fn json(&self) -> Result<Value> {
        let topic = |topic: &Topic| {
            let mut value = self.topic(topic)?;
            if self.found.is_compared {
                value["change"] = json!(topic.change().name());
                value["before"] = topic.before.map_or(Value::Null, |before| json!({ "day": before.day, "papers": before.papers }));
            }
            Ok(value)
        };
        let mut topics = self.found.topics.iter().map(topic).collect::<Result<Vec<Value>>>()?;
        if !self.found.leftovers.is_empty() {
            let mut items = self.items(&self.found.leftovers)?;
            items.iter_mut().zip(&self.found.leftovers).for_each(|(item, member)| item["nearest"] = json!(self.nearest(member)));
            topics.push(json!({ "id": null, "label": null, "keywords": [], "items": items }));
        }
        Ok(Value::Array(topics))
    }

    fn topic(&self, topic: &Topic) -> Result<Value> {
        let keyword =
            |(place, keyword): (usize, &Keyword)| json!({ "text": keyword.text, "share": rounded(keyword.share), "in_name": place < topic.in_name });
        let id = |row: Option<PaperRow>| row.map(|row| (self.paper)(row).map(|paper| paper.id())).transpose();
        let mut value = json!({
            "id": topic.id,
            "label": topic.name,
            "keywords": topic.keywords.iter().enumerate().map(keyword).collect::<Vec<_>>(),
            "medoid": id(topic.members.first().map(|member| member.paper))?,
            "typical": id(topic.typical)?,
            "surprising": id(topic.members.last().map(|member| member.paper))?,
            "items": self.items(&topic.members)?,
        });
        if !topic.parts.is_empty() {
            let part = |part: &Topic| self.topic(part);
            value["topics"] = Value::Array(topic.parts.iter().map(part).collect::<Result<_>>()?);
        }
        Ok(value)
    }

    fn items(&self, members: &[Member]) -> Result<Vec<Value>> {
        let item = |member: &Member| {
            let paper = (self.paper)(member.paper)?;
            Ok(json!({ "id": paper.id(), "title": paper.title, "score": rounded(member.score), "published": paper.published, "url": link(&paper) }))
        };
        members.iter().map(item).collect()
    }

    fn table(&self) -> Result<String> {
        let mut out = String::new();
        for topic in &self.found.topics {
            let heading = format!("{}. {} · {}", topic.id, one_line(&topic.name), facts(topic, self.found.is_compared));
            out.push_str(&format!("{}\n", fit(&heading, self.width)));
            let more = more_keywords(topic);
            if !more.is_empty() {
                out.push_str(&row("   also  ", &more, self.width));
            }
            for (number, part) in topic.parts.iter().enumerate() {
                let name = format!("{} · {}", one_line(&part.name), plural(part.members.len() as u64, "paper"));
                out.push_str(&row(&format!("   {}.{}  ", topic.id, number + 1), &name, self.width));
            }
            for member in topic.members.iter().take(self.most) {
                out.push_str(&self.row(member, mark(topic, member))?);
            }
            let hidden = topic.members.len().saturating_sub(self.most);
            if hidden > 1 {
                out.push_str(&format!("         and {} more\n", hidden - 1));
            }
            if let Some(last) = topic.members.last().filter(|_| hidden > 0) {
                out.push_str(&self.row(last, mark(topic, last))?);
            }
            out.push('\n');
        }
        if !self.found.leftovers.is_empty() {
            out.push_str(&format!("left over · {}\n", plural(self.found.leftovers.len() as u64, "paper")));
            for member in self.found.leftovers.iter().take(self.most) {
                out.push_str(&self.row(member, &self.nearest(member).map_or(String::new(), |id| format!(" (nearest to {id})")))?);
            }
            let hidden = self.found.leftovers.len().saturating_sub(self.most);
            if hidden > 0 {
                out.push_str(&format!("         and {hidden} more\n"));
            }
            out.push('\n');
        }
        for gone in &self.found.gone {
            let was = format!("{} · {} on {}", one_line(&gone.name), plural(gone.before.papers as u64, "paper"), gone.before.day);
            out.push_str(&row(&format!("{}. gone: ", gone.id), &was, self.width));
        }
        if out.is_empty() {
            out.push_str("nothing to sort\n");
        } else if has_weak(self.found) {
            out.push_str(WEAK);
        }
        Ok(out)
    }

    fn row(&self, member: &Member, mark: &str) -> Result<String> {
        let paper = (self.paper)(member.paper)?;
        let head = format!("   {:.2}  {}  ", member.score, one_line(&paper.id().to_string()));
        // The mark is worth more than the end of a long title.
        let width = self.width.saturating_sub(mark.chars().count());
        let row = row(&head, &titled(&paper), width);
        Ok(format!("{}{mark}\n", row.trim_end()))
    }

    fn markdown(&self) -> Result<String> {
        let section = |heading: &str, members: &[Member]| -> Result<String> {
            let items = members.iter().take(self.most).map(|member| Ok(markdown_item(&(self.paper)(member.paper)?, Some(member.score))));
            let items = items.collect::<Result<String>>()?;
            let more = members.len().saturating_sub(self.most);
            Ok(format!("## {heading}\n\n{items}{}\n", if more > 0 { format!("- and {more} more\n") } else { String::new() }))
        };
        let mut out = String::new();
        for topic in &self.found.topics {
            out.push_str(&section(&format!("{} ({})", markdown(&topic.name), topic.members.len()), &topic.members)?);
        }
        if !self.found.leftovers.is_empty() {
            out.push_str(&section(&format!("Left over ({})", self.found.leftovers.len()), &self.found.leftovers)?);
        }
        Ok(out)
    }

    fn html(&self) -> Result<String> {
        let articles = |members: &[Member]| -> Result<String> {
            members.iter().map(|member| Ok(html::article(&(self.paper)(member.paper)?, Some(member.score)))).collect()
        };
        let mut out = String::new();
        for topic in &self.found.topics {
            let facts = format!("{}{}", facts(topic, self.found.is_compared), said(&more_keywords(topic)));
            out.push_str(&html::section(&topic.name, &facts, &articles(&topic.members)?));
        }
        if !self.found.leftovers.is_empty() {
            out.push_str(&html::section("Left over", &plural(self.found.leftovers.len() as u64, "paper"), &articles(&self.found.leftovers)?));
        }
        Ok(html::page(&out))
    }
}

/// A topic that was kept, as it stood on the last of its days, and how many papers it had on each.
///
/// # Errors
///
/// As [`TopicList::render`].
pub fn topic_over_days(days: &[KeptTopic], list: &TopicList<'_>, format: Format) -> Result<String> {
    match format {
        Format::Table => {
            let days = days.iter().map(|day| format!("{} {}", day.day, day.papers.len())).collect::<Vec<_>>().join(" · ");
            Ok(format!("{}\n{}", list.table()?.trim_end(), row("   days  ", &days, list.width)))
        }
        Format::Json => {
            let mut topic = list.json()?[0].take();
            topic["days"] = days.iter().map(|day| json!({ "day": day.day, "papers": day.papers.len() })).collect();
            Ok(pretty(&topic))
        }
        _ => list.render(format),
    }
}

fn said(keywords: &str) -> String {
    if keywords.is_empty() { String::new() } else { format!(" · also {keywords}") }
}

/// How many papers a topic has, and what became of it.
fn facts(topic: &Topic, is_compared: bool) -> String {
    let papers = plural(topic.members.len() as u64, "paper");
    match (topic.change(), topic.before) {
        (Change::New, _) if is_compared => format!("{papers} · new"),
        (Change::Same, Some(before)) => format!("{papers} · as many as on {}", before.day),
        (change, Some(before)) => format!("{papers} · {} from {} on {}", change.name(), before.papers, before.day),
        _ => papers,
    }
}

/// What parentheses mean.
pub(super) const WEAK: &str = "(…) stands for what fewer than half of a topic's papers speak of; where it goes on, of those of its first day\n";

/// True if some name has parentheses that mean something: of names that a command gave nothing is known.
pub(super) fn has_weak(found: &Topics) -> bool {
    found.topics.iter().any(|topic| topic.name.contains('(') && (topic.in_name > 0 || topic.before.is_some()))
}

/// The first keywords that are not in the name.
fn more_keywords(topic: &Topic) -> String {
    let is_new = |keyword: &&Keyword| !topic.name.contains(&keyword.text);
    topic.keywords.iter().filter(is_new).take(KEYWORDS).map(|keyword| one_line(&keyword.text)).collect::<Vec<_>>().join(", ")
}

/// What a paper is to its topic, where that has several.
fn mark(topic: &Topic, member: &Member) -> &'static str {
    let is_last = topic.members.last().is_some_and(|last| last.paper == member.paper);
    match topic.members.len() {
        ..3 => "",
        _ if topic.typical == Some(member.paper) => " (most typical)",
        _ if is_last => " (most surprising)",
        _ => "",
    }
}

fn cells(member: &Member, topic: Option<&Topic>, paper: &Paper) -> Vec<String> {
    let (id, label) = topic.map(|topic| (topic.id.to_string(), one_line(&topic.name))).unwrap_or_default();
    let mut cells = vec![id, label, member.score.to_string()];
    cells.extend(paper_cells(paper));
    cells
}

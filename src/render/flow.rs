//! Topics over days: how many papers each has, day by day.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::table::{fit, one_line, pad};
use super::topics::{TopicList, WEAK, has_weak};
use super::{Format, bibtex, csv, html, markdown, plural, pretty};
use crate::error::Result;
use crate::library::PaperRow;
use crate::paper::{Date, Paper};
use crate::topics::{Change, Gone, Member, Topic, Topics};

/// Days of topics with what is needed to write them.
pub struct Flow<'t> {
    /// The days, in their order.
    pub days: &'t [Topics],
    /// Gives a paper of them.
    pub paper: &'t dyn Fn(PaperRow) -> Result<Paper>,
    /// The width of the terminal.
    pub width: usize,
}

/// A topic over the days.
struct Line<'t> {
    id: i64,
    name: &'t str,
    /// Of each day on which it was there how many papers, with a sign for what became of it.
    papers: BTreeMap<usize, String>,
}

impl Flow<'_> {
    /// Renders them.
    ///
    /// # Errors
    ///
    /// What `paper` fails with.
    pub fn render(&self, format: Format) -> Result<String> {
        match format {
            Format::Table => Ok(self.table()),
            Format::Markdown => Ok(self.markdown()),
            Format::Html => Ok(self.html()),
            Format::Json => self.json(),
            Format::Jsonl => self.days.iter().map(|found| self.json_lines(found)).collect(),
            Format::Ids => self.days.iter().map(|found| self.list(found).render(Format::Ids)).collect(),
            Format::Tsv => Ok(self.rows().into_iter().map(|row| format!("{}\n", row.join("\t"))).collect()),
            Format::Csv => csv(&["day", "topic", "label", "papers", "change"], self.rows().into_iter()),
            Format::Bibtex => {
                let papers = self.days.iter().flat_map(|found| found.topics.iter().flat_map(|topic| &topic.members).chain(&found.leftovers));
                let papers = papers.map(|member| (self.paper)(member.paper)).collect::<Result<Vec<Paper>>>()?;
                Ok(bibtex::entries(&papers.iter().collect::<Vec<_>>()))
            }
        }
    }

    fn json_lines(&self, found: &Topics) -> Result<String> {
        let list = self.list(found);
        let line = |(member, topic): (&Member, Option<&Topic>)| {
            let mut line = list.line(member, topic, &(self.paper)(member.paper)?);
            line["day"] = json!(found.day);
            Ok(format!("{line}\n"))
        };
        list.all().map(line).collect()
    }

    fn list<'l>(&'l self, found: &'l Topics) -> TopicList<'l> {
        TopicList { found, paper: self.paper, most: usize::MAX, width: self.width }
    }

    /// The topics in the order in which they came.
    fn lines(&self) -> Vec<Line<'_>> {
        let mut lines: BTreeMap<i64, Line<'_>> = BTreeMap::new();
        for (day, found) in self.days.iter().enumerate() {
            for topic in &found.topics {
                let line = lines.entry(topic.id).or_insert_with(|| Line { id: topic.id, name: &topic.name, papers: BTreeMap::new() });
                let sign = if found.is_compared { sign(topic.change()) } else { "" };
                line.papers.insert(day, format!("{sign}{}", topic.members.len()));
            }
        }
        lines.into_values().collect()
    }

    /// A row a day and topic.
    fn rows(&self) -> Vec<Vec<String>> {
        let topics = self.days.iter().flat_map(|found| found.topics.iter().map(move |topic| (found, topic)));
        let row = |(Topics { day, is_compared, .. }, topic): (&Topics, &Topic)| {
            let change = if *is_compared { topic.change().name() } else { "" };
            vec![text(*day), topic.id.to_string(), one_line(&topic.name), topic.members.len().to_string(), change.to_owned()]
        };
        topics.map(row).collect()
    }

    fn json(&self) -> Result<String> {
        let day = |found: &Topics| {
            let gone = |gone: &Gone| json!({ "id": gone.id, "label": gone.name, "day": gone.before.day, "papers": gone.before.papers });
            let gone: Vec<Value> = found.gone.iter().map(gone).collect();
            Ok(json!({ "day": found.day, "topics": self.list(found).json()?, "gone": gone }))
        };
        Ok(pretty(&Value::Array(self.days.iter().map(day).collect::<Result<_>>()?)))
    }

    /// The last days that fit in.
    fn table(&self) -> String {
        /// A column holds `05-11` and spaces.
        const COLUMN: usize = 7;
        const NAMES: std::ops::RangeInclusive<usize> = 20..=50;
        if self.days.iter().all(|found| found.topics.is_empty()) {
            return "nothing to sort\n".to_owned();
        }
        let fit_in = (self.width.saturating_sub(NAMES.start() + 6) / COLUMN).max(1);
        let first = self.days.len().saturating_sub(fit_in);
        let shown = first..self.days.len();
        let names = self.width.saturating_sub(COLUMN * shown.len() + 6).clamp(*NAMES.start(), *NAMES.end());
        let heads: String = self.days[first..].iter().map(|found| format!("{:>COLUMN$}", text(found.day).get(5..).unwrap_or_default())).collect();
        let mut out = format!("{}{heads}\n", " ".repeat(names + 6));
        for Line { id, name, papers } in self.lines().into_iter().filter(|line| line.papers.keys().any(|day| shown.contains(day))) {
            let papers: String = shown.clone().map(|day| format!("{:>COLUMN$}", papers.get(&day).map_or("·", String::as_str))).collect();
            out.push_str(&format!("{id:>4}. {}{papers}\n", pad(&fit(&one_line(name), names), names)));
        }
        out.push('\n');
        for found in &self.days[first..] {
            out.push_str(&format!("{}  {}\n", text(found.day), changes(found)));
        }
        if first > 0 {
            out.push_str(&format!("{} before these; a wider terminal shows more\n", plural(first as u64, "day")));
        }
        out.push_str("* new, + grown, - shrunk\n");
        if self.days.iter().any(has_weak) {
            out.push_str(WEAK);
        }
        out
    }

    fn markdown(&self) -> String {
        let heads: String = self.days.iter().map(|found| format!(" {} |", text(found.day))).collect();
        let mut out = format!("| | topic |{heads}\n|--:|---|{}\n", "--:|".repeat(self.days.len()));
        for Line { id, name, papers } in self.lines() {
            out.push_str(&format!("| {id} | {} |{}\n", markdown(name), self.cells(&papers, |cell| format!(" {cell} |"))));
        }
        out
    }

    fn cells(&self, papers: &BTreeMap<usize, String>, cell: impl Fn(&str) -> String) -> String {
        (0..self.days.len()).map(|day| cell(papers.get(&day).map_or("", String::as_str))).collect()
    }

    fn html(&self) -> String {
        let heads: String = self.days.iter().map(|found| format!("<th>{}</th>", text(found.day))).collect();
        let row = |Line { id, name, papers }: Line<'_>| {
            format!("<tr><td>{id}</td><th dir=\"auto\">{}</th>{}</tr>\n", html::escape(name), self.cells(&papers, |cell| format!("<td>{cell}</td>")))
        };
        let rows: String = self.lines().into_iter().map(row).collect();
        html::page(&format!("<table><tr><td></td><th>topic</th>{heads}</tr>\n{rows}</table>\n"))
    }
}

fn sign(change: Change) -> &'static str {
    match change {
        Change::New => "*",
        Change::Grown => "+",
        Change::Shrunk => "-",
        Change::Same => "",
    }
}

fn text(day: Option<Date>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

/// What became of a day's topics.
fn changes(found: &Topics) -> String {
    let papers = found.topics.iter().map(|topic| topic.members.len()).sum::<usize>() + found.leftovers.len();
    let count = |change: Change| found.topics.iter().filter(|topic| topic.change() == change).count();
    let changes = [(Change::New, "new"), (Change::Grown, "grown"), (Change::Shrunk, "shrunk"), (Change::Same, "as large")];
    let counted = changes.into_iter().filter(|_| found.is_compared).map(|(change, name)| (count(change), name));
    let told = counted.chain([(found.gone.len(), "gone"), (found.leftovers.len(), "left over")]);
    let told = told.filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let topics = plural(found.topics.len() as u64, "topic");
    [plural(papers as u64, "paper"), topics].into_iter().chain(told).collect::<Vec<_>>().join(" · ")
}

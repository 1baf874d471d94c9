//! Topics over days: how many papers each has, day by day.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::table::{fit, one_line, pad};
use super::topics::TopicList;
use super::{Format, bibtex, csv, html, markdown, plural, pretty};
use crate::error::Result;
use crate::library::PaperRow;
use crate::paper::{Date, Paper};
use crate::topics::{Change, Topics};

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
    /// Of each day how many papers, and what became of the topic.
    papers: Vec<Option<(usize, Change)>>,
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
            Format::Jsonl => self.each(|list, day| list.render(Format::Jsonl).map(|text| with_day(&text, day))),
            Format::Ids => self.each(|list, _| list.render(Format::Ids)),
            Format::Tsv => Ok(self.rows().into_iter().map(|row| format!("{}\n", row.join("\t"))).collect()),
            Format::Csv => csv(&["day", "topic", "label", "papers", "change"], self.rows().into_iter()),
            Format::Bibtex => {
                let papers = self.days.iter().flat_map(|found| found.topics.iter().flat_map(|topic| &topic.members).chain(&found.leftovers));
                let papers = papers.map(|member| (self.paper)(member.paper)).collect::<Result<Vec<Paper>>>()?;
                Ok(bibtex::entries(&papers.iter().collect::<Vec<_>>()))
            }
        }
    }

    fn each(&self, text: impl Fn(&TopicList<'_>, Option<Date>) -> Result<String>) -> Result<String> {
        self.days.iter().map(|found| text(&self.list(found), found.day)).collect()
    }

    fn list<'l>(&'l self, found: &'l Topics) -> TopicList<'l> {
        TopicList { found, paper: self.paper, most: usize::MAX, width: self.width }
    }

    /// The topics in the order in which they came.
    fn lines(&self) -> Vec<Line<'_>> {
        let mut lines: BTreeMap<i64, Line<'_>> = BTreeMap::new();
        for (day, found) in self.days.iter().enumerate() {
            for topic in &found.topics {
                let line = lines.entry(topic.id).or_insert_with(|| Line { id: topic.id, name: &topic.name, papers: vec![None; self.days.len()] });
                line.papers[day] = Some((topic.members.len(), topic.change()));
            }
        }
        lines.into_values().collect()
    }

    /// A row a day and topic.
    fn rows(&self) -> Vec<Vec<String>> {
        let topics = self.days.iter().flat_map(|found| found.topics.iter().map(move |topic| (found.day, topic)));
        let row = |(day, topic): (Option<Date>, &crate::topics::Topic)| {
            vec![text(day), topic.id.to_string(), one_line(&topic.name), topic.members.len().to_string(), topic.change().name().to_owned()]
        };
        topics.map(row).collect()
    }

    fn json(&self) -> Result<String> {
        let day = |found: &Topics| {
            let gone =
                |gone: &crate::topics::Gone| json!({ "id": gone.id, "label": gone.name, "day": gone.before.day, "papers": gone.before.papers });
            let gone: Vec<Value> = found.gone.iter().map(gone).collect();
            Ok(json!({ "day": found.day, "topics": self.list(found).json()?, "gone": gone }))
        };
        Ok(pretty(&Value::Array(self.days.iter().map(day).collect::<Result<_>>()?)))
    }

    fn table(&self) -> String {
        /// A column holds `05-11` and a space.
        const COLUMN: usize = 7;
        const NARROWEST: usize = 20;
        let lines = self.lines();
        if lines.is_empty() {
            return "nothing to sort\n".to_owned();
        }
        let names = self.width.saturating_sub(COLUMN * self.days.len() + 6).clamp(NARROWEST, 50);
        let heads: String = self.days.iter().map(|found| format!("{:>COLUMN$}", text(found.day).get(5..).unwrap_or_default())).collect();
        let mut out = format!("{}{heads}\n", " ".repeat(names + 6));
        for Line { id, name, papers } in lines {
            let cell = |cell: &Option<(usize, Change)>| match cell {
                Some((papers, change)) => format!("{:>COLUMN$}", format!("{}{papers}", sign(*change))),
                None => format!("{:>COLUMN$}", "·"),
            };
            let papers: String = papers.iter().map(cell).collect();
            out.push_str(&format!("{id:>4}. {}{papers}\n", pad(&fit(&one_line(name), names), names)));
        }
        out.push('\n');
        for found in self.days {
            out.push_str(&format!("{}  {}\n", text(found.day), changes(found)));
        }
        out.push_str("* new, + grown, - shrunk; (…) stands for what fewer than half of a topic's papers speak of\n");
        out
    }

    fn markdown(&self) -> String {
        let heads: String = self.days.iter().map(|found| format!(" {} |", text(found.day))).collect();
        let mut out = format!("| | topic |{heads}\n|--:|---|{}\n", "--:|".repeat(self.days.len()));
        for Line { id, name, papers } in self.lines() {
            out.push_str(&format!("| {id} | {} |{}\n", markdown(name), cells(&papers, |cell| format!(" {cell} |"))));
        }
        out
    }

    fn html(&self) -> String {
        let heads: String = self.days.iter().map(|found| format!("<th>{}</th>", text(found.day))).collect();
        let row = |Line { id, name, papers }: Line<'_>| {
            format!("<tr><td>{id}</td><th dir=\"auto\">{}</th>{}</tr>\n", html::escape(name), cells(&papers, |cell| format!("<td>{cell}</td>")))
        };
        let rows: String = self.lines().into_iter().map(row).collect();
        html::page(&format!("<table><tr><td></td><th>topic</th>{heads}</tr>\n{rows}</table>\n"))
    }
}

fn cells(papers: &[Option<(usize, Change)>], cell: impl Fn(&str) -> String) -> String {
    papers.iter().map(|papers| cell(&papers.map(|(papers, change)| format!("{}{papers}", sign(change))).unwrap_or_default())).collect()
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
    let counted =
        [(count(Change::New), "new"), (count(Change::Grown), "grown"), (count(Change::Shrunk), "shrunk"), (count(Change::Same), "as large")];
    let told = counted.into_iter().chain([(found.gone.len(), "gone"), (found.leftovers.len(), "papers left over")]);
    let told = told.filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let topics = plural(found.topics.len() as u64, "topic");
    [plural(papers as u64, "paper"), topics].into_iter().chain(told).collect::<Vec<_>>().join(" · ")
}

/// Lines of JSON with the day in each.
fn with_day(lines: &str, day: Option<Date>) -> String {
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap_or_default();
        value["day"] = json!(day);
        format!("{value}\n")
    };
    lines.lines().map(line).collect()
}

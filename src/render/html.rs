//! One page without scripts, images or anything from elsewhere.

use super::{Answer, link, one_line, titled};
use crate::paper::Paper;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
h1{font-size:1.3rem}h2{font-size:1rem;margin:1.6rem 0 .2rem}p{margin:.2rem 0}small{opacity:.7}details{margin:.3rem 0}\
table{border-collapse:collapse}td,th{padding:.1rem .5rem;text-align:right;font-weight:normal}";

pub(super) fn answers(answers: &[Answer]) -> String {
    let section = |answer: &Answer| {
        let hits: String = answer.hits.iter().map(|hit| article(&hit.paper, Some(hit.score))).collect();
        format!("<h1>{}</h1>\n{hits}", escape(&answer.query))
    };
    page(&answers.iter().map(section).collect::<String>())
}

pub(super) fn papers(papers: &[Paper]) -> String {
    page(&papers.iter().map(|paper| article(paper, None)).collect::<String>())
}

/// Papers under a heading.
pub(super) fn section(heading: &str, facts: &str, articles: &str) -> String {
    format!("<h1 dir=\"auto\">{}</h1><p><small>{}</small></p>\n{articles}", escape(heading), escape(facts))
}

pub(super) fn page(body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>paperkin</title><style>{STYLE}</style></head><body>\n{body}</body></html>\n"
    )
}

pub(super) fn article(paper: &Paper, score: Option<f32>) -> String {
    let facts = [
        score.map(|score| format!("{score:.3}")),
        Some(escape(&paper.id().to_string())),
        paper.published.map(|day| day.to_string()),
        Some(escape(&paper.authors.join(", "))).filter(|names| !names.is_empty()),
    ];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    format!(
        "<article><h2 dir=\"auto\">{}</h2><p><small>{facts}</small></p><details><summary>Abstract</summary><p dir=\"auto\">{}</p></details></article>\n",
        linked(paper),
        escape(&paper.abstract_text)
    )
}

/// The title, leading to where the paper is.
pub(super) fn linked(paper: &Paper) -> String {
    let title = escape(&titled(paper));
    link(paper).map_or(title.clone(), |url| format!("<a href=\"{}\">{title}</a>", escape(&url)))
}

pub(super) fn escape(text: &str) -> String {
    html_escape::encode_quoted_attribute(&one_line(text)).into_owned()
}

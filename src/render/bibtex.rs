//! BibTeX: one `@misc` a paper, whose key is its id.

use super::{link, one_line};
use crate::paper::{Paper, PaperId};

pub(super) fn entries(papers: &[&Paper]) -> String {
    papers.iter().map(|paper| entry(paper, None)).collect()
}

/// `exact` is what BibTeX has no place for.
pub(super) fn entry(paper: &Paper, exact: Option<&str>) -> String {
    let id = paper.id();
    let key: String = id.to_string().chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/' | ':') { c } else { '_' }).collect();
    let (eprint, prefix) = match &id {
        PaperId::Arxiv(id) => (Some(id.clone()), Some("arXiv".to_owned())),
        _ => (None, None),
    };
    let fields = [
        ("title", Some(format!("{{{}}}", escape(&paper.title)))),
        ("author", Some(paper.authors.iter().map(|name| escape(name)).collect::<Vec<_>>().join(" and "))),
        ("year", paper.published.map(|day| day.year().to_string())),
        ("eprint", eprint),
        ("archivePrefix", prefix),
        ("doi", paper.doi().map(str::to_owned)),
        ("url", link(paper).map(|url| url.replace(['{', '}'], ""))),
        ("abstract", Some(escape(&paper.abstract_text))),
        ("paperkin", exact.map(str::to_owned)),
    ];
    let lines: String = fields
        .into_iter()
        .filter_map(|(name, value)| value.filter(|v| !v.is_empty() && v != "{}").map(|v| format!("  {name} = {{{v}}},\n")))
        .collect();
    format!("@misc{{{key},\n{lines}}}\n\n")
}

/// Characters that TeX would obey are escaped, but for `$`, `\`, `^` and `_`: titles and abstracts hold TeX on purpose.
/// Braces must balance, or the whole file cannot be read; and of one behind a backslash, not all programs think that it counts.
pub(super) fn escape(text: &str) -> String {
    let text = one_line(text);
    let mut depth = 0i32;
    let balanced = text.chars().all(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth >= 0
    }) && depth == 0
        && !text.contains("\\{")
        && !text.contains("\\}");
    let text = if balanced { text } else { text.replace(['{', '}'], "") };
    let text = text.trim_end_matches('\\');
    text.replace('%', "\\%").replace('&', "\\&").replace('#', "\\#").replace("\\\\%", "\\%").replace("\\\\&", "\\&").replace("\\\\#", "\\#")
}

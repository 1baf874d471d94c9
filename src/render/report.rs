//! What `add` did, and what a library holds, in a few lines.

use crate::ingest::Report;
use crate::library::{Recall, Status};
use crate::recommend::Evaluation;

use super::one_line;

/// One line: `93 records of 77 papers: 77 new, 16 merged, 0 updated, 0 unchanged, 0 failed; 77 embedded`.
pub fn report_line(report: &Report) -> String {
    let mut line = format!(
        "{} of {}: {} new, {} merged, {} updated, {} unchanged, {} failed; {} embedded",
        plural(report.read, "record"),
        plural(report.papers, "paper"),
        report.new,
        report.merged,
        report.updated,
        report.unchanged,
        report.failed,
        if report.embedded == 0 { "nothing".to_owned() } else { report.embedded.to_string() },
    );
    let extras = [
        (report.without_abstract, "without an abstract"),
        (report.deleted, "deleted by their source"),
        (report.skipped_files, "files passed over"),
        (report.failed_inputs, "inputs could not be read"),
    ];
    for (count, what) in extras.into_iter().filter(|(count, _)| *count > 0) {
        line.push_str(&format!("; {count} {what}"));
    }
    line
}

/// Means over the queries, in percent.
pub fn evaluation_text(found: &Evaluation) -> String {
    let mut text = format!("{:10} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "", "queries", "R@10", "nDCG@10", "R@100", "MRR");
    for (name, scores) in [("all", found.all), ("odd", found.odd), ("even", found.even)] {
        let percents = [scores.recall_at_10, scores.ndcg_at_10, scores.recall_at_100, scores.mrr].map(|share| format!("{:8.2}", 100.0 * share));
        text.push_str(&format!("{name:10} {:>8} {}\n", scores.queries, percents.join(" ")));
    }
    text
}

/// The state of a library, a fact a line.
pub fn status_text(status: &Status) -> String {
    let space = status.space.as_ref();
    let days = match (status.first_published, status.last_published) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => String::new(),
    };
    let sources = status.sources.iter().map(|(format, count)| format!("{count} {format}")).collect::<Vec<_>>().join(", ");
    let facts = [
        ("library", status.library.as_ref().map(|path| path.display().to_string()).unwrap_or_default()),
        ("papers", status.papers.to_string()),
        ("published", days),
        ("told by", sources),
        ("vectors", status.vectors.to_string()),
        ("no abstract", if status.without_abstract > 0 { status.without_abstract.to_string() } else { String::new() }),
        (
            "reindexing",
            if status.next_vectors > 0 { format!("{} new vectors wait; `paperkin reindex` goes on", status.next_vectors) } else { String::new() },
        ),
        ("model", space.map(|space| space.name()).unwrap_or_default()),
        (
            "vectors of",
            space
                .map(|s| format!("{} numbers, {} pooling, at most {} tokens, {}", s.dim, s.pooling, s.max_tokens, status.precisions.join(" and ")))
                .unwrap_or_default(),
        ),
        ("search", search(status)),
        ("size", format!("{:.1} MB", status.bytes as f64 / 1e6)),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name:<12}{}\n", one_line(&value))).collect()
}

/// One line: `recall@10 0.996: of the 2000 nearest papers of 200, the index finds 1992`.
pub fn recall_line(recall: &Recall) -> String {
    format!("recall@10 {:.4}: of the {} nearest papers of {}, the index finds {}\n", recall.share(), recall.of, recall.questions, recall.found)
}

fn search(status: &Status) -> String {
    let index = &status.index;
    let how = match (index.is_kept, index.has_graph) {
        (false, _) if status.vectors > 0 => "exact; no index is kept, so that each question makes one, until the next `paperkin add`",
        (true, true) => "hnsw; exact where a filter leaves few papers",
        _ => "exact",
    };
    match index.changed {
        0 => how.to_owned(),
        changed => format!("{how}; {} since the index was made", plural(changed, "change")),
    }
}

/// `1 paper`, `2 papers`.
pub fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

//! Where each thing that is known of a paper is from.

use serde_json::{Map, Value};

use super::{one_line, to_json};
use crate::paper::Paper;

/// A thing a line: `abstract     feed cs.LG.xml`.
pub fn provenance_text(told: &[(String, String)]) -> String {
    if told.is_empty() {
        return "nothing is known of where this is from: the paper is older than what keeps it\n".to_owned();
    }
    told.iter().map(|(name, source)| format!("{name:<14}{}\n", one_line(source))).collect()
}

/// The paper's JSON, with the sources by the keys of what they told.
pub fn provenance_json(paper: &Paper, told: &[(String, String)]) -> Value {
    let mut record = to_json(paper);
    record["provenance"] = Value::Object(told.iter().map(|(name, source)| (name.clone(), source.as_str().into())).collect::<Map<_, _>>());
    record
}

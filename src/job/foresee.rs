//! What a run would do, without doing it: nothing is asked of a server, and nothing is written.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Plan, Step, due};
use crate::error::Result;
use crate::library::{Filter, Library};
use crate::render::plural;

/// A line for each step. A library that is not there yet is an empty one.
///
/// # Errors
///
/// Those of the library.
pub fn foresee(plan: &Plan, library: &Library, now: Timestamp) -> Result<Vec<String>> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut lines = Vec::new();
    for step in &plan.steps {
        let what = match step {
            Step::Add(source) => {
                let limit = source.limit.map(|limit| format!(", at most {limit} records")).unwrap_or_default();
                let last = library.cursor(&source.from)?.map(|cursor| format!(", last read at {cursor}")).unwrap_or_default();
                format!("reads it{limit}{last}")
            }
            Step::Topics => format!("keeps the topics of the week up to {today}"),
            Step::Digest(page) => {
                let days = page.period(library, today)?;
                let papers = library.rows_of(&Filter { days, ..page.wishes.filter() })?.len();
                format!("as the library is now, of {} up to {}", plural(papers as u64, "paper"), days.until.unwrap_or(today))
            }
            Step::Deliver => deliveries(library, now)?,
            Step::Export(_) => format!("writes {}", plural(library.len()?, "paper")),
        };
        lines.push(format!("{}: {what}", step.name()));
    }
    Ok(lines)
}

fn deliveries(library: &Library, now: Timestamp) -> Result<String> {
    let waiting = library.waiting_letters()?.len() as u64;
    let mut parts = Vec::new();
    for due in due(library, now)? {
        let Some(until) = due.until else { continue };
        let period = library.uncovered(&due.subscription.reader(), due.first, until)?;
        let mut papers = library.rows_of(&Filter { days: period.days, ..due.wishes.filter() })?;
        papers.retain(|row| !period.covered.contains(row));
        let of = format!("{} up to {until}", plural(papers.len() as u64, "paper"));
        parts.push(format!("{} for {}: {of}", due.subscription.address, due.subscription.profile));
    }
    parts.extend((waiting > 0).then(|| format!("{} from before", plural(waiting, "letter"))));
    Ok(if parts.is_empty() { "nothing is due".to_owned() } else { parts.join("; ") })
}

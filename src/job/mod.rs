//! A night's work: steps one after the other, each of which may be done again without harm, and a report that counts everything.
//!
//! A step that fails does not take down those after it; one that failed for a reason that may pass is tried again, after a pause that
//! doubles. What each step did is noted in the library. A run that was cut off is gone on with: what is on this machine is done
//! again, as it costs little and may have changed, and servers that answered not an hour ago are not asked again. Time, chance and the
//! work itself come from whoever runs it.
//!
//! | file | what it does |
//! |---|---|
//! | `plan` | the job's file |
//! | `report` | what became of the steps |
//! | `foresee` | what a run would do |
//! | `post` | mail to subscribers, each letter once |
//! | `timer` | systemd and cron |

mod foresee;
mod plan;
mod post;
mod report;
mod timer;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::library::{Days, Filter, Library, Run};
use crate::paper::{Date, parse_date, utc};
use crate::topics;

pub use foresee::foresee;
pub use plan::{EXAMPLE, Page, Plan, Source, Step, Table, dated};
pub use post::{Became, Delivery, Due, Office, deliver, delivery_line, due, letter};
pub use report::{Done, Report, Status, StepReport};
pub use timer::{Timer, absolute};

/// Days whose topics are kept anew: papers of a day may come for some days.
const TOPIC_DAYS: i32 = 7;
/// A source that was read so many seconds ago is not read again by a run that goes on.
const FRESH: i64 = 3600;
/// The longest pause before a step is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Time and chance, and the ear of whoever runs a job.
pub struct World<'w> {
    /// The time.
    pub now: &'w dyn Fn() -> Timestamp,
    /// True if somebody wants an end.
    pub is_interrupted: &'w dyn Fn() -> bool,
    /// Waits; not longer than until somebody wants an end.
    pub wait: &'w dyn Fn(Duration),
    /// A number from 0 to 1, another each time.
    pub chance: &'w dyn Fn() -> f64,
    /// Is told what goes on: the step, what is to be said of it, and what became of it if it is over.
    pub tell: &'w dyn Fn(&str, &str, Option<Status>),
}

impl World<'_> {
    fn written(&self) -> String {
        utc((self.now)())
    }

    fn today(&self) -> Date {
        (self.now)().to_zoned(TimeZone::UTC).date()
    }
}

/// Does what a plan says, with `work` for each step, and notes in the library what was done.
///
/// # Errors
///
/// [`Error::Store`] if the library cannot be written. What goes wrong in a step is in the report.
pub fn run(plan: &Plan, library: &mut Library, world: &World<'_>, work: &mut dyn FnMut(&Step, &mut Library) -> Result<Done>) -> Result<Report> {
    let begun = Instant::now();
    let before = unfinished(plan, library, world)?;
    let mut report = Report::new(plan, world.written(), before.as_ref());
    let id = match &before {
        Some(run) => run.id,
        None => library.begin_run(&plan.name, &plan.fingerprint, &world.written())?,
    };
    let done_before: Vec<StepReport> = before.and_then(|run| serde_json::from_str(&run.steps).ok()).unwrap_or_default();
    for step in &plan.steps {
        let name = step.name();
        let is_fresh = |one: &&StepReport| {
            let age = one.begun.parse::<Timestamp>().map_or(i64::MAX, |begun| (world.now)().as_second() - begun.as_second());
            one.name == name && one.status == Status::Done && (0..FRESH).contains(&age)
        };
        let is_live = matches!(step, Step::Add(source) if source.is_live);
        let known = done_before.iter().find(is_fresh).filter(|_| is_live);
        let one = match known {
            Some(known) => StepReport { was_before: true, ..known.clone() },
            None if (world.is_interrupted)() => StepReport::of(name, Status::NotBegun),
            None => attempt(plan, step, library, world, work),
        };
        report.steps.push(one);
        let steps = serde_json::to_string(&report.steps).unwrap_or_default();
        library.note_run(id, &steps, None)?;
    }
    report.finish(world.written(), begun.elapsed());
    // One that was interrupted is left open, for the next to go on with.
    if report.status != Status::Interrupted {
        let steps = serde_json::to_string(&report.steps).unwrap_or_default();
        library.note_run(id, &steps, Some(&world.written()))?;
    }
    Ok(report)
}

/// The run of the same plan that was cut off today.
fn unfinished(plan: &Plan, library: &Library, world: &World<'_>) -> Result<Option<Run>> {
    let is_of_today = |run: &Run| parse_date(&run.begun) == Some(world.today());
    Ok(library.last_run(&plan.name)?.filter(|run| run.ended.is_none() && run.plan == plan.fingerprint && is_of_today(run)))
}

/// One step, tried again where that may help.
fn attempt(
    plan: &Plan,
    step: &Step,
    library: &mut Library,
    world: &World<'_>,
    work: &mut dyn FnMut(&Step, &mut Library) -> Result<Done>,
) -> StepReport {
    let (name, begun, clock) = (step.name(), world.written(), Instant::now());
    (world.tell)(&name, "begins", None);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let done = work(step, library);
        let may_pass = match &done {
            Ok(done) => done.again,
            Err(error) => matches!(error, Error::Network { may_pass: true, .. }),
        };
        if may_pass && attempts <= plan.retries && !(world.is_interrupted)() {
            let pause = pause(plan.retry_after, attempts, (world.chance)());
            let why = match &done {
                Ok(done) => done.failures.first().map(|failure| format!("{failure}: ")).unwrap_or_default(),
                Err(error) => format!("{error}: "),
            };
            (world.tell)(&name, &format!("{why}tried again in {:.0} seconds", pause.as_secs_f64()), None);
            (world.wait)(pause);
            if !(world.is_interrupted)() {
                continue;
            }
        }
        let mut report = StepReport::new(name, done, attempts).at(begun, clock.elapsed());
        if may_pass && (world.is_interrupted)() {
            report.status = Status::Interrupted;
        }
        (world.tell)(&report.name, &report.line(), Some(report.status));
        return report;
    }
}

/// Twice as long each time, and by chance up to half as much shorter or longer, so that those who failed together do not come back
/// together.
fn pause(first: Duration, attempt: u32, chance: f64) -> Duration {
    let doubled = first.saturating_mul(2u32.saturating_pow(attempt - 1)).min(LONGEST_PAUSE);
    doubled.mul_f64(0.5 + chance.clamp(0.0, 1.0))
}

/// Keeps the topics of the last days up to `today`, as `cluster --by day --keep` does; of how many days, and how many topics.
///
/// # Errors
///
/// Those of the library.
pub fn keep_topics(library: &mut Library, today: Date) -> Result<(usize, usize)> {
    let options = topics::Options { filter: Filter { days: Days::up_to(today, TOPIC_DAYS), ..Filter::default() }, ..topics::Options::default() };
    let found = topics::by_day(library, &options)?;
    let kept = found.iter().filter_map(|found| found.day.map(|day| found.topics.iter().map(move |topic| topic.kept(day))));
    let kept: Vec<_> = kept.flatten().collect();
    library.keep_topics(&kept)?;
    Ok((found.len(), kept.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_differ() {
        let first = Duration::from_secs(30);
        assert_eq!(pause(first, 1, 0.5), first);
        assert_eq!(pause(first, 3, 0.5), 4 * first);
        assert_eq!(pause(first, 1, 0.0), first / 2);
        assert_eq!(pause(first, 40, 1.0), LONGEST_PAUSE.mul_f64(1.5));
    }
}

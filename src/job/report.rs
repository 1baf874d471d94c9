//! What became of the steps of a job.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Plan;
use crate::error::{Error, ExitClass, Result};
use crate::library::Run;
use crate::render::one_line;

/// Failures of a step that are told; the others are counted.
const TOLD: usize = 100;

/// What a step did.
#[derive(Debug, Default)]
pub struct Done {
    /// Numbers by name.
    pub counts: Map<String, Value>,
    /// What went wrong, and where.
    pub failures: Vec<String>,
    /// What is to be said besides.
    pub notes: Vec<String>,
    /// True if nothing came of it.
    pub is_failure: bool,
    /// True if trying again may help.
    pub again: bool,
    /// What ended it before it was done.
    pub error: Option<Error>,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All was done.
    Done,
    /// A part of it was.
    Partial,
    /// Nothing was.
    Failed,
    /// Somebody wanted an end; the next run goes on from there.
    Interrupted,
    /// Not begun, for the same reason.
    #[default]
    NotBegun,
}

/// What became of a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StepReport {
    /// The step.
    pub name: String,
    /// What became of it.
    pub status: Status,
    /// True if a run that was cut off had done it, not an hour ago: servers are not asked again.
    pub was_before: bool,
    /// When it began, in UTC.
    pub begun: String,
    /// How long it took.
    pub seconds: f64,
    /// How often it was tried.
    pub attempts: u32,
    /// Numbers by name.
    pub counts: Map<String, Value>,
    /// What went wrong; the first hundred.
    pub failures: Vec<String>,
    /// How many more went wrong.
    pub more_failures: usize,
    /// What is to be said besides.
    pub notes: Vec<String>,
    /// Why it failed as a whole.
    pub error: Option<String>,
    /// The kind of that error.
    pub error_type: Option<String>,
    /// What helps.
    pub hint: Option<String>,
}

/// What became of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The job.
    pub job: String,
    /// What became of it.
    pub status: Status,
    /// The version of paperkin.
    pub paperkin: &'static str,
    /// When it began, in UTC.
    pub begun: String,
    /// When it ended.
    pub ended: String,
    /// How long it took.
    pub seconds: f64,
    /// When the run that was cut off began, with which this one goes on.
    pub goes_on_from: Option<String>,
    /// The library, its model and what is set, as whoever runs it knows them.
    pub settings: Map<String, Value>,
    /// The sums of what the steps counted.
    pub counts: Map<String, Value>,
    /// The steps.
    pub steps: Vec<StepReport>,
}

impl StepReport {
    pub(super) fn of(name: String, status: Status) -> Self {
        Self { name, status, ..Self::default() }
    }

    pub(super) fn new(name: String, done: Result<Done>, attempts: u32) -> Self {
        let report = Self { attempts, ..Self::of(name, Status::Done) };
        let done = done.unwrap_or_else(|error| Done { is_failure: true, error: Some(error), ..Done::default() });
        let Done { counts, mut failures, notes, is_failure, error, .. } = done;
        let more_failures = failures.len().saturating_sub(TOLD);
        let status = match &error {
            Some(Error::Interrupted) => Status::Interrupted,
            _ if is_failure => Status::Failed,
            None if failures.is_empty() => Status::Done,
            _ => Status::Partial,
        };
        failures.truncate(TOLD);
        let error = error.filter(|error| !matches!(error, Error::Interrupted));
        let hint = error.as_ref().and_then(Error::hint);
        let (error_type, error) = (error.as_ref().map(|error| error.kind().to_owned()), error.map(|error| error.to_string()));
        Self { status, counts, failures, more_failures, notes, error, error_type, hint, ..report }
    }

    pub(super) fn at(self, begun: String, elapsed: Duration) -> Self {
        Self { begun, seconds: rounded(elapsed), ..self }
    }

    /// In a line: `done in 1.2 s: 22 read, 20 new`.
    pub fn line(&self) -> String {
        let status = match self.status {
            _ if self.was_before => "done before".to_owned(),
            Status::Done => format!("done in {:.1} s", self.seconds),
            Status::Partial => format!("done in part, in {:.1} s", self.seconds),
            Status::Failed => "failed".to_owned(),
            Status::Interrupted => "interrupted".to_owned(),
            Status::NotBegun => "not begun".to_owned(),
        };
        let number = |(name, value): (&String, &Value)| value.as_u64().filter(|n| *n > 0).map(|n| format!("{n} {}", name.replace('_', " ")));
        let counts = self.counts.iter().filter_map(number).collect::<Vec<_>>().join(", ");
        let failed = self.failures.len() + self.more_failures;
        let told = [Some(counts).filter(|counts| !counts.is_empty()), self.error.clone(), (failed > 0).then(|| format!("{failed} failed"))];
        let told = told.into_iter().flatten().collect::<Vec<_>>().join("; ");
        if told.is_empty() { status } else { format!("{status}: {}", one_line(&told)) }
    }
}

impl Report {
    pub(super) fn new(plan: &Plan, begun: String, before: Option<&Run>) -> Self {
        Self {
            job: plan.name.clone(),
            status: Status::Done,
            paperkin: env!("CARGO_PKG_VERSION"),
            begun,
            ended: String::new(),
            seconds: 0.0,
            goes_on_from: before.map(|run| run.begun.clone()),
            settings: Map::new(),
            counts: Map::new(),
            steps: Vec::new(),
        }
    }

    pub(super) fn finish(&mut self, ended: String, elapsed: Duration) {
        (self.ended, self.seconds) = (ended, rounded(elapsed));
        for (name, value) in self.steps.iter().flat_map(|step| &step.counts) {
            let sum = self.counts.get(name).and_then(Value::as_u64).unwrap_or(0) + value.as_u64().unwrap_or(0);
            self.counts.insert(name.clone(), sum.into());
        }
        let count = |status: Status| self.steps.iter().filter(|step| step.status == status).count();
        self.status = match (count(Status::Done), self.steps.len()) {
            _ if count(Status::Interrupted) + count(Status::NotBegun) > 0 => Status::Interrupted,
            (done, all) if done == all => Status::Done,
            (0, _) if count(Status::Partial) == 0 => Status::Failed,
            _ => Status::Partial,
        };
    }

    /// The class of the exit code.
    pub fn exit_class(&self) -> ExitClass {
        match self.status {
            Status::Done => ExitClass::Done,
            Status::Partial => ExitClass::Partial,
            Status::Failed => ExitClass::Failure,
            Status::Interrupted | Status::NotBegun => ExitClass::Interrupted,
        }
    }

    /// For people: a line a step.
    pub fn text(&self) -> String {
        let width = self.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0).min(48);
        let mut out = String::new();
        for step in &self.steps {
            out.push_str(&format!("{:<width$}  {}\n", one_line(&step.name), step.line()));
            let failures = step.failures.iter().map(|failure| format!("  failed: {}\n", one_line(failure)));
            out.extend(failures);
            out.extend(step.hint.iter().map(|hint| format!("  hint: {}\n", one_line(hint))));
        }
        out
    }
}

fn rounded(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1000.0).round() / 1000.0
}

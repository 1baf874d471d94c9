//! `paperkin run`: a night's work.

use std::hash::BuildHasher;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use paperkin::deliver::Mail;
use paperkin::digest::digest;
use paperkin::ingest::{Embed, LazyEmbedder, Options, Report as Added};
use paperkin::job::{self, Delivery, Done, Page, Plan, Report, Source, Status, Step, Table, World};
use paperkin::library::{Library, Uncovered};
use paperkin::paper::Date;
use paperkin::{Error, ExitClass, Result, render, source};
use serde_json::{Map, Value};

use crate::args::{Export, Run};
use crate::settings::{Settings, now, timestamp, today};
use crate::{add, export, live, output, timer};

/// Columns of a digest that is written to a file as text.
const WIDTH: usize = 100;

pub(crate) fn run(args: &Run, settings: &Settings) -> Result<ExitClass> {
    if args.init {
        return init(&args.job, settings);
    }
    if args.uninstall {
        return timer::uninstall(args, settings);
    }
    let plan = read(args, settings)?;
    let settings = &settings.of_job(plan.library.clone(), plan.model.clone())?;
    let mail = mail(&plan, settings)?;
    if args.check || args.install {
        mail.as_ref().map_or(Ok(()), Mail::check_files)?;
    }
    if args.check {
        output::say(settings, &format!("{}: {}", args.job.display(), render::plural(plan.steps.len() as u64, "step")));
        return Ok(ExitClass::Done);
    }
    if args.install {
        return timer::install(args, &plan, settings);
    }
    if args.dry_run {
        let library = match settings.library() {
            Err(Error::NoLibrary { .. }) => Library::in_memory()?,
            library => library?,
        };
        let lines = job::foresee(&plan, &library, timestamp())?;
        output::print(&lines.iter().map(|line| format!("{}\n", render::one_line(line))).collect::<String>())?;
        return Ok(ExitClass::Done);
    }
    crate::catch_interrupts()?;
    let report = work(&plan, mail.as_ref(), args, settings)?;
    let is_nothing_new = report.status == Status::Done && report.counts.get("new").and_then(Value::as_u64).unwrap_or(0) == 0;
    Ok(if args.exit_code && is_nothing_new { ExitClass::NothingNew } else { report.exit_class() })
}

fn init(path: &Path, settings: &Settings) -> Result<ExitClass> {
    let mut file = std::fs::File::create_new(path).map_err(|e| Error::io("cannot make", path, e))?;
    file.write_all(job::EXAMPLE.as_bytes()).map_err(|e| Error::io("cannot write", path, e))?;
    output::say(settings, &format!("{} is there to be changed; `paperkin run --check {}` looks whether it is right", path.display(), path.display()));
    Ok(ExitClass::Done)
}

fn read(args: &Run, settings: &Settings) -> Result<Plan> {
    let path = &args.job;
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("cannot read the job", path, e))?;
    let beside = path.parent().unwrap_or(Path::new("")).to_path_buf();
    // What is not there at night takes down no more than its step.
    let is_looked_at = args.check || args.install;
    Plan::parse(&text, path, &|source| match live::is_address(source, settings) {
        // Offline, its step says so.
        Err(Error::Network { .. }) => Ok(true),
        Ok(false) if is_looked_at && !beside.join(source).exists() => {
            Err(Error::usage(format!("{source:?} is neither an address nor a file or directory")))
        }
        other => other,
    })
}

/// How mail leaves, where the plan has some.
fn mail(plan: &Plan, settings: &Settings) -> Result<Option<Mail>> {
    if !plan.steps.contains(&Step::Deliver) {
        return Ok(None);
    }
    match &plan.mail {
        Some(mail) => Ok(Some(mail.clone())),
        None => crate::digest::set_mail(settings).cloned().map(Some),
    }
}

/// Does it, and tells it.
fn work(plan: &Plan, mail: Option<&Mail>, args: &Run, settings: &Settings) -> Result<Report> {
    let mut embedder = settings.embedder()?;
    let mut library = settings.new_or_old_library()?;
    library.require_space(embedder.space())?;
    let beside = args.job.parent().unwrap_or(Path::new("")).to_path_buf();
    let random = std::collections::hash_map::RandomState::new();
    let chance = || (random.hash_one(Instant::now()) >> 11) as f64 / (1u64 << 53) as f64;
    let tell = |step: &str, what: &str, became: Option<Status>| {
        let (step, what) = (render::one_line(step), render::one_line(what));
        let step = step.as_str();
        output::set_step(Some(step));
        match became {
            None | Some(Status::Done) => output::say(settings, &format!("{step}: {what}")),
            Some(_) => output::complain(&format!("failed: {step}: {what}")),
        }
    };
    // A run over midnight is that of the day on which it began.
    let (day, mut deliveries) = (today(), Vec::new());
    let world = World { now: &timestamp, is_interrupted: &crate::is_interrupted, wait: &wait, chance: &chance, tell: &tell };
    let report = job::run(plan, &mut library, &world, &mut |step, library| match step {
        Step::Add(from) => add_source(from, &beside, (library, &mut embedder), settings),
        Step::Topics => {
            let (days, topics) = job::keep_topics(library, today())?;
            Ok(Done { counts: counts([("topics", topics), ("days", days)]), ..Done::default() })
        }
        Step::Digest(page) => write_page(page, library, day),
        Step::Deliver => deliver(mail, library, &mut deliveries, settings),
        Step::Export(table) => write_table(table, (library, day), settings),
    });
    output::set_step(None);
    let mut report = report?;
    report.settings = described(plan, &library, &embedder, settings);
    let json = serde_json::to_value(&report).map_err(|e| Error::usage(e.to_string()))?;
    if args.json {
        output::print(&render::pretty(&json))?;
    } else if !settings.quiet || report.status != Status::Done {
        output::print(&report.text())?;
    }
    let written = plan.report.as_ref().map_or(Ok(()), |path| into_file(&job::dated(path, day), render::pretty(&json).as_bytes()));
    if let Err(error) = written {
        output::print_error(&error, args.json);
        report.status = if report.status == Status::Done { Status::Partial } else { report.status };
    }
    Ok(report)
}

/// What the report says of the program and its settings.
fn described(plan: &Plan, library: &Library, embedder: &LazyEmbedder, settings: &Settings) -> Map<String, Value> {
    let space = embedder.space();
    let facts = [
        ("library", library.directory().map(|path| path.display().to_string()).into()),
        ("papers", library.len().ok().into()),
        ("model", space.name().into()),
        ("weights_sha256", space.weights_sha256.clone().into()),
        ("precision", space.precision.clone().into()),
        ("device", space.device.clone().into()),
        ("offline", settings.offline.into()),
        ("plan", plan.fingerprint.clone().into()),
        ("retries", plan.retries.into()),
        ("retry_after", plan.retry_after.as_secs_f64().into()),
    ];
    facts.into_iter().map(|(name, value): (&str, Value)| (name.to_owned(), value)).collect()
}

/// Not longer than until somebody wants an end.
fn wait(pause: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < pause && !crate::is_interrupted() {
        std::thread::sleep(Duration::from_millis(100).min(pause));
    }
}

fn add_source(from: &Source, beside: &Path, of: (&mut Library, &mut LazyEmbedder), settings: &Settings) -> Result<Done> {
    let options = Options {
        source: source::Options { today: Some(today()), ..source::Options::default() },
        embed: if from.title_only { Embed::Titles } else { Embed::Abstracts },
        limit: from.limit,
        now: now(),
    };
    let path = if live::is_address(&from.from, settings)? { PathBuf::from(&from.from) } else { beside.join(&from.from) };
    let (library, embedder) = of;
    let report = add::read(&[path], (library, embedder), &options, settings)?;
    output::keep_index(library, settings);
    let Added { read, new, merged, updated, unchanged, embedded, deleted, failed, failed_inputs, skipped_files, .. } = report;
    let numbers = [
        ("read", read),
        ("new", new),
        ("merged", merged),
        ("updated", updated),
        ("unchanged", unchanged),
        ("embedded", embedded),
        ("deleted", deleted),
        ("skipped", skipped_files),
        ("failed", failed + failed_inputs),
    ];
    let mut failures: Vec<String> = report.failures.iter().map(|failure| format!("{}: {}", failure.place, failure.reason)).collect();
    let untold = (failed + failed_inputs).saturating_sub(failures.len() as u64);
    failures.extend((untold > 0).then(|| format!("{untold} more")));
    let counts = counts(numbers.map(|(name, n)| (name, n as usize)));
    Ok(Done { counts, is_failure: report.papers == 0 && !failures.is_empty(), failures, notes: report.notes, ..Done::default() })
}

fn write_page(page: &Page, library: &Library, day: Date) -> Result<Done> {
    let days = page.period(library, today())?;
    let found = digest(library, &page.profile, &page.wishes, &Uncovered { days, ..Uncovered::default() })?;
    for (path, form) in &page.to {
        into_file(&job::dated(&path.to_string_lossy(), day), render::digest(&found, *form, WIDTH).as_bytes())?;
    }
    Ok(Done { counts: counts([("shown", found.shown().count()), ("files", page.to.len())]), notes: found.silent, ..Done::default() })
}

/// `done` holds what became of letters, also when the step is tried again.
fn deliver(mail: Option<&Mail>, library: &mut Library, done: &mut Vec<Delivery>, settings: &Settings) -> Result<Done> {
    let mail = mail.ok_or_else(|| Error::usage("nothing says how mail leaves"))?;
    crate::digest::may_leave(mail, settings)?;
    let office = job::Office { mail, now: &timestamp, is_interrupted: &crate::is_interrupted };
    let before = done.len();
    let error = job::deliver(library, &office, done).err();
    // Of a letter that was tried again, only what became of it in the end.
    let latest: Vec<_> = done.split_off(before);
    done.retain(|old| !latest.iter().any(|new| new.message_id.is_some() && new.message_id == old.message_id));
    done.extend(latest);
    let count = |became: job::Became| done.iter().filter(|one| one.became == became).count();
    use job::Became::{GivenUp, Nothing, Refused, Sent, SentAgain, Unanswered, Waits};
    let numbers = [
        ("mailed", count(Sent)),
        ("mailed_again", count(SentAgain)),
        ("waiting", count(Waits) + count(Unanswered)),
        ("refused", count(Refused)),
        ("given_up", count(GivenUp)),
        ("without_news", count(Nothing)),
    ];
    let failures = done.iter().filter(|one| one.became.is_failure()).map(job::delivery_line).collect();
    let notes = done.iter().filter(|one| !one.became.is_failure()).map(job::delivery_line).collect();
    let is_failure = !done.is_empty() && done.iter().all(|one| one.became.is_failure());
    Ok(Done { counts: counts(numbers), failures, notes, is_failure, again: count(Waits) > 0 && error.is_none(), error })
}

fn write_table(table: &Table, (library, day): (&Library, Date), settings: &Settings) -> Result<Done> {
    let path = job::dated(&table.to.to_string_lossy(), day);
    let vectors = table.vectors.as_ref().map(|path| job::dated(&path.to_string_lossy(), day));
    [Some(&path), vectors.as_ref()].into_iter().flatten().try_for_each(|path| parent(path))?;
    let args = Export { output: Some(path), format: None, vectors };
    export::write(&args, library, settings)?;
    Ok(Done { counts: counts([("exported", library.len()? as usize)]), ..Done::default() })
}

fn into_file(path: &Path, bytes: &[u8]) -> Result<()> {
    parent(path)?;
    export::into_file(path, |out| out.write_all(bytes).map_err(|e| Error::io("cannot write", path, e)))
}

/// Makes the directory of a file.
fn parent(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(|e| Error::io("cannot make", directory, e))
}

fn counts<const N: usize>(numbers: [(&str, usize); N]) -> Map<String, Value> {
    numbers.into_iter().map(|(name, n)| (name.to_owned(), n.into())).collect()
}

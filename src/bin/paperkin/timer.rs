//! `paperkin run --install` and `--uninstall`: a systemd user timer, else a line of crontab.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use paperkin::job::{Plan, Timer, absolute};
use paperkin::{Error, ExitClass, Result};

use crate::args::Run;
use crate::output;
use crate::settings::Settings;

/// What starts a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Systemd,
    Cron,
}

pub(crate) fn install(args: &Run, plan: &Plan, settings: &Settings) -> Result<ExitClass> {
    let number = |text: &str| text.parse().ok().filter(|_| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()));
    let at = args.at.split_once(':').and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)));
    let at = at.filter(|(hour, minute): &(u8, u8)| *hour < 24 && *minute < 60);
    let at = at.ok_or_else(|| Error::usage(format!("no time {:?}; expected HH:MM", args.at)))?;
    let program = std::env::current_exe().map_err(|e| Error::io("cannot find", Path::new("paperkin"), e))?;
    let job = absolute(&args.job);
    let timer = Timer { job: &job, command: command(&absolute(&program), &job, plan, settings)?, at };
    match which(args)? {
        Which::Systemd => {
            let directory = units()?;
            std::fs::create_dir_all(&directory).map_err(|e| Error::io("cannot make", &directory, e))?;
            for (ending, text) in [("service", timer.service()), ("timer", timer.timer())] {
                let path = directory.join(format!("{}.{ending}", timer.unit()));
                std::fs::write(&path, text).map_err(|e| Error::io("cannot write", &path, e))?;
                output::say(settings, &format!("{} is written", path.display()));
            }
            let unit = format!("{}.timer", timer.unit());
            if systemctl(&["daemon-reload"]) && systemctl(&["enable", "--now", &unit]) {
                output::say(
                    settings,
                    &format!("{unit} runs it every day at {} UTC; `loginctl enable-linger` lets it run while you are not logged in", args.at),
                );
            } else {
                output::complain(&format!("note: no systemd of yours answers: `systemctl --user enable --now {unit}` starts it"));
            }
        }
        Which::Cron => {
            set_crontab(&timer.in_crontab(&crontab()?))?;
            output::say(settings, &format!("crontab runs it every day at {}, in this machine's time", args.at));
        }
    }
    Ok(ExitClass::Done)
}

pub(crate) fn uninstall(args: &Run, settings: &Settings) -> Result<ExitClass> {
    let job = absolute(&args.job);
    let timer = Timer { job: &job, command: Vec::new(), at: (0, 0) };
    let mut removed = false;
    if args.timer.as_deref() != Some("cron") {
        let unit = format!("{}.timer", timer.unit());
        let files = ["timer", "service"].map(|ending| Ok(units()?.join(format!("{}.{ending}", timer.unit()))));
        let files = files.into_iter().filter_map(|path: Result<PathBuf>| path.ok()).filter(|path| path.exists()).collect::<Vec<_>>();
        if !files.is_empty() {
            systemctl(&["disable", "--now", &unit]);
            for path in &files {
                std::fs::remove_file(path).map_err(|e| Error::io("cannot remove", path, e))?;
            }
            systemctl(&["daemon-reload"]);
            removed = true;
        }
    }
    if args.timer.as_deref() != Some("systemd")
        && let Ok(before) = crontab()
    {
        let after = timer.not_in_crontab(&before);
        if after != before {
            set_crontab(&after)?;
            removed = true;
        }
    }
    match removed {
        true => output::say(settings, &format!("{job} is run by no timer any more")),
        false => output::say(settings, &format!("no timer runs {job}")),
    }
    Ok(ExitClass::Done)
}

/// What the timer runs: where it does so, neither this directory nor what was typed or set is there.
fn command(program: &str, job: &str, plan: &Plan, settings: &Settings) -> Result<Vec<String>> {
    let typed = &settings.typed;
    let here = || Some(PathBuf::from("paperkin.toml")).filter(|path| path.is_file());
    let model = |model: &String| if Path::new(model).is_dir() { absolute(Path::new(model)) } else { model.clone() };
    let options = [
        ("--library", Some(absolute(&settings.directory()?))),
        ("--config", typed.config.clone().or_else(here).map(|path| absolute(&path))),
        // That of the job's file is read from there.
        ("--model", typed.model.as_ref().filter(|typed| plan.model.as_ref() != Some(*typed)).map(model)),
        ("--device", typed.device.clone()),
        ("--precision", typed.precision.clone()),
        ("--log-format", typed.log_format.clone()),
    ];
    let mut command = vec![program.to_owned(), "run".to_owned(), job.to_owned()];
    for (name, value) in options {
        command.extend(value.filter(|value| !value.is_empty()).into_iter().flat_map(|value| [name.to_owned(), value]));
    }
    command.extend(settings.offline.then(|| "--offline".to_owned()));
    Ok(command)
}

fn which(args: &Run) -> Result<Which> {
    match args.timer.as_deref() {
        Some("systemd") => Ok(Which::Systemd),
        Some("cron") => Ok(Which::Cron),
        Some(other) => Err(Error::usage(format!("no timer {other:?}; expected systemd or cron"))),
        None if systemctl(&["show-environment"]) => Ok(Which::Systemd),
        None if crontab().is_ok() => Ok(Which::Cron),
        None => Err(Error::Usage {
            message: "neither a systemd of yours nor crontab is here".to_owned(),
            hint: Some("`--timer systemd` writes the units all the same; any timer can run `paperkin run JOB.toml`".to_owned()),
        }),
    }
}

/// Where a person's own units are.
fn units() -> Result<PathBuf> {
    let base = dirs::config_dir().ok_or_else(|| Error::usage("no place for the timer: neither HOME nor XDG_CONFIG_HOME is set"))?;
    Ok(base.join("systemd").join("user"))
}

fn systemctl(args: &[&str]) -> bool {
    let ran = Command::new("systemctl").arg("--user").args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

/// The crontab; empty if there is none yet.
fn crontab() -> Result<String> {
    let ran = Command::new("crontab").arg("-l").stdin(Stdio::null()).output().map_err(|e| Error::io("cannot run", Path::new("crontab"), e))?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    match ran.status.success() {
        true => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
        false if said.contains("no crontab") => Ok(String::new()),
        false => Err(Error::usage(format!("crontab -l: {}", said.trim()))),
    }
}

fn set_crontab(text: &str) -> Result<()> {
    let io = |e| Error::io("cannot run", Path::new("crontab"), e);
    let mut child = Command::new("crontab").arg("-").stdin(Stdio::piped()).spawn().map_err(io)?;
    child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(text.as_bytes())).map_err(io)?;
    let status = child.wait().map_err(io)?;
    if status.success() { Ok(()) } else { Err(Error::usage(format!("crontab took no new table ({status})"))) }
}

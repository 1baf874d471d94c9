//! The program: arguments to settings to work, one file a command. It sees only the public interface of the library,
//! and is the only place that prints, reads the clock, looks at the environment and exits.

mod add;
mod args;
mod cluster;
mod digest;
mod eval;
mod export;
mod label;
mod likes;
mod lists;
mod live;
mod model;
mod output;
mod question;
mod recommend;
mod reindex;
mod run;
mod settings;
mod similar;
mod subscribe;
mod timer;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use paperkin::{Error, ExitClass, Result};

use args::{Args, Command};
use settings::Settings;

fn main() -> ExitCode {
    let args = Args::parse();
    let json_errors = args.wants_json();
    let settings = output::set_log_format(args.global.log_format.as_deref()).and_then(|()| Settings::resolve(&args.global));
    match settings.and_then(|settings| run(args.command, &settings)) {
        Ok(class) => ExitCode::from(class as u8),
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error, json_errors);
            ExitCode::from(error.exit_class() as u8)
        }
    }
}

fn run(command: Command, settings: &Settings) -> Result<ExitClass> {
    match command {
        Command::Add(args) => add::run(&args, settings),
        Command::Similar(args) => similar::similar(&args, settings),
        Command::Search(args) => similar::search(&args, settings),
        Command::Recommend(args) => recommend::run(&args, settings),
        Command::Like(args) => likes::rate(&args, 1.0, settings),
        Command::Dislike(args) => likes::rate(&args, -1.0, settings),
        Command::Unlike(args) => likes::unlike(&args, settings),
        Command::Likes(args) => likes::likes(&args, settings),
        Command::Cluster(args) => cluster::run(&args, settings),
        Command::Digest(args) => digest::run(&args, settings),
        Command::Subscribe(args) => subscribe::subscribe(&args, settings),
        Command::Unsubscribe(args) => subscribe::unsubscribe(&args, settings),
        Command::Subscriptions(args) => subscribe::subscriptions(&args, settings),
        Command::Run(args) => run::run(&args, settings),
        Command::Ls(args) => lists::ls(&args, settings),
        Command::Show(args) => lists::show(&args, settings),
        Command::Rm(args) => lists::rm(&args, settings),
        Command::Export(args) => export::run(&args, settings),
        Command::Status(args) => lists::status(&args, settings),
        Command::Verify(args) => lists::verify(&args, settings),
        Command::Eval(args) => eval::run(&args, settings),
        Command::Reindex => reindex::run(settings),
        Command::Model(command) => model::run(&command, settings),
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C and SIGTERM ask for an end at the next commit; a second one ends at once.
fn catch_interrupts() -> Result<()> {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(ExitClass::Interrupted as i32);
        }
    };
    ctrlc::set_handler(handler).map_err(|e| Error::usage(format!("cannot listen for Ctrl-C: {e}")))
}

fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

//! What can be typed of digests, subscriptions and nightly jobs.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{Choice, From, Keywords, Profile};

/// Which papers a digest holds. Every one must hold; of one that is given several times, any, but of --keyword all and of --exclude none.
#[derive(ClapArgs)]
#[command(next_help_heading = "Which papers")]
pub(crate) struct Wanted {
    /// Show at most so many papers, and count the others [default: 30]
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub keywords: Keywords,
    /// What comes first: likeness to what you like, votes and age together, trending, or published
    #[arg(long, value_name = "ORDER", default_value = "likeness", hide_default_value = true)]
    pub sort: String,
    /// Papers that you have seen: hide or mark
    #[arg(long, value_name = "HOW", default_value = "hide", hide_default_value = true)]
    pub seen: String,
}

#[derive(ClapArgs)]
pub(crate) struct Digest {
    /// Of this day: YYYY-MM-DD, today or yesterday [default: the last day with papers]
    #[arg(long, value_name = "DAY", conflicts_with_all = ["week", "month", "days", "since", "new"])]
    pub date: Option<String>,
    /// Of this week, such as 2026-W33
    #[arg(long, value_name = "WEEK", conflicts_with_all = ["month", "days", "since", "new"])]
    pub week: Option<String>,
    /// Of this month, such as 2026-08
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["days", "since", "new"])]
    pub month: Option<String>,
    /// Of the last N days up to today, or up to --until
    #[arg(long, value_name = "N", conflicts_with_all = ["since", "new"])]
    pub days: Option<u32>,
    /// From this day on
    #[arg(long, value_name = "DAY", conflicts_with = "new")]
    pub since: Option<String>,
    /// Up to this day
    #[arg(long, value_name = "DAY", conflicts_with_all = ["date", "week", "month"])]
    pub until: Option<String>,
    /// What no digest before held that was noted with --mark-seen; the first time, of the last day with papers
    #[arg(long)]
    pub new: bool,
    /// Note that you have now seen the papers that are shown
    #[arg(long, conflicts_with = "inputs")]
    pub mark_seen: bool,
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub profile: Profile,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub from: From,
}

/// Where a digest goes.
#[derive(ClapArgs)]
#[command(next_help_heading = "Input and output")]
pub(crate) struct Output {
    /// table, json, markdown, html or atom
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// The same as --format json
    #[arg(long)]
    pub json: bool,
    /// Write one page, readable without scripts and images
    #[arg(long, value_name = "FILE")]
    pub to_html: Option<PathBuf>,
    /// Write Markdown
    #[arg(long, value_name = "FILE")]
    pub to_markdown: Option<PathBuf>,
    /// Write JSON
    #[arg(long, value_name = "FILE")]
    pub to_json: Option<PathBuf>,
    /// Write an Atom feed
    #[arg(long, value_name = "FILE")]
    pub to_atom: Option<PathBuf>,
    /// Write mail to a file
    #[arg(long, value_name = "FILE.eml")]
    pub to_mail: Option<PathBuf>,
    /// Mail it, by the way that [mail] in paperkin.toml says
    #[arg(long = "email", value_name = "ADDRESS")]
    pub emails: Vec<String>,
    /// Mail what subscriptions are due, each once, in place of a digest
    #[arg(long, conflicts_with_all = ["date", "week", "month", "days", "since", "until", "new", "mark_seen", "inputs", "emails", "format", "limit", "categories", "authors", "keywords", "exclude", "sources", "min_upvotes", "sort", "seen", "to_html", "to_markdown", "to_json", "to_atom", "to_mail"])]
    pub deliver: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Subscribe {
    /// Who gets it
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// How often: day or week [default: day]
    #[arg(long, value_name = "HOW", default_value = "day", hide_default_value = true)]
    pub every: String,
    /// When: HH:MM in UTC, or with its distance from UTC, as 07:00+02:00 [default: 07:00]
    #[arg(long, value_name = "TIME", default_value = "07:00", hide_default_value = true)]
    pub at: String,
    /// On which day of the week, if weekly [default: monday]
    #[arg(long, value_name = "DAY")]
    pub on: Option<String>,
    /// Mail even where there is nothing new
    #[arg(long)]
    pub even_if_empty: bool,
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub profile: Profile,
}

#[derive(ClapArgs)]
pub(crate) struct Unsubscribe {
    /// Whose subscriptions end
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// Only that with the likes of this profile
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

#[derive(ClapArgs)]
pub(crate) struct Run {
    /// The job's file
    #[arg(value_name = "JOB.toml")]
    pub job: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["check", "init", "install", "uninstall"])]
    pub dry_run: bool,
    /// Only look whether the file is right
    #[arg(long, conflicts_with_all = ["init", "install", "uninstall"])]
    pub check: bool,
    /// Write a file with comments to begin with
    #[arg(long, conflicts_with_all = ["install", "uninstall"])]
    pub init: bool,
    /// Run it every day: a systemd user timer, else a line of crontab
    #[arg(long, conflicts_with = "uninstall")]
    pub install: bool,
    /// Do not run it every day any more
    #[arg(long)]
    pub uninstall: bool,
    /// With --install, when: HH:MM, of systemd in UTC, of crontab in the machine's own time [default: 03:00]
    #[arg(long, value_name = "TIME", default_value = "03:00", hide_default_value = true)]
    pub at: String,
    /// With --install or --uninstall: systemd or cron, instead of looking
    #[arg(long, value_name = "WHICH")]
    pub timer: Option<String>,
    /// Exit with 3 if no paper was new
    #[arg(long)]
    pub exit_code: bool,
    /// The report as JSON
    #[arg(long)]
    pub json: bool,
}

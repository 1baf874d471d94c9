//! What can be typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// Finds the papers that are kin to the ones you like, on your own machine
#[derive(Parser)]
#[command(name = "paperkin", version, max_term_width = 100, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Settings of every command: a flag, else the environment, else paperkin.toml, else the default.
#[derive(ClapArgs)]
pub(crate) struct Global {
    /// The library's directory [default: in the platform's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "PAPERKIN_LIBRARY", hide_env_values = true)]
    pub library: Option<PathBuf>,
    /// The model: built-in, a sentence-transformers directory, or a hub id such as ORG/NAME[@REVISION]
    #[arg(long, global = true, value_name = "MODEL", env = "PAPERKIN_MODEL", hide_env_values = true)]
    pub model: Option<String>,
    /// Where to compute: auto, cpu, cuda or metal
    #[arg(long, global = true, value_name = "DEVICE", env = "PAPERKIN_DEVICE", hide_env_values = true)]
    pub device: Option<String>,
    /// How to compute: exact (f32), fast (bf16), turbo (int8), or auto, which is turbo: on the built-in model it ranks as exact does
    #[arg(long, global = true, value_name = "PRECISION", env = "PAPERKIN_PRECISION", hide_env_values = true)]
    pub precision: Option<String>,
    /// Never open a connection
    #[arg(long, global = true)]
    pub offline: bool,
    /// Settings from this file [default: paperkin.toml here, else in the platform's configuration directory]
    #[arg(long, global = true, value_name = "FILE", env = "PAPERKIN_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// No progress, notes or reports on standard error; of lists, ids only
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read papers, embed them and keep them
    Add(Add),
    /// Papers like one paper, or like several
    Similar(Similar),
    /// Papers about something
    Search(Search),
    /// List papers
    Ls(Ls),
    /// Show all that is known of papers
    Show(Show),
    /// Remove papers
    Rm(Rm),
    /// Write all papers as JSON lines, and their vectors
    Export(Export),
    /// What the library holds
    Status(JsonOnly),
    /// Check the library
    Verify(Verify),
    /// Embed all papers anew, with --model's model or the built-in one
    Reindex,
    /// Models: what they are, getting and converting them
    #[command(subcommand)]
    Model(Model),
}

#[derive(ClapArgs)]
pub(crate) struct Add {
    /// Files or directories; - is standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// Read as capture, hf or jsonl, instead of looking
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// The digest's day, where an input does not say it: YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub date: Option<String>,
    /// Embed papers without an abstract by their title
    #[arg(long)]
    pub title_only: bool,
    /// The report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Where the papers come from.
#[derive(ClapArgs)]
pub(crate) struct From {
    /// Answer from this file or directory, without keeping a library; may be repeated
    #[arg(long = "in", value_name = "FILE")]
    pub inputs: Vec<PathBuf>,
}

/// How an answer is written.
#[derive(ClapArgs)]
pub(crate) struct Form {
    /// table, json, jsonl, csv, tsv, markdown, bibtex or html
    #[arg(long, value_name = "FORMAT", env = "PAPERKIN_FORMAT", hide_env_values = true)]
    pub format: Option<String>,
    /// The same as --format json
    #[arg(long)]
    pub json: bool,
}

/// What limits an answer.
#[derive(ClapArgs)]
pub(crate) struct Narrow {
    /// At most so many papers [default: 10; of ls, all]
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
    /// Published on this day or later
    #[arg(long, value_name = "DAY")]
    pub since: Option<String>,
    /// Published on this day or earlier
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
}

/// How to look for papers.
#[derive(ClapArgs)]
pub(crate) struct Way {
    /// Compare all (exact), walk the graph of a large library (hnsw), or whichever is faster (auto)
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true)]
    pub search: String,
}

#[derive(ClapArgs)]
pub(crate) struct Similar {
    /// Ids in any form, or unique parts of titles; several are one question
    #[arg(value_name = "ID|TITLE", required_unless_present = "queries", conflicts_with = "queries")]
    pub papers: Vec<String>,
    /// A question a line, an id or a title; - is standard input
    #[arg(long, value_name = "FILE|-")]
    pub queries: Option<PathBuf>,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub way: Way,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub form: Form,
}

#[derive(ClapArgs)]
pub(crate) struct Search {
    /// What the papers shall be about
    #[arg(required = true, value_name = "TEXT")]
    pub text: Vec<String>,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub way: Way,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub form: Form,
}

#[derive(ClapArgs)]
pub(crate) struct Ls {
    /// Those of the digest of this day
    #[arg(long, value_name = "DAY")]
    pub date: Option<String>,
    /// Groups of papers that nearly repeat each other: with a cosine of at least 0.95, or the one given; -n counts groups
    #[arg(long, value_name = "COSINE", num_args = 0..=1, require_equals = true, default_missing_value = "0.95",
        conflicts_with_all = ["date", "since", "until"])]
    pub duplicates: Option<f32>,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub form: Form,
}

#[derive(ClapArgs)]
pub(crate) struct Show {
    /// Ids in any form, or unique parts of titles
    #[arg(required = true, value_name = "ID|TITLE")]
    pub papers: Vec<String>,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub form: Form,
}

#[derive(ClapArgs)]
pub(crate) struct Rm {
    /// Ids in any form, or unique parts of titles
    #[arg(required = true, value_name = "ID|TITLE")]
    pub papers: Vec<String>,
}

#[derive(ClapArgs)]
pub(crate) struct Export {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the vectors as f32 to this .npy file, and the ids of its rows beside it as .ids.txt
    #[arg(long, value_name = "FILE.npy")]
    pub vectors: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub(crate) struct JsonOnly {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(ClapArgs)]
pub(crate) struct Verify {
    /// Also ask for the nearest of some papers, and count what comparing all finds beyond the index
    #[arg(long)]
    pub recall: bool,
    #[command(flatten)]
    pub form: JsonOnly,
}

#[derive(Subcommand)]
pub(crate) enum Model {
    /// What the model is, and the space of its vectors
    Info(JsonOnly),
    /// Get a model from the hub into the hub's cache
    Fetch {
        /// ORG/NAME, perhaps with @REVISION
        #[arg(value_name = "ORG/NAME")]
        model: String,
    },
    /// Write a model with its weights as f16
    Convert {
        /// A sentence-transformers directory
        from: PathBuf,
        /// A directory that does not exist yet
        to: PathBuf,
        /// The model's name [default: the directory's]
        #[arg(long)]
        name: Option<String>,
    },
    /// The models on this machine
    List(JsonOnly),
}

impl Args {
    /// True if errors are to be JSON too.
    pub(crate) fn wants_json(&self) -> bool {
        let form = |form: &Form| form.json || form.format.as_deref() == Some("json");
        match &self.command {
            Command::Add(args) => args.json,
            Command::Similar(args) => form(&args.form),
            Command::Search(args) => form(&args.form),
            Command::Ls(args) => form(&args.form),
            Command::Show(args) => form(&args.form),
            Command::Verify(args) => args.form.json,
            Command::Status(args) | Command::Model(Model::Info(args) | Model::List(args)) => args.json,
            _ => false,
        }
    }
}

//! What can be typed.

mod digest;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

pub(crate) use digest::{Digest, Output, Run, Subscribe, Unsubscribe, Wanted};

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
#[derive(ClapArgs, Clone)]
#[command(next_help_heading = "Of every command")]
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
    /// Messages on standard error as text or json, a line each
    #[arg(long, global = true, value_name = "FORMAT", env = "PAPERKIN_LOG_FORMAT", hide_env_values = true)]
    pub log_format: Option<String>,
    /// No progress, notes or reports on standard error; of lists, ids only
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read papers, embed them and keep them
    Add(Add),
    /// Papers like one paper, or like several and unlike others
    Similar(Similar),
    /// Papers about something
    Search(Search),
    /// Papers for you: like those that you like, without those that you know
    Recommend(Recommend),
    /// Note that you like papers
    Like(Rate),
    /// Note that you dislike papers
    Dislike(Rate),
    /// Forget what you think of papers
    Unlike(Unlike),
    /// The papers that you like and dislike
    Likes(Likes),
    /// Sort papers into named topics
    Cluster(Cluster),
    /// What a day, a week or a month brought, as topics, the most interesting first
    Digest(Box<Digest>),
    /// Mail digests to an address
    Subscribe(Box<Subscribe>),
    /// Mail no more digests to an address
    Unsubscribe(Unsubscribe),
    /// Who gets digests, and when the next is due
    Subscriptions(JsonOnly),
    /// Do a night's work: sources, topics, digests, mail, exports
    Run(Run),
    /// List papers
    Ls(Ls),
    /// Show all that is known of papers
    Show(Show),
    /// Remove papers
    Rm(Rm),
    /// Write all papers, in forms that add reads back, and their vectors
    Export(Export),
    /// What the library holds
    Status(JsonOnly),
    /// Check the library
    Verify(Verify),
    /// Measure how well papers are found that ought to be, such as the citations of each paper
    Eval(Eval),
    /// Embed all papers anew, with --model's model or the built-in one
    Reindex,
    /// Models: what they are, getting and converting them
    #[command(subcommand)]
    Model(Model),
}

#[derive(ClapArgs)]
pub(crate) struct Add {
    /// Files, directories or archives; - is standard input. Or addresses: hf:today, arxiv:cs.LG+stat.ML, oai:cs, s2:WORDS, openalex:WORDS, feed:URL, doi:ID, URL
    #[arg(required = true, value_name = "FILE|DIR|-|ADDRESS")]
    pub inputs: Vec<PathBuf>,
    /// Read as capture, hf, jsonl, feed, oai, html, csv, bibtex, ris, s2, openalex, crossref or parquet, instead of looking
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Which columns of a table hold what, where their names do not tell: title=Name,abstract=Text or by number, title=2
    #[arg(long, value_name = "FIELD=COLUMN", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// The digest's day, where an input does not say it: YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub date: Option<String>,
    /// Read at most so many records
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// Embed papers without an abstract by their title
    #[arg(long)]
    pub title_only: bool,
    /// Embed nothing now; `reindex` does it later, and so does adding the same again
    #[arg(long, conflicts_with = "title_only")]
    pub no_embed: bool,
    /// The report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Where the papers come from.
#[derive(ClapArgs)]
#[command(next_help_heading = "Input and output")]
pub(crate) struct From {
    /// Answer from this file or directory, without keeping a library; may be repeated
    #[arg(long = "in", value_name = "FILE")]
    pub inputs: Vec<PathBuf>,
}

/// How an answer is written.
#[derive(ClapArgs)]
#[command(next_help_heading = "Input and output")]
pub(crate) struct Form {
    /// table, json, jsonl, csv, tsv, markdown, bibtex or html
    #[arg(long, value_name = "FORMAT", env = "PAPERKIN_FORMAT", hide_env_values = true)]
    pub format: Option<String>,
    /// The same as --format json
    #[arg(long)]
    pub json: bool,
}

/// Which papers. Every one must hold; of one that is given several times, any, but of --keyword all and of --exclude none.
#[derive(ClapArgs)]
#[command(next_help_heading = "Which papers")]
pub(crate) struct Narrow {
    /// At most so many papers [default: 10; of ls, all; of cluster, 5 of each topic]
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
    /// Published on this day or later; of cluster, in the digest of this day or a later one
    #[arg(long, value_name = "DAY")]
    pub since: Option<String>,
    /// Published on this day or earlier; of cluster, in the digest of this day or an earlier one
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    #[command(flatten)]
    pub choice: Choice,
}

/// Which papers, whatever their day.
#[derive(ClapArgs)]
#[command(next_help_heading = "Which papers")]
pub(crate) struct Choice {
    /// In this category, such as cs.LG, or in this archive, such as cs
    #[arg(long = "category", alias = "categories", value_name = "CATEGORY", value_delimiter = ',')]
    pub categories: Vec<String>,
    /// By this author; a last name is enough
    #[arg(long = "author", value_name = "NAME")]
    pub authors: Vec<String>,
    /// Without this word or phrase in the title or abstract
    #[arg(long, value_name = "WORDS")]
    pub exclude: Vec<String>,
    /// Told of by this source: a format, such as hf, or a file's name
    #[arg(long = "source", value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// With at least so many votes
    #[arg(long, value_name = "N")]
    pub min_upvotes: Option<u32>,
}

/// Words that must be there. Of `search`, quoted words in the query do the same.
#[derive(ClapArgs)]
#[command(next_help_heading = "Which papers")]
pub(crate) struct Keywords {
    /// With this word or phrase in the title or abstract
    #[arg(long = "keyword", value_name = "WORDS")]
    pub keywords: Vec<String>,
}

/// What the order of an answer depends on.
#[derive(ClapArgs)]
#[command(next_help_heading = "Their order")]
pub(crate) struct Order {
    /// How much words count beside meaning, from 0 to 1 [default: 0.65; of search, 0.5]
    #[arg(long, value_name = "SHARE")]
    pub blend: Option<f32>,
    /// Papers unlike each other, from 0, off, to 1 [without a value: 0.3]
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "0.3")]
    pub diversity: Option<f32>,
    /// Newer papers first; the value is the age in days that counts half [without a value: 30]
    #[arg(long, value_name = "DAYS", num_args = 0..=1, require_equals = true, default_missing_value = "30")]
    pub recent: Option<f32>,
    /// Papers with votes first, from 0, off, to 1 [without a value: 1]
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub popular: Option<f32>,
    #[command(flatten)]
    pub way: Way,
}

/// What was seen, and by whom.
#[derive(ClapArgs)]
#[command(next_help_heading = "What you have seen")]
pub(crate) struct Seen {
    /// Leave out what you have seen: ever, or in the last days, as 7d [without a value: ever]
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "ever")]
    pub unseen: Option<String>,
    /// Note that you have now seen this answer
    #[arg(long)]
    pub mark_seen: bool,
    #[command(flatten)]
    pub profile: Profile,
}

/// A variable that is set to nothing is not set.
fn profile_name(typed: &str) -> Result<String, std::convert::Infallible> {
    Ok(if typed.trim().is_empty() { paperkin::library::PROFILE.to_owned() } else { typed.to_owned() })
}

/// Whose likes.
#[derive(ClapArgs)]
pub(crate) struct Profile {
    /// Whose likes, and what was seen by whom; any name makes a profile
    #[arg(long, value_name = "NAME", env = "PAPERKIN_PROFILE", hide_env_values = true, default_value = "default", hide_default_value = true, value_parser = profile_name)]
    pub profile: String,
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
    /// Ids in any form, or unique parts of titles, each perhaps with a weight: ID:2; several are one question. One that the library lacks is fetched if it is an address, as arxiv:ID or a link
    #[arg(value_name = "ID|TITLE|ADDRESS", conflicts_with = "queries")]
    pub papers: Vec<String>,
    /// Keep the papers that were fetched
    #[arg(long, conflicts_with_all = ["queries", "inputs"])]
    pub keep: bool,
    /// Unlike this paper; perhaps with a weight, as ID:0.5
    #[arg(long = "dislike", value_name = "ID|TITLE")]
    pub dislikes: Vec<String>,
    /// Like this text, such as a sentence or a pasted abstract; - is standard input
    #[arg(long, value_name = "TEXT")]
    pub text: Vec<String>,
    /// Like the papers of this file, in any form that add reads, or like its text
    #[arg(long = "like-file", value_name = "FILE")]
    pub like_file: Vec<PathBuf>,
    /// How several count together: auto, average, best or sum
    #[arg(long, value_name = "STRATEGY", default_value = "auto", hide_default_value = true)]
    pub strategy: String,
    /// A question a line, an id or a title; - is standard input
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["dislikes", "text", "like_file", "mark_seen"])]
    pub queries: Option<PathBuf>,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub keywords: Keywords,
    #[command(flatten)]
    pub order: Order,
    #[command(flatten)]
    pub seen: Seen,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub form: Form,
}

#[derive(ClapArgs)]
pub(crate) struct Search {
    /// What the papers shall be about, quoted for the shell; in it, ti: abs: au: cat: id: -word and "a phrase" narrow the answer
    #[arg(required = true, value_name = "TEXT")]
    pub text: Vec<String>,
    /// By words alone, as --blend 1
    #[arg(long, conflicts_with_all = ["semantic", "blend"])]
    pub keyword: bool,
    /// By meaning alone, as --blend 0
    #[arg(long, conflicts_with = "blend")]
    pub semantic: bool,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub order: Order,
    #[command(flatten)]
    pub seen: Seen,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub form: Form,
}

#[derive(ClapArgs)]
pub(crate) struct Recommend {
    /// Likes and dislikes from this file in place of a profile: the body of Semantic Scholar's recommendations call; - is standard input
    #[arg(long, value_name = "FILE|-")]
    pub from_json: Option<PathBuf>,
    /// How several count together: auto, average, best or sum
    #[arg(long, value_name = "STRATEGY", default_value = "auto", hide_default_value = true)]
    pub strategy: String,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub keywords: Keywords,
    #[command(flatten)]
    pub order: Order,
    #[command(flatten)]
    pub seen: Seen,
    #[command(flatten)]
    pub form: Form,
}

#[derive(ClapArgs)]
pub(crate) struct Rate {
    /// Ids in any form, or unique parts of titles, each perhaps with a weight: ID:2
    #[arg(required = true, value_name = "ID|TITLE")]
    pub papers: Vec<String>,
    #[command(flatten)]
    pub profile: Profile,
}

#[derive(ClapArgs)]
pub(crate) struct Unlike {
    /// Ids in any form, or unique parts of titles
    #[arg(required = true, value_name = "ID|TITLE")]
    pub papers: Vec<String>,
    #[command(flatten)]
    pub profile: Profile,
}

#[derive(ClapArgs)]
pub(crate) struct Likes {
    /// Write them to this file, as JSON lines that --import reads; - is standard output
    #[arg(long, value_name = "FILE|-", conflicts_with = "import")]
    pub export: Option<PathBuf>,
    /// Take them from such a file; - is standard input
    #[arg(long, value_name = "FILE|-")]
    pub import: Option<PathBuf>,
    #[command(flatten)]
    pub profile: Profile,
    #[command(flatten)]
    pub form: JsonOnly,
}

#[derive(ClapArgs)]
pub(crate) struct Eval {
    /// Lines of two ids with a tab between them: a paper, and one that it cites; or qrels of TREC: paper 0 other relevance
    #[arg(long, value_name = "FILE")]
    pub citations: PathBuf,
    /// Ask as people with a profile do: half of a paper's citations are liked, and the other half is to be found
    #[arg(long)]
    pub profiles: bool,
    /// How several count together: auto, average, best or sum
    #[arg(long, value_name = "STRATEGY", default_value = "auto", hide_default_value = true)]
    pub strategy: String,
    #[command(flatten)]
    pub order: Order,
    #[command(flatten)]
    pub form: JsonOnly,
}

#[derive(ClapArgs)]
pub(crate) struct Cluster {
    /// Those of the digest of this day
    #[arg(long, value_name = "DAY", conflicts_with_all = ["since", "until"])]
    pub date: Option<String>,
    /// Topics of each day, and how they go on from day to day
    #[arg(long, value_name = "day", value_parser = ["day"], hide_possible_values = true, conflicts_with_all = ["date", "query", "map"])]
    pub by: Option<String>,
    /// The 500 papers nearest to this text
    #[arg(long, value_name = "TEXT", conflicts_with = "keep")]
    pub query: Option<String>,
    /// How fine topics are: coarse, medium or fine
    #[arg(long, value_name = "HOW", default_value = "medium", hide_default_value = true, conflicts_with = "topics")]
    pub granularity: String,
    /// As many topics as this, or as near to it as the papers allow
    #[arg(long, value_name = "N")]
    pub topics: Option<usize>,
    /// Also draw a map to look around in, as FILE.html, or as a picture, FILE.svg
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Keep the topics of the day, or of each day, so that those of later days go on with them
    #[arg(long, conflicts_with = "inputs")]
    pub keep: bool,
    /// Name topics by this command: it gets them as JSON, and answers with JSON, as {"1": "a name"}
    #[arg(long, value_name = "COMMAND")]
    pub label_with: Option<String>,
    /// The largest share of papers that may be in no topic
    #[arg(long, value_name = "SHARE", default_value = "10%")]
    pub max_leftover: String,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub keywords: Keywords,
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
        conflicts_with_all = ["date", "since", "until", "categories", "authors", "exclude", "sources", "min_upvotes", "keywords"])]
    pub duplicates: Option<f32>,
    #[command(flatten)]
    pub narrow: Narrow,
    #[command(flatten)]
    pub keywords: Keywords,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub form: Form,
}

#[derive(ClapArgs)]
pub(crate) struct Show {
    /// Ids in any form, or unique parts of titles
    #[arg(required_unless_present = "topic", value_name = "ID|TITLE")]
    pub papers: Vec<String>,
    /// A topic that `cluster --keep` kept, by its number: its days and all of its papers
    #[arg(long, value_name = "ID", conflicts_with_all = ["papers", "inputs"])]
    pub topic: Option<i64>,
    /// Also from which source each thing is that is known of it
    #[arg(long, conflicts_with = "topic")]
    pub provenance: bool,
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
    /// jsonl, csv, bibtex, ris or, with vectors, parquet [default: that of the file's name, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
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
            Command::Recommend(args) => form(&args.form),
            Command::Likes(args) => args.form.json,
            Command::Eval(args) => args.form.json,
            Command::Cluster(args) => form(&args.form),
            Command::Digest(args) => args.output.json || args.output.format.as_deref() == Some("json"),
            Command::Run(args) => args.json,
            Command::Subscriptions(args) => args.json,
            Command::Ls(args) => form(&args.form),
            Command::Show(args) => form(&args.form),
            Command::Verify(args) => args.form.json,
            Command::Status(args) | Command::Model(Model::Info(args) | Model::List(args)) => args.json,
            _ => false,
        }
    }
}

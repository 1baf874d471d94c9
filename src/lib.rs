//! paperkin finds the papers that are kin to the ones you like, on your own machine.
//!
//! Data flows one way:
//!
//! ```text
//! bytes ─ source ─▶ Paper ─ embed ─▶ vectors ─ library ─▶ recommend, topics ─ digest ─ render ─▶ text, pages, mail
//!                                      (SQLite)   index
//! ```
//!
//! | room | owns | may use |
//! |---|---|---|
//! | [`paper`] | `Paper`, `PaperId`, dates, the normal form of a title, what is embedded | – |
//! | [`vector`] | `Vectors` (row-major matrix), `RowId`, `Space` (what made a vector) | – |
//! | [`phrase`] | words, stems, stop words, how words are used, shared phrases | – |
//! | [`likeness`] | how alike two papers are, in meaning and in words | vector, phrase |
//! | [`error`] | one `Error`, with a hint and an exit class | – |
//! | [`kernel`] | the processor's instructions: products, attention, mapped bytes, all `unsafe` | error |
//! | [`source`] | bytes → papers: detection, one file per format, text cleaning | paper, error |
//! | [`remote`] | polite HTTP: addresses such as `hf:today` to pages of bytes; a model into the hub's cache | error |
//! | [`embed`] | texts → vectors: model directory, tokens, the packed encoder, Candle's own models, pooling | vector, kernel, error |
//! | [`index`] | vectors → nearest rows: codes, the exact scan, the graph, its file | vector, kernel, error |
//! | [`library`] | the store; the only room that names its files | paper, vector, index, error |
//! | [`ingest`] | source → embedder → library; progress by callback | paper, vector, source, embed, library, error |
//! | [`recommend`] | queries, their answers and the reasons for them | paper, vector, phrase, likeness, embed, index, library, error |
//! | [`topics`] | papers to named topics, topics over days, 2-D map | paper, vector, phrase, likeness, index, library, error |
//! | [`digest`] | what some days brought: topics and papers, ranked for a reader | paper, library, recommend, topics, error |
//! | [`deliver`] | mail: the message, and SMTP, sendmail or a directory | error |
//! | [`render`] | values in, text out: table, JSON, CSV, Markdown, BibTeX, HTML, map, Atom, mail | paper, vector, error, library, ingest, recommend, topics, digest |
//! | [`job`] | a night's work: steps, resume, report, mail once, timers | paper, library, topics, digest, deliver, render, error |
//!
//! `tests/it/house.rs` holds the same table and fails on any other arrow.
//!
//! What holds everywhere: a source never embeds; `embed` never sees a `Paper` and never opens a
//! connection; `index` never sees a path or a paper; `render` never computes; computing an answer
//! never writes; what was shown or told is noted by a second call. Only the program in `src/bin` prints, reads the clock or exits. `unsafe` is in
//! `kernel` only.

pub mod deliver;
pub mod digest;
pub mod embed;
pub mod error;
pub mod index;
pub mod ingest;
pub mod job;
#[allow(unsafe_code)]
pub mod kernel;
pub mod library;
pub mod likeness;
pub mod paper;
pub mod phrase;
pub mod recommend;
#[cfg(feature = "remote")]
pub mod remote;
pub mod render;
pub mod source;
pub mod topics;
pub mod vector;

pub use error::{Error, ExitClass, Result};

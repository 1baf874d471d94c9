//! The JSON files of a sentence-transformers directory: which modules there are, how they pool, how long a text may be,
//! what is put before it.
//!
//! What paperkin cannot run is refused by name: vectors that are wrong without a word are worse than none.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

use super::Role;
use super::model::Files;
use super::pooling::Pooling;
use crate::error::{Error, Result};

/// What the modules say.
#[derive(Debug, Clone)]
pub(super) struct Modules {
    /// The folder of the transformer, mostly the directory itself: empty, or ending with `/`.
    pub folder: String,
    pub pooling: Pooling,
    /// Where the model says it: in `sentence_bert_config.json`, since sentence-transformers 6 in `tokenizer_config.json`.
    pub max_tokens: Option<usize>,
    pub lower_case: bool,
    pub prompts: Prompts,
}

/// What is put before a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Prompts {
    pub document: String,
    pub query: String,
}

impl Prompts {
    pub(super) fn of(&self, role: Role) -> &str {
        match role {
            Role::Document => &self.document,
            Role::Query => &self.query,
        }
    }
}

pub(super) const MODULES: &str = "modules.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const CONFIG: &str = "config.json";
const LENGTH: &str = "sentence_bert_config.json";
const TOKENIZER_SETTINGS: &str = "tokenizer_config.json";
const PROMPTS: &str = "config_sentence_transformers.json";

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: String,
}

/// The files of a model: those it must have, and those it may have.
///
/// `modules_json` is the content of its `modules.json`.
///
/// # Errors
///
/// [`Error::ModelDamaged`] if that is not valid, or names a folder outside the model.
pub fn model_files(model: &str, modules_json: &[u8]) -> Result<(Vec<String>, Vec<String>)> {
    let modules = parse_modules(model, modules_json)?;
    let mut needed = vec![MODULES.to_owned()];
    let mut optional = vec![PROMPTS.to_owned()];
    for module in &modules {
        let folder = folder(module);
        match kind(module) {
            "Transformer" => {
                needed.extend([CONFIG, TOKENIZER, WEIGHTS].map(|name| format!("{folder}{name}")));
                optional.extend([LENGTH, TOKENIZER_SETTINGS].map(|name| format!("{folder}{name}")));
            }
            "Pooling" => needed.push(format!("{folder}{CONFIG}")),
            _ => {}
        }
    }
    Ok((needed, optional))
}

fn parse_modules(model: &str, json: &[u8]) -> Result<Vec<Module>> {
    let modules: Vec<Module> = parse(model, MODULES, json)?;
    // The path comes from a file of others, and becomes part of a path on this machine.
    let is_inside = |path: &str| path.is_empty() || path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':']));
    match modules.iter().find(|module| !is_inside(&module.path)) {
        Some(module) => Err(damaged(model, format!("{MODULES} names a folder outside the model: {:?}", module.path))),
        None => Ok(modules),
    }
}

fn kind(module: &Module) -> &str {
    module.kind.rsplit('.').next().unwrap_or_default()
}

fn folder(module: &Module) -> String {
    if module.path.is_empty() { String::new() } else { format!("{}/", module.path) }
}

pub(super) fn read(model: &str, files: &Files) -> Result<Modules> {
    let json = files.read(MODULES)?.ok_or_else(|| Error::ModelUnsupported {
        model: model.to_owned(),
        what: format!("it has no {MODULES}, so that it is not a sentence-transformers model"),
    })?;
    let modules = parse_modules(model, &json)?;
    let kinds: Vec<&str> = modules.iter().map(kind).collect();
    let unsupported = |what: String| Error::ModelUnsupported { model: model.to_owned(), what };
    if let Some(other) = kinds.iter().find(|kind| !matches!(**kind, "Transformer" | "Pooling" | "Normalize")) {
        return Err(unsupported(format!("it has a module {other}; paperkin knows Transformer, Pooling and Normalize")));
    }
    let [transformer, pooling, ..] = modules.as_slice() else {
        return Err(unsupported(format!("expected a Transformer and a Pooling module, got {kinds:?}")));
    };
    if kinds[..2] != ["Transformer", "Pooling"] || kinds[2..].iter().any(|kind| *kind != "Normalize") {
        return Err(unsupported(format!("expected the modules Transformer, Pooling, Normalize in this order, got {kinds:?}")));
    }
    let folder_of_transformer = folder(transformer);
    let length: Length = optional(model, files, &format!("{folder_of_transformer}{LENGTH}"))?;
    let settings: TokenizerSettings = optional(model, files, &format!("{folder_of_transformer}{TOKENIZER_SETTINGS}"))?;
    let prompts = prompts(optional(model, files, PROMPTS)?);
    let pooling = read_pooling(model, files, &format!("{}{CONFIG}", folder(pooling)), &prompts)?;
    Ok(Modules {
        folder: folder_of_transformer,
        pooling,
        max_tokens: length.max_seq_length.or(settings.max_tokens()),
        lower_case: length.do_lower_case.unwrap_or(false),
        prompts,
    })
}

#[derive(Deserialize, Default)]
struct Length {
    max_seq_length: Option<usize>,
    do_lower_case: Option<bool>,
}

#[derive(Deserialize, Default)]
struct TokenizerSettings {
    model_max_length: Option<f64>,
}

impl TokenizerSettings {
    /// "Without limit" is written as 1e30.
    fn max_tokens(&self) -> Option<usize> {
        self.model_max_length.filter(|&n| (1.0..=1e6).contains(&n)).map(|n| n as usize)
    }
}

#[derive(Deserialize, Default)]
struct PromptsFile {
    prompts: Option<BTreeMap<String, String>>,
    default_prompt_name: Option<String>,
}

/// The names that sentence-transformers' `encode_document` and `encode_query` look for, else the default prompt.
fn prompts(file: PromptsFile) -> Prompts {
    let named = file.prompts.unwrap_or_default();
    let default = file.default_prompt_name.as_ref().and_then(|name| named.get(name));
    let first = |names: &[&str]| names.iter().find_map(|name| named.get(*name)).or(default).cloned().unwrap_or_default();
    Prompts { document: first(&["document", "passage", "corpus"]), query: first(&["query"]) }
}

fn read_pooling(model: &str, files: &Files, name: &str, prompts: &Prompts) -> Result<Pooling> {
    let json = files.read(name)?.ok_or_else(|| damaged(model, format!("it has no {name}")))?;
    let config: BTreeMap<String, serde_json::Value> = parse(model, name, &json)?;
    let unsupported = |what: String| Error::ModelUnsupported { model: model.to_owned(), what };
    // Older files switch modes on one by one, newer ones name the mode.
    let named = config.get("pooling_mode").and_then(|mode| mode.as_str()).map(str::to_owned);
    let switched = config.iter().filter(|(_, on)| on.as_bool() == Some(true)).filter_map(|(key, _)| key.strip_prefix("pooling_mode_"));
    let modes: Vec<String> = named.into_iter().chain(switched.map(str::to_owned)).collect();
    let pooling = match modes.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mean" | "mean_tokens"] => Pooling::Mean,
        ["cls" | "cls_token"] => Pooling::Cls,
        ["max" | "max_tokens"] => Pooling::Max,
        ["mean_sqrt_len_tokens" | "mean_sqrt_len"] => Pooling::MeanSqrtLen,
        other => return Err(unsupported(format!("pooling {other:?}; paperkin knows mean, cls, max and mean_sqrt_len, one at a time"))),
    };
    let leaves_prompt_out = config.get("include_prompt").and_then(serde_json::Value::as_bool) == Some(false);
    if leaves_prompt_out && !(prompts.document.is_empty() && prompts.query.is_empty()) {
        return Err(unsupported("pooling without the prompt's tokens (include_prompt false)".to_owned()));
    }
    Ok(pooling)
}

pub(super) fn parse<T: DeserializeOwned>(model: &str, name: &str, json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|e| damaged(model, format!("{name}: {e}")))
}

fn optional<T: DeserializeOwned + Default>(model: &str, files: &Files, name: &str) -> Result<T> {
    files.read(name)?.map_or_else(|| Ok(T::default()), |json| parse(model, name, &json))
}

pub(super) fn damaged(model: &str, what: String) -> Error {
    Error::ModelDamaged { model: model.to_owned(), what }
}

//! A model's files, read and checked, and the [`Space`] that follows from them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokenizers::{PostProcessor, Tokenizer, TruncationParams};

use super::compute::CANDLE;
use super::config::{self, Config};
use super::modules::{self, CONFIG, Modules, TOKENIZER, WEIGHTS, damaged};
use super::pooling::Pooling;
use super::{Compute, Precision};
use crate::error::{Error, Result};
use crate::vector::{Space, TEXT_TEMPLATE};

/// A model that can be run: its files read, nothing computed yet.
pub struct Model {
    files: Files,
    space: Space,
    config: Config,
    modules: Modules,
    tokenizer: Vec<u8>,
    weights: Cow<'static, [u8]>,
}

/// Where a model's files are.
#[derive(Debug, Clone)]
pub(super) enum Files {
    #[cfg(feature = "embedded-model")]
    BuiltIn,
    Directory(PathBuf),
}

/// What paperkin's own conversion writes beside a model: its name and where it comes from.
#[derive(Deserialize)]
struct Origin {
    model: String,
    revision: Option<String>,
}

/// See [`super::convert`].
pub(super) const ORIGIN: &str = "origin.json";

impl Model {
    /// The model inside the binary, all-MiniLM-L6-v2 as f16.
    ///
    /// # Errors
    ///
    /// [`Error::ModelNotFound`] in a build without the feature `embedded-model`.
    pub fn built_in() -> Result<Self> {
        #[cfg(feature = "embedded-model")]
        return Self::read(Files::BuiltIn, "built-in", None);
        #[cfg(not(feature = "embedded-model"))]
        Err(Error::ModelNotFound {
            model: "sentence-transformers/all-MiniLM-L6-v2".to_owned(),
            looked: vec!["the binary".to_owned()],
            why: "as this paperkin was built without its model".to_owned(),
        })
    }

    /// A sentence-transformers directory; `name` and `revision` if the caller knows better than its files.
    ///
    /// # Errors
    ///
    /// [`Error::ModelUnsupported`] names what paperkin cannot run, [`Error::ModelDamaged`] what is missing or broken.
    pub fn from_directory(directory: &Path, name: Option<&str>, revision: Option<&str>) -> Result<Self> {
        let canonical = directory.canonicalize().map_err(|e| Error::io("cannot open the model", directory, e))?;
        let folder = canonical.file_name().map_or_else(|| canonical.to_string_lossy(), |name| name.to_string_lossy()).into_owned();
        Self::read(Files::Directory(canonical), name.unwrap_or(&folder), revision)
    }

    fn read(files: Files, fallback_name: &str, revision: Option<&str>) -> Result<Self> {
        let origin: Option<Origin> = files.read(ORIGIN)?.map(|json| modules::parse(fallback_name, ORIGIN, &json)).transpose()?;
        let name = origin.as_ref().map_or(fallback_name, |origin| &origin.model);
        if name.chars().any(char::is_control) || revision.is_some_and(|r| r.chars().any(char::is_control)) {
            return Err(damaged(fallback_name, format!("{ORIGIN}: the name is not text for a person")));
        }
        let revision = revision.map(str::to_owned).or_else(|| origin.as_ref().and_then(|origin| origin.revision.clone()));
        let modules = modules::read(name, &files)?;
        let need = |file: &str| {
            let path = format!("{}{file}", modules.folder);
            files.read(&path)?.ok_or_else(|| damaged(name, format!("it has no {path}{}", files.instead_of_weights(file))))
        };
        let config_json = need(CONFIG)?;
        let config = config::read(name, &config_json)?;
        let tokenizer = need(TOKENIZER)?.into_owned();
        let weights = need(WEIGHTS)?;
        let max_tokens = modules.max_tokens.unwrap_or(config.positions).min(config.positions);
        let space = Space {
            model: name.to_owned(),
            revision,
            weights_sha256: files.weights_sha256(&weights),
            tokenizer_sha256: sha256(&tokenizer),
            config_sha256: sha256(&config_json),
            pooling: modules.pooling.name().to_owned(),
            prompt: modules.prompts.document.clone(),
            max_tokens,
            text_template: TEXT_TEMPLATE.to_owned(),
            dim: config.hidden,
            precision: Precision::Exact.name().to_owned(),
            device: "cpu".to_owned(),
            path: CANDLE.to_owned(),
        };
        Ok(Self { files, space, config, modules, tokenizer, weights })
    }

    /// The space of its vectors.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The directory it was read from; `None` for the one inside the binary.
    pub fn directory(&self) -> Option<&Path> {
        match &self.files {
            Files::Directory(path) => Some(path),
            #[cfg(feature = "embedded-model")]
            Files::BuiltIn => None,
        }
    }

    /// Layers of the transformer.
    pub fn layers(&self) -> usize {
        self.config.layers
    }

    /// Bytes of the weights' file.
    pub fn weights_len(&self) -> usize {
        self.weights.len()
    }

    /// What is put before a question.
    pub fn query_prompt(&self) -> &str {
        &self.modules.prompts.query
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn weights(&self) -> &Cow<'static, [u8]> {
        &self.weights
    }

    pub(super) fn pooling(&self) -> Pooling {
        self.modules.pooling
    }

    /// The space of its vectors as they are computed on a processor; on a GPU only the embedder knows.
    pub fn space_with(&self, compute: &Compute) -> Space {
        let mut space = self.space.clone();
        if self.is_packed() {
            let instructions = compute.instructions();
            let (precision, _) = compute.precision.resolve(instructions);
            (space.precision, space.path) = (precision.name().to_owned(), instructions.name().to_owned());
        }
        space
    }

    /// True if the packed encoder runs it on a processor.
    pub(super) fn is_packed(&self) -> bool {
        self.config.architecture.is_packed()
    }

    /// What a person should know before it runs, in a line.
    pub fn note(&self, compute: &Compute) -> Option<String> {
        let (precision, instructions) = (compute.precision, compute.instructions());
        if !self.is_packed() {
            let kind = format!("{:?}", self.config.architecture);
            return Some(format!("{} is a {kind}, which Candle runs, in f32, and not paperkin's own, faster encoder", self.space.name()));
        }
        let is_missing = precision == Precision::Fast && precision.resolve(instructions).0 != precision;
        is_missing.then(|| format!("there is no bf16 with this processor's {}: fast is computed as exact, in f32", instructions.name()))
    }

    pub(super) fn into_modules(self) -> Modules {
        self.modules
    }

    /// The tokenizer, which cuts at the model's length and pads nothing, whatever its file says.
    pub(super) fn tokenizer(&self) -> Result<Tokenizer> {
        let wrong = |what: String| damaged(&self.space.name(), format!("{TOKENIZER}: {what}"));
        let mut tokenizer = Tokenizer::from_bytes(&self.tokenizer).map_err(|e| wrong(e.to_string()))?;
        let truncation = TruncationParams { max_length: self.space.max_tokens, ..TruncationParams::default() };
        let added = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if self.space.max_tokens <= added {
            return Err(wrong(format!("it adds {added} tokens to each text, and the model takes {} in all", self.space.max_tokens)));
        }
        tokenizer.with_truncation(Some(truncation)).map_err(|e| wrong(e.to_string()))?;
        tokenizer.with_padding(None);
        let ids = tokenizer.get_vocab_size(true);
        if ids > self.config.vocabulary {
            return Err(wrong(format!("it has {ids} tokens, the model has {}", self.config.vocabulary)));
        }
        Ok(tokenizer)
    }
}

impl Files {
    /// A file's content; `None` where there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        match self {
            #[cfg(feature = "embedded-model")]
            Self::BuiltIn => Ok(built_in::file(name).map(Cow::Borrowed)),
            Self::Directory(directory) => {
                let path = directory.join(name);
                match std::fs::read(&path) {
                    Ok(bytes) => Ok(Some(Cow::Owned(bytes))),
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(e) => Err(Error::io("cannot read", &path, e)),
                }
            }
        }
    }

    /// The built-in model's hash is known when paperkin is built, which saves each start from computing it.
    fn weights_sha256(&self, weights: &[u8]) -> String {
        match self {
            #[cfg(feature = "embedded-model")]
            Self::BuiltIn => built_in::weights_sha256().to_owned(),
            Self::Directory(_) => sha256(weights),
        }
    }

    /// Models of old times have their weights in other formats only.
    fn instead_of_weights(&self, missing: &str) -> &'static str {
        match self {
            Self::Directory(path) if missing == WEIGHTS && path.join("pytorch_model.bin").exists() => {
                " (its pytorch_model.bin can run code when it is read; paperkin reads safetensors only)"
            }
            Self::Directory(path) if missing == WEIGHTS && path.join("model.safetensors.index.json").exists() => {
                " (its weights are in several files, which paperkin does not read)"
            }
            _ => "",
        }
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The files in `models/all-MiniLM-L6-v2`, inside the binary.
#[cfg(feature = "embedded-model")]
mod built_in {
    macro_rules! model_file {
        ($name:literal) => {
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/all-MiniLM-L6-v2/", $name)).as_slice()
        };
    }

    pub(super) fn file(name: &str) -> Option<&'static [u8]> {
        Some(match name {
            "model.safetensors" => model_file!("model.safetensors"),
            "tokenizer.json" => model_file!("tokenizer.json"),
            "config.json" => model_file!("config.json"),
            "modules.json" => model_file!("modules.json"),
            "sentence_bert_config.json" => model_file!("sentence_bert_config.json"),
            "config_sentence_transformers.json" => model_file!("config_sentence_transformers.json"),
            "1_Pooling/config.json" => model_file!("1_Pooling/config.json"),
            "origin.json" => model_file!("origin.json"),
            _ => return None,
        })
    }

    /// From the list of hashes beside the weights.
    pub(super) fn weights_sha256() -> &'static str {
        let sums = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/all-MiniLM-L6-v2/SHA256SUMS"));
        sums.lines().find_map(|line| line.strip_suffix("  model.safetensors")).expect("SHA256SUMS names the weights")
    }

    #[cfg(test)]
    mod tests {
        use super::super::sha256;

        #[test]
        fn the_list_of_hashes_is_true() {
            let sums = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/all-MiniLM-L6-v2/SHA256SUMS"));
            for line in sums.lines() {
                let (sum, name) = line.split_once("  ").unwrap();
                assert_eq!(super::file(name).map(sha256).as_deref(), Some(sum), "{name}");
            }
        }
    }
}

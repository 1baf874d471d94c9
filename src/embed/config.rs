//! The transformer's `config.json`: which architecture it is, its sizes, and whether paperkin can run it.

use candle_transformers::models::bert::HiddenAct;
use serde_json::Value;

use super::modules::{CONFIG, damaged, parse};
use crate::error::{Error, Result};
use crate::kernel::Linear;

/// A transformer.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub architecture: Architecture,
    pub hidden: usize,
    pub heads: usize,
    pub layers: usize,
    pub intermediate: usize,
    pub vocabulary: usize,
    /// Tokens a text at most.
    pub positions: usize,
    pub epsilon: f32,
    pub activation: HiddenAct,
    /// The position of a text's first token: RoBERTa counts from the padding's id.
    pub first_position: usize,
    /// The whole file, for Candle's models.
    pub json: Value,
}

/// What kinds of transformer there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    /// BERT (Devlin et al., arXiv 1810.04805).
    Bert,
    /// RoBERTa and XLM-RoBERTa: BERT with other positions.
    Roberta,
    DistilBert,
    ModernBert,
    NomicBert,
    /// JinaBERT, which calls itself BERT, but has ALiBi for positions.
    JinaBert,
}

impl Architecture {
    /// True if the packed encoder runs it; the others are Candle's own models.
    pub(super) fn is_packed(self) -> bool {
        matches!(self, Self::Bert | Self::Roberta)
    }
}

/// Reads `config.json`.
///
/// # Errors
///
/// [`Error::ModelUnsupported`] names what paperkin cannot run, [`Error::ModelDamaged`] what makes no sense.
pub(super) fn read(model: &str, json: &[u8]) -> Result<Config> {
    let json: Value = parse(model, CONFIG, json)?;
    let architecture = architecture(model, &json)?;
    let activation = activation(model, architecture, &json)?;
    // A size has another name in some architectures.
    let number = |names: &[&str]| names.iter().find_map(|name| json[*name].as_u64());
    let size = |names: &[&str]| match number(names) {
        Some(n @ 1..=LARGEST) => Ok(n as usize),
        Some(n) => Err(damaged(model, format!("{CONFIG}: {} is {n}; expected 1 to {LARGEST}", names[0]))),
        None => Err(damaged(model, format!("{CONFIG} does not say {}", names[0]))),
    };
    let hidden = size(&["hidden_size", "dim", "n_embd"])?;
    let heads = size(&["num_attention_heads", "n_heads", "n_head"])?;
    let intermediate = size(&["intermediate_size", "hidden_dim", "n_inner"])?;
    if architecture.is_packed() && hidden.max(intermediate) > Linear::MOST_INPUTS {
        return Err(unsupported(
            model,
            format!("it has layers of {}; paperkin's encoder takes at most {}", hidden.max(intermediate), Linear::MOST_INPUTS),
        ));
    }
    if !hidden.is_multiple_of(heads) {
        return Err(damaged(model, format!("{CONFIG}: {hidden} dimensions in {heads} heads")));
    }
    let first_position = match architecture {
        Architecture::Roberta => number(&["pad_token_id"]).unwrap_or(1).min(LARGEST) as usize + 1,
        _ => 0,
    };
    let positions = size(&["max_position_embeddings", "n_positions"])?;
    Ok(Config {
        architecture,
        hidden,
        heads,
        layers: size(&["num_hidden_layers", "n_layers", "n_layer"])?,
        intermediate,
        vocabulary: size(&["vocab_size"])?,
        positions: positions.checked_sub(first_position).filter(|&n| n > 0).ok_or_else(|| damaged(model, format!("{CONFIG}: no positions")))?,
        epsilon: ["layer_norm_eps", "layer_norm_epsilon"].iter().find_map(|name| json[*name].as_f64()).unwrap_or(1e-12) as f32,
        activation,
        first_position,
        json,
    })
}

/// Larger sizes are mistakes, and would only ask for memory that is not there.
const LARGEST: u64 = 1 << 24;

fn architecture(model: &str, json: &Value) -> Result<Architecture> {
    let first = json["architectures"][0].as_str().unwrap_or("unknown");
    let name = json["model_type"].as_str().unwrap_or(first);
    let is_alibi = json["position_embedding_type"] == "alibi";
    let is_relative = json["position_embedding_type"].as_str().is_some_and(|kind| kind.starts_with("relative"));
    match name {
        "bert" | "BertModel" if is_alibi => Ok(Architecture::JinaBert),
        "bert" | "BertModel" | "roberta" | "xlm-roberta" | "camembert" if is_relative => {
            Err(unsupported(model, "its positions are relative; paperkin knows absolute ones".to_owned()))
        }
        "bert" | "BertModel" => Ok(Architecture::Bert),
        "roberta" | "xlm-roberta" | "camembert" => Ok(Architecture::Roberta),
        "distilbert" => Ok(Architecture::DistilBert),
        "modernbert" => Ok(Architecture::ModernBert),
        "nomic_bert" => Ok(Architecture::NomicBert),
        other => Err(unsupported(
            model,
            format!("its architecture is {other}; paperkin runs bert, roberta, xlm-roberta, camembert, distilbert, modernbert and nomic_bert"),
        )),
    }
}

fn activation(model: &str, architecture: Architecture, json: &Value) -> Result<HiddenAct> {
    if !architecture.is_packed() {
        return Ok(HiddenAct::Gelu);
    }
    match json["hidden_act"].as_str() {
        Some("gelu") => Ok(HiddenAct::Gelu),
        Some("relu") => Ok(HiddenAct::Relu),
        other => Err(unsupported(model, format!("its activation is {}; paperkin knows gelu and relu", other.unwrap_or("not said")))),
    }
}

fn unsupported(model: &str, what: String) -> Error {
    Error::ModelUnsupported { model: model.to_owned(), what }
}

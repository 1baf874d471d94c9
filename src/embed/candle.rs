//! Candle's own models: the path on GPUs and for what the packed encoder cannot run.

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, distilbert, jina_bert, modernbert, nomic_bert, xlm_roberta};
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::config::Architecture;
use super::model::Model;
use super::modules::{CONFIG, damaged};
use super::pooling::Pooling;
use crate::error::{Error, Result};
use crate::vector::{RowId, Vectors};

pub(super) struct Candle {
    transformer: Transformer,
    device: Device,
    dim: usize,
    pooling: Pooling,
}

enum Transformer {
    Bert(bert::BertModel),
    Roberta(xlm_roberta::XLMRobertaModel),
    DistilBert(distilbert::DistilBertModel),
    ModernBert(modernbert::ModernBert),
    NomicBert(nomic_bert::NomicBertModel),
    JinaBert(jina_bert::BertModel),
}

/// Tokens a batch on a GPU, with their padding.
const BUDGET: usize = 32 << 10;

/// A device's name in a `Space`.
pub(super) fn device_name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}

impl Candle {
    pub(super) fn load(model: &Model, device: &Device) -> Result<Self> {
        let damaged = |e: candle_core::Error| Error::ModelDamaged { model: model.space().name(), what: e.to_string() };
        let weights = VarBuilder::from_slice_safetensors(model.weights(), DType::F32, device).map_err(damaged)?;
        let config = model.config();
        let name = model.space().name();
        let transformer = match config.architecture {
            Architecture::Bert => Transformer::Bert(bert::BertModel::load(weights, &candles(&name, &config.json)?).map_err(damaged)?),
            Architecture::Roberta => {
                let weights = if weights.contains_tensor("roberta.embeddings.word_embeddings.weight") { weights.pp("roberta") } else { weights };
                let config = candles(&name, &config.json)?;
                Transformer::Roberta(xlm_roberta::XLMRobertaModel::new(&config, weights).map_err(damaged)?)
            }
            Architecture::DistilBert => {
                Transformer::DistilBert(distilbert::DistilBertModel::load(weights, &candles(&name, &config.json)?).map_err(damaged)?)
            }
            Architecture::ModernBert => {
                // Candle knows the names of the model with a head; sentence-transformers saves it without.
                let is_bare = !weights.contains_tensor("model.final_norm.weight");
                let weights = if is_bare { weights.rename_f(|name: &str| name.trim_start_matches("model.").to_owned()) } else { weights };
                Transformer::ModernBert(modernbert::ModernBert::load(weights, &candles(&name, &config.json)?).map_err(damaged)?)
            }
            Architecture::NomicBert => {
                Transformer::NomicBert(nomic_bert::NomicBertModel::load(weights, &candles(&name, &config.json)?).map_err(damaged)?)
            }
            Architecture::JinaBert => Transformer::JinaBert(jina_bert::BertModel::new(weights, &candles(&name, &config.json)?).map_err(damaged)?),
        };
        Ok(Self { transformer, device: device.clone(), dim: config.hidden, pooling: model.pooling() })
    }

    /// Encodes sequences of token ids, none of them empty, and pools each to one vector.
    ///
    /// On a processor each sequence is a batch of its own: a matrix product may sum in another order where it has more
    /// rows, and larger batches only make Candle's temporaries leave the caches. The longest begin, so that the threads
    /// end together. A GPU wants batches: like lengths together, as many as the budget of tokens holds.
    pub(super) fn encode(&self, sequences: &[&[u32]]) -> Result<Vectors> {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(sequences[i].len()), i));
        let encode = |batch: &[usize]| self.encode_batch(batch, sequences);
        let pooled: Vec<(usize, Vec<f32>)> = match self.transformer {
            _ if self.device.is_cpu() => order.par_chunks(1).map(encode).collect::<Result<Vec<_>>>()?.concat(),
            Transformer::Bert(_) => batches(&order, sequences).into_iter().map(encode).collect::<Result<Vec<_>>>()?.concat(),
            // Their masks differ from model to model.
            _ => order.chunks(1).map(encode).collect::<Result<Vec<_>>>()?.concat(),
        };
        let mut vectors = Vectors::from_rows(self.dim, vec![0.0; sequences.len() * self.dim]);
        for (i, vector) in pooled {
            vectors.row_mut(RowId(i as u32)).copy_from_slice(&vector);
        }
        Ok(vectors)
    }

    /// One pass through the model. Shorter sequences are padded with id 0, and masked.
    fn encode_batch(&self, batch: &[usize], sequences: &[&[u32]]) -> Result<Vec<(usize, Vec<f32>)>> {
        let longest = batch.iter().map(|&i| sequences[i].len()).max().unwrap_or(0);
        let shape = (batch.len(), longest);
        let mut ids = Vec::with_capacity(batch.len() * longest);
        let mut mask = Vec::with_capacity(ids.capacity());
        for &i in batch {
            let padding = longest - sequences[i].len();
            ids.extend_from_slice(sequences[i]);
            ids.extend(std::iter::repeat_n(0u32, padding));
            mask.extend(std::iter::repeat_n(1u32, sequences[i].len()));
            mask.extend(std::iter::repeat_n(0u32, padding));
        }
        let ids = Tensor::from_vec(ids, shape, &self.device)?;
        let mask = Tensor::from_vec(mask, shape, &self.device)?;
        let hidden = self.forward(&ids, &mask)?;
        let hidden = hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let one = |(row, &i): (usize, &usize)| {
            let tokens = &hidden[row * longest * self.dim..][..sequences[i].len() * self.dim];
            (i, self.pooling.pool(tokens.chunks_exact(self.dim)))
        };
        Ok(batch.iter().enumerate().map(one).collect())
    }

    /// The vectors of all tokens. Only BERT is given more than one sequence, so that the others need no mask.
    fn forward(&self, ids: &Tensor, mask: &Tensor) -> candle_core::Result<Tensor> {
        match &self.transformer {
            Transformer::Bert(bert) => bert.forward(ids, &ids.zeros_like()?, Some(mask)),
            Transformer::Roberta(roberta) => roberta.forward(ids, mask, &ids.zeros_like()?, None, None, None),
            Transformer::DistilBert(bert) => {
                // Here 1 is what must not be seen.
                let length = ids.dim(1)?;
                bert.forward(ids, &Tensor::zeros((length, length), DType::U8, &self.device)?)
            }
            Transformer::ModernBert(bert) => bert.forward(ids, mask),
            Transformer::NomicBert(bert) => bert.forward(ids, None, Some(mask)),
            Transformer::JinaBert(bert) => bert.forward(ids),
        }
    }
}

/// The configuration as Candle reads it, with what files may leave out.
fn candles<C: DeserializeOwned>(model: &str, json: &Value) -> Result<C> {
    let mut json = json.clone();
    if let Value::Object(fields) = &mut json {
        fields.entry("position_embedding_type").or_insert_with(|| "absolute".into());
    }
    serde_json::from_value(json).map_err(|e| damaged(model, format!("{CONFIG}: {e}")))
}

/// Parts of `order`, which is by length, the longest first: as many sequences as fit the budget with their padding.
fn batches<'a>(order: &'a [usize], sequences: &[&[u32]]) -> Vec<&'a [usize]> {
    let mut batches = Vec::new();
    let mut rest = order;
    while let Some(&longest) = rest.first() {
        let size = (BUDGET / sequences[longest].len().max(1)).clamp(1, rest.len());
        let (batch, after) = rest.split_at(size);
        batches.push(batch);
        rest = after;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::super::packed::Packed;
    use super::*;
    use crate::kernel::{Arithmetic, Instructions};

    #[test]
    fn a_padded_batch_agrees_with_the_packed_encoder() {
        for name in ["tiny-bert", "tiny-bert-cls", "tiny-roberta", "tiny-xlm-roberta"] {
            let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
            let model = Model::from_directory(&directory, None, None).unwrap();
            let long: Vec<u32> = (0..40).map(|i| 5 + i % 20).collect();
            let sequences = [&long[..17], &long, &long[3..4], &long[2..9]];
            let packed = Packed::load(&model, Instructions::best(), Arithmetic::F32).unwrap().encode(&sequences).unwrap();
            let candle = Candle::load(&model, &Device::Cpu).unwrap();
            let together = candle.encode_batch(&[1, 0, 3, 2], &sequences).unwrap();
            // Only BERT's batches are masked, see `encode`.
            let all = if name.starts_with("tiny-bert") { together } else { Vec::new() };
            let alone = (0..4).flat_map(|i| candle.encode_batch(&[i], &sequences).unwrap());
            for (i, vector) in all.into_iter().chain(alone) {
                for (a, b) in vector.iter().zip(packed.row(RowId(i as u32))) {
                    assert!((a - b).abs() < 2e-5, "{name}, sequence {i}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn batches_keep_the_budget_and_lose_none() {
        let long = vec![1u32; 2 * BUDGET];
        let lengths = [2 * BUDGET, BUDGET / 2, 5000, 100, 3, 1, 1];
        let sequences: Vec<&[u32]> = lengths.iter().map(|&n| &long[..n]).collect();
        let order: Vec<usize> = (0..lengths.len()).collect();
        let batches = batches(&order, &sequences);
        assert_eq!(batches.concat(), order);
        assert!(batches.iter().all(|b| b.len() * lengths[b[0]] <= BUDGET || b.len() == 1), "{batches:?}");
        assert!(batches.len() < lengths.len());
    }
}

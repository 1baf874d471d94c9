//! Candle's own `BertModel`: the encoder of today, and the oracle for any faster one.
//!
//! [`Encoder::encode`] is the seam: token ids in, one pooled vector a sequence out.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;
use rayon::prelude::*;

use super::model::Model;
use super::pooling::Pooling;
use crate::error::{Error, Result};
use crate::vector::{RowId, Vectors};

pub(super) struct Encoder {
    bert: BertModel,
    device: Device,
    dim: usize,
}

/// Tokens a batch on a GPU, with their padding.
const BUDGET: usize = 32 << 10;

impl Encoder {
    pub(super) fn load(model: &Model, device: &Device) -> Result<Self> {
        let damaged = |e: candle_core::Error| Error::ModelDamaged { model: model.space().name(), what: e.to_string() };
        let weights = VarBuilder::from_slice_safetensors(model.weights(), DType::F32, device).map_err(damaged)?;
        let bert = BertModel::load(weights, model.config()).map_err(damaged)?;
        Ok(Self { bert, device: device.clone(), dim: model.config().hidden_size })
    }

    /// Encodes sequences of token ids, none of them empty, and pools each to one vector.
    ///
    /// On a processor each sequence is a batch of its own: a matrix product may sum in another order where it has more
    /// rows, and larger batches only make Candle's temporaries leave the caches. The longest begin, so that the threads
    /// end together. A GPU wants batches: like lengths together, as many as the budget of tokens holds.
    pub(super) fn encode(&self, sequences: &[&[u32]], pooling: Pooling) -> Result<Vectors> {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(sequences[i].len()), i));
        let encode = |batch: &[usize]| self.encode_batch(batch, sequences, pooling);
        let pooled: Vec<(usize, Vec<f32>)> = if self.device.is_cpu() {
            order.par_chunks(1).map(encode).collect::<Result<Vec<_>>>()?.concat()
        } else {
            batches(&order, sequences).into_iter().map(encode).collect::<Result<Vec<_>>>()?.concat()
        };
        let mut vectors = Vectors::from_rows(self.dim, vec![0.0; sequences.len() * self.dim]);
        for (i, vector) in pooled {
            vectors.row_mut(RowId(i as u32)).copy_from_slice(&vector);
        }
        Ok(vectors)
    }

    /// One pass through the model. Shorter sequences are padded with id 0, and masked.
    fn encode_batch(&self, batch: &[usize], sequences: &[&[u32]], pooling: Pooling) -> Result<Vec<(usize, Vec<f32>)>> {
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
        let hidden = self.bert.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let hidden = hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let one = |(row, &i): (usize, &usize)| {
            let tokens = &hidden[row * longest * self.dim..][..sequences[i].len() * self.dim];
            (i, pooling.pool(tokens, self.dim))
        };
        Ok(batch.iter().enumerate().map(one).collect())
    }
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
    use super::*;

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

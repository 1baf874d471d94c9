//! Stock Candle: its `BertModel` as its example uses it, in f32, sorted by length, 8 texts a batch, padded and masked.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use paperkin::Result;
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

use crate::Contestant;

const BATCH: usize = 8;
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/all-MiniLM-L6-v2");

pub(crate) struct Stock {
    model: BertModel,
    tokenizer: Tokenizer,
}

impl Stock {
    pub(crate) fn load() -> Self {
        let read = |name: &str| std::fs::read(format!("{MODEL}/{name}")).expect("a file of the model");
        let config: Config = serde_json::from_slice(&read("config.json")).expect("the configuration");
        let weights = VarBuilder::from_buffered_safetensors(read("model.safetensors"), DType::F32, &Device::Cpu).expect("the weights");
        let mut tokenizer = Tokenizer::from_bytes(read("tokenizer.json")).expect("the tokenizer");
        let truncation = TruncationParams { max_length: 256, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).expect("a length");
        tokenizer.with_padding(Some(PaddingParams::default()));
        Self { model: BertModel::load(weights, &config).expect("the model"), tokenizer }
    }

    fn embed_batch(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let encodings = self.tokenizer.encode_batch(texts.to_vec(), true).expect("tokens");
        let tensor = |numbers: Vec<Vec<u32>>| Tensor::new(numbers, &Device::Cpu);
        let ids = tensor(encodings.iter().map(|e| e.get_ids().to_vec()).collect())?;
        let mask = tensor(encodings.iter().map(|e| e.get_attention_mask().to_vec()).collect())?;
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = hidden.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
        let normalised = mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?;
        Ok(normalised.to_vec2()?)
    }
}

impl Contestant for Stock {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(texts[i].len()));
        let mut vectors = vec![Vec::new(); texts.len()];
        for batch in order.chunks(BATCH) {
            let part: Vec<&str> = batch.iter().map(|&i| texts[i]).collect();
            for (&i, vector) in batch.iter().zip(self.embed_batch(&part)?) {
                vectors[i] = vector;
            }
        }
        Ok(vectors)
    }

    fn tokens(&self, texts: &[&str]) -> usize {
        let encodings = self.tokenizer.encode_batch(texts.to_vec(), true).expect("tokens");
        encodings.iter().map(|e| e.get_attention_mask().iter().sum::<u32>() as usize).sum()
    }
}

//! Texts to vectors, on this machine, with a sentence-transformer.
//!
//! A [`Model`] is what was read of a model's files, and knows the [`Space`] of its vectors before anything is
//! computed. An [`Embedder`] is a model ready to run. Without a name the model inside the binary is used; with one,
//! [`resolve`] looks for a directory, then in the hub's cache. Nothing here sees a paper or opens a connection.
//!
//! Same text, same bytes: on a processor no text is padded and no row of a product depends on another, so that a vector
//! cannot depend on its neighbours, their number, or the number of threads.

mod candle;
mod compute;
mod config;
mod convert;
mod hub;
mod model;
mod modules;
mod packed;
mod pooling;
mod weights;

use tokenizers::{Encoding, Tokenizer};

use crate::error::{Error, Result};
use crate::vector::{RowId, Space, Vectors, normalise};

use compute::CANDLE;
pub use compute::{Compute, Device, Precision};
pub use convert::{Converted, convert};
pub use hub::{BUILT_IN, CachedModel, HubCache, is_hub_id, resolve};
pub use model::Model;
pub use modules::model_files;

/// What a text is for: some models put another prompt before a question than before a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A paper, as it is stored.
    Document,
    /// A question about papers.
    Query,
}

/// A model ready to run.
pub struct Embedder {
    space: Space,
    tokenizer: Tokenizer,
    encoder: Encoder,
    /// Token ids are below it.
    vocabulary: u32,
    prompts: modules::Prompts,
    lower_case: bool,
}

/// What turns token ids into vectors.
enum Encoder {
    Packed(Box<packed::Packed>),
    Candle(candle::Candle),
}

impl Embedder {
    /// Loads the model's weights.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device cannot be used, [`Error::ModelDamaged`] if the weights do not fit the
    /// configuration.
    pub fn load(model: Model, compute: Compute) -> Result<Self> {
        let device = compute.device.open()?;
        let mut space = model.space_with(&compute);
        let encoder = if device.is_cpu() && model.is_packed() {
            let instructions = compute.instructions();
            let (_, arithmetic) = compute.precision.resolve(instructions);
            Encoder::Packed(Box::new(packed::Packed::load(&model, instructions, arithmetic)?))
        } else {
            (space.precision, space.path) = (Precision::Exact.name().to_owned(), CANDLE.to_owned());
            Encoder::Candle(candle::Candle::load(&model, &device)?)
        };
        space.device = candle::device_name(&device).to_owned();
        let tokenizer = model.tokenizer()?;
        let vocabulary = model.config().vocabulary as u32;
        let modules::Modules { prompts, lower_case, .. } = model.into_modules();
        Ok(Self { space, tokenizer, encoder, vocabulary, prompts, lower_case })
    }

    /// The space of the vectors that it makes.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The vectors of `texts`, in their order, each of length 1.
    ///
    /// # Errors
    ///
    /// [`Error::Encoder`] if the device fails, [`Error::ModelDamaged`] if the tokenizer or the numbers make no sense.
    pub fn embed(&self, texts: &[&str], role: Role) -> Result<Vectors> {
        let encodings = self.tokenize(texts, role)?;
        let sequences: Vec<&[u32]> = encodings.iter().map(Encoding::get_ids).collect();
        let wrong = |what: String| modules::damaged(&self.space.name(), what);
        if sequences.iter().any(|ids| ids.is_empty()) {
            return Err(wrong("its tokenizer makes no token of a text".to_owned()));
        }
        if let Some(id) = sequences.iter().copied().flatten().find(|&&id| id >= self.vocabulary) {
            return Err(wrong(format!("its tokenizer has a token {id}, the model has {}", self.vocabulary)));
        }
        let mut vectors = match &self.encoder {
            Encoder::Packed(encoder) => encoder.encode(&sequences)?,
            Encoder::Candle(encoder) => encoder.encode(&sequences)?,
        };
        for row in 0..vectors.len() {
            normalise(vectors.row_mut(RowId(row as u32)));
        }
        if !vectors.as_slice().iter().all(|x| x.is_finite()) {
            return Err(wrong("its weights give numbers that are not finite".to_owned()));
        }
        Ok(vectors)
    }

    /// How many tokens the documents have, none longer than the model's length.
    ///
    /// # Errors
    ///
    /// [`Error::Encoder`] if the tokenizer fails.
    pub fn count_tokens(&self, texts: &[&str]) -> Result<usize> {
        Ok(self.tokenize(texts, Role::Document)?.iter().map(Encoding::len).sum())
    }

    fn tokenize(&self, texts: &[&str], role: Role) -> Result<Vec<Encoding>> {
        let prompt = self.prompts.of(role);
        let inputs = texts.iter().map(|text| {
            let text = if self.lower_case { text.to_lowercase() } else { (*text).to_owned() };
            format!("{prompt}{text}")
        });
        let encodings = self.tokenizer.encode_batch_fast(inputs.collect(), true);
        encodings.map_err(|e| Error::Encoder(candle_core::Error::Msg(format!("cannot tokenize: {e}"))))
    }
}

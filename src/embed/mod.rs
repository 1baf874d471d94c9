//! Texts to vectors, on this machine, with a sentence-transformer.
//!
//! A [`Model`] is what was read of a model's files, and knows the [`Space`] of its vectors before anything is
//! computed. An [`Embedder`] is a model ready to run. Without a name the model inside the binary is used; with one,
//! [`resolve`] looks for a directory, then in the hub's cache. Nothing here sees a paper or opens a connection.
//!
//! Same text, same bytes: on a processor each text is computed by itself, without padding, so that a vector cannot depend
//! on its neighbours.

mod bert;
mod convert;
mod hub;
mod model;
mod modules;
mod pooling;

use std::str::FromStr;

use tokenizers::Tokenizer;

use crate::error::{Error, Result};
use crate::vector::{Space, Vectors, normalise};

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

/// How the numbers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// f32 throughout.
    #[default]
    Exact,
}

impl Precision {
    /// Its name in settings and in a [`Space`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
        }
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "exact" => Ok(Self::Exact),
            _ => Err(Error::usage(format!("no precision {text:?}; expected exact"))),
        }
    }
}

/// Where the numbers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// A GPU that this build can use and that is there, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The first NVIDIA GPU; needs the feature `cuda`.
    Cuda,
    /// Apple's GPU; needs the feature `metal`.
    Metal,
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "metal" => Ok(Self::Metal),
            _ => Err(Error::usage(format!("no device {text:?}; expected auto, cpu, cuda or metal"))),
        }
    }
}

impl Device {
    fn open(self) -> Result<candle_core::Device> {
        use candle_core::Device as Candle;
        let failed = |asked: &str, why: String| Error::Device { asked: asked.to_owned(), why };
        let built = |asked: &str, feature: bool| match feature {
            true => Ok(()),
            false => Err(failed(asked, format!("this paperkin was built without it (cargo build --features {asked})"))),
        };
        match self {
            Self::Cpu => Ok(Candle::Cpu),
            Self::Cuda => {
                built("cuda", cfg!(feature = "cuda"))?;
                Candle::new_cuda(0).map_err(|e| failed("cuda", e.to_string()))
            }
            Self::Metal => {
                built("metal", cfg!(feature = "metal"))?;
                Candle::new_metal(0).map_err(|e| failed("metal", e.to_string()))
            }
            Self::Auto if cfg!(feature = "cuda") => Ok(Candle::new_cuda(0).unwrap_or(Candle::Cpu)),
            Self::Auto if cfg!(feature = "metal") => Ok(Candle::new_metal(0).unwrap_or(Candle::Cpu)),
            Self::Auto => Ok(Candle::Cpu),
        }
    }
}

/// A model ready to run.
pub struct Embedder {
    space: Space,
    tokenizer: Tokenizer,
    encoder: bert::Encoder,
    pooling: pooling::Pooling,
    prompts: modules::Prompts,
    lower_case: bool,
}

impl Embedder {
    /// Loads the model's weights.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the device cannot be used, [`Error::ModelDamaged`] if the weights do not fit the
    /// configuration.
    pub fn load(model: Model, device: Device, precision: Precision) -> Result<Self> {
        let device = device.open()?;
        let mut space = model.space().clone();
        space.precision = precision.name().to_owned();
        space.device = match &device {
            candle_core::Device::Cpu => "cpu",
            candle_core::Device::Cuda(_) => "cuda",
            candle_core::Device::Metal(_) => "metal",
        }
        .to_owned();
        let tokenizer = model.tokenizer()?;
        let encoder = bert::Encoder::load(&model, &device)?;
        let modules::Modules { pooling, prompts, lower_case, .. } = model.into_modules();
        Ok(Self { space, tokenizer, encoder, pooling, prompts, lower_case })
    }

    /// The space of the vectors that it makes.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The vectors of `texts`, in their order, each of length 1.
    ///
    /// # Errors
    ///
    /// [`Error::Encoder`] if the device fails.
    pub fn embed(&self, texts: &[&str], role: Role) -> Result<Vectors> {
        let prompt = self.prompts.of(role);
        let inputs = texts.iter().map(|text| {
            let text = if self.lower_case { text.to_lowercase() } else { (*text).to_owned() };
            format!("{prompt}{text}")
        });
        let encodings = self.tokenizer.encode_batch_fast(inputs.collect(), true);
        let encodings = encodings.map_err(|e| Error::Encoder(candle_core::Error::Msg(format!("cannot tokenize: {e}"))))?;
        let sequences: Vec<&[u32]> = encodings.iter().map(|encoding| encoding.get_ids()).collect();
        let mut vectors = self.encoder.encode(&sequences, self.pooling)?;
        for row in 0..vectors.len() {
            normalise(vectors.row_mut(crate::vector::RowId(row as u32)));
        }
        Ok(vectors)
    }
}

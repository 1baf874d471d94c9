//! Where and how the numbers are computed.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::kernel::{Arithmetic, Instructions};

/// Where and how the numbers are computed; the default is the fastest that keeps the ranking.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compute {
    /// On which device.
    pub device: Device,
    /// How exactly.
    pub precision: Precision,
    /// With which of the processor's instructions; `None` is the best that it has.
    pub instructions: Option<Instructions>,
}

/// The name of the code path, in a `Space`, of what paperkin's own encoder does not run.
pub(super) const CANDLE: &str = "candle";

impl Compute {
    /// The processor's instructions that it names, or the best.
    pub(super) fn instructions(&self) -> Instructions {
        self.instructions.unwrap_or_else(Instructions::best)
    }
}

/// How exactly the numbers are computed on a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// The fastest of the others that ranks papers as f32 does: [`Self::Turbo`]. On all-MiniLM-L6-v2 its R@10 of cited papers is
    /// within 1 % of that of f32 (see `benches/README.md`); of other models that was not measured.
    #[default]
    Auto,
    /// f32 throughout.
    Exact,
    /// Products of bf16 summed in f32, where the processor has them (AMX, AVX-512 BF16), and 16-bit integers in attention;
    /// elsewhere the same as exact.
    Fast,
    /// Products of 8-bit integers: weights with a scale for each output, activations with a scale for each token.
    Turbo,
}

impl Precision {
    const ALL: [Self; 4] = [Self::Auto, Self::Exact, Self::Fast, Self::Turbo];

    /// Its name in settings and in a `Space`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Exact => "exact",
            Self::Fast => "fast",
            Self::Turbo => "turbo",
        }
    }

    /// What it comes to on a processor, with the arithmetic that does it.
    pub(super) fn resolve(self, instructions: Instructions) -> (Self, Arithmetic) {
        match self {
            Self::Exact => (Self::Exact, Arithmetic::F32),
            Self::Auto | Self::Turbo => (Self::Turbo, Arithmetic::Int8),
            Self::Fast => match Arithmetic::bf16(instructions) {
                Some(bf16) => (Self::Fast, bf16),
                None => (Self::Exact, Arithmetic::F32),
            },
        }
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|precision| precision.name() == text);
        named.ok_or_else(|| Error::usage(format!("no precision {text:?}; expected {}", Self::ALL.map(Self::name).join(", "))))
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
    pub(super) fn open(self) -> Result<candle_core::Device> {
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

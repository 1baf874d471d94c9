//! What the processor does best: products of matrices, attention, and the functions between them.
//!
//! All `unsafe` of paperkin is in this room, each block with the reason why it is sound. What others call is safe: it
//! checks lengths, then hands rows to a routine that is compiled once for each set of [`Instructions`] and written once,
//! on the vectors of `rten-simd`.
//!
//! ```text
//! machine     which instructions there are; the one step that differs: a product of small integers
//! product     rows x packed weights
//! tile        its inner loop, one for f32, bf16 and int8
//! bf16        products of bf16
//! amx         products of bf16 and of small integers on the matrix unit of Intel's servers
//! quantise    rows of f32 -> rows of small integers
//! attention   softmax(Q Kᵀ) V of one text, head by head
//! rows        LayerNorm, GELU, softmax, f16 to f32
//! bytes       inner products of rows of bytes
//! aligned     numbers that begin at a cache line
//! mapped      a file's bytes in memory
//! ```
//!
//! A row of a result depends on its own row of the input and on nothing else: not on how many rows there are, where
//! among them it stands, or how many threads compute. That is what makes a text's vector the same in every company.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod bytes;
mod machine;
mod mapped;
mod product;
mod quantise;
mod rows;
#[cfg(test)]
mod tests;
mod tile;

pub(crate) use aligned::Aligned;
pub(crate) use attention::{Attention, Heads};
pub(crate) use bytes::{ByteRows, LINE_WORDS, dot_pair, dot_range, dot_rows};
pub use machine::{Instructions, multiply_and_add};
pub(crate) use mapped::Mapped;
pub use product::{Arithmetic, Linear, Rows, Scratch};
pub(crate) use quantise::{activation_error, round};
pub use rows::gelu;
pub(crate) use rows::{Norm, from_halves, relu};

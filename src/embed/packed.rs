//! The packed encoder: BERT without padding, as one Candle operation.
//!
//! ```text
//! sequences, longest first ─▶ micro-batches of some hundred tokens, end to end ─▶ a worker each ─▶ a vector a sequence
//!
//! of a micro-batch:  x = LayerNorm(word + position)
//! for each layer:    q, k, v = x W + b                       all rows, one product
//!                    c = attention(q, k, v)                  each sequence for itself
//!                    x = LayerNorm(x + c W + b)              in blocks of rows that stay in the second cache
//!                    x = LayerNorm(x + gelu(x W + b) W + b)
//! ```
//!
//! No row depends on its neighbours (see [`crate::kernel`]), so that a vector depends on its text only. The layers are those
//! of BERT (Devlin et al., arXiv 1810.04805); what is folded together: the three projections of attention into one product,
//! the softmax's factor into the query's weights, the token type into the positions.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};
use candle_transformers::models::bert::HiddenAct;
use rayon::prelude::*;

use super::config::Config;
use super::model::Model;
use super::pooling::Pooling;
use super::weights::{Table, Weights};
use crate::error::Result;
use crate::kernel::{Aligned, Arithmetic, Attention, Heads, Instructions, Linear, Norm, Rows, Scratch, gelu, relu};
use crate::vector::Vectors;

/// Tokens a micro-batch. More would leave the caches, fewer would read the weights more often.
const BATCH: usize = 512;
/// Rows of a micro-batch that go through the second half of a layer together, so that they stay in the second cache. It is of 2
/// MiB where there is AMX, and there more rows read the weights less often from the third, which is slow.
fn block(instructions: Instructions) -> usize {
    if instructions == Instructions::Amx { 128 } else { 64 }
}

pub(super) struct Packed {
    instructions: Instructions,
    arithmetic: Arithmetic,
    heads: Heads,
    words: Table,
    /// With the token type.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    activation: HiddenAct,
    pooling: Pooling,
    /// What workers need while they work.
    rooms: Mutex<Vec<Room>>,
}

struct Layer {
    /// Queries, keys and values.
    qkv: Linear,
    attended: Linear,
    attended_norm: Norm,
    up: Linear,
    down: Linear,
    down_norm: Norm,
}

/// Buffers, used again and again.
#[derive(Default)]
struct Room {
    x: Aligned<f32>,
    qkv: Aligned<f32>,
    context: Aligned<f32>,
    wide: Aligned<f32>,
    narrow: Aligned<f32>,
    scratch: Scratch,
    attention: Attention,
}

/// The sizes of a micro-batch's rows.
#[derive(Clone, Copy)]
struct Extent {
    rows: usize,
    /// From one row to the next.
    stride: usize,
    /// Threads that share each product.
    threads: usize,
}

impl Packed {
    pub(super) fn load(model: &Model, instructions: Instructions, arithmetic: Arithmetic) -> Result<Self> {
        let config = model.config();
        let name = model.space().name();
        let weights = Weights::read(&name, model.weights(), WORDS)?;
        let loader = Loader { weights: &weights, config, instructions, arithmetic };
        let Config { hidden, vocabulary, .. } = *config;
        Ok(Self {
            instructions,
            arithmetic,
            heads: Heads { count: config.heads, dim: hidden / config.heads },
            words: weights.table(WORDS, [vocabulary, hidden], model.weights())?,
            positions: loader.positions()?,
            norm: loader.norm("embeddings.LayerNorm")?,
            layers: (0..config.layers).map(|i| loader.layer(&format!("encoder.layer.{i}"))).collect::<Result<_>>()?,
            activation: config.activation,
            pooling: model.pooling(),
            rooms: Mutex::default(),
        })
    }

    /// Encodes sequences of token ids, none of them empty, and pools each to one vector.
    pub(super) fn encode(&self, sequences: &[&[u32]]) -> Result<Vectors> {
        let cpu = &candle_core::Device::Cpu;
        let lengths: Vec<u32> = sequences.iter().map(|ids| ids.len() as u32).collect();
        let ids = sequences.concat();
        let ids = Tensor::from_vec(ids, sequences.iter().map(|ids| ids.len()).sum::<usize>(), cpu)?;
        let lengths = Tensor::from_vec(lengths, sequences.len(), cpu)?;
        let vectors = ids.apply_op2_no_bwd(&lengths, self)?;
        Ok(Vectors::from_rows(self.dim(), vectors.flatten_all()?.to_vec1()?))
    }

    fn dim(&self) -> usize {
        self.heads.count * self.heads.dim
    }

    /// The vectors of all sequences, one after another.
    fn forward(&self, sequences: &[&[u32]]) -> Vec<f32> {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(sequences[i].len()), i));
        let threads = rayon::current_num_threads();
        let batches = batches(&order, sequences, threads);
        // Where there is not a batch for each thread, the threads share one.
        let share = threads / batches.len().max(1);
        let encode = |batch: &&[usize]| {
            let mut room = self.rooms.lock().ok().and_then(|mut rooms| rooms.pop()).unwrap_or_default();
            let batch: Vec<&[u32]> = batch.iter().map(|&i| sequences[i]).collect();
            let vectors = self.forward_batch(&batch, &mut room, share);
            if let Ok(mut rooms) = self.rooms.lock() {
                rooms.push(room);
            }
            vectors
        };
        let encoded: Vec<Vec<f32>> = batches.par_iter().with_max_len(1).map(encode).collect();
        let dim = self.dim();
        let mut vectors = vec![0.0; sequences.len() * dim];
        for (&i, vector) in order.iter().zip(encoded.iter().flat_map(|batch| batch.chunks_exact(dim))) {
            vectors[i * dim..][..dim].copy_from_slice(vector);
        }
        vectors
    }

    fn forward_batch(&self, batch: &[&[u32]], room: &mut Room, threads: usize) -> Vec<f32> {
        let count: usize = batch.iter().map(|ids| ids.len()).sum();
        let rows = count.max(Linear::least_rows(self.instructions, self.arithmetic));
        let stride = self.layers.first().map_or(self.dim(), |layer| layer.attended.stride());
        let extent = Extent { rows, stride, threads };
        self.embed(batch, room, extent);
        for layer in &self.layers {
            layer.attend(self, batch, room, extent);
            layer.feed_forward(self, room, extent);
        }
        let mut vectors = Vec::with_capacity(batch.len() * self.dim());
        let mut first = 0;
        for ids in batch {
            let tokens = room.x[first * stride..].chunks(stride).take(ids.len()).map(|row| &row[..self.dim()]);
            vectors.extend(self.pooling.pool(tokens));
            first += ids.len();
        }
        vectors
    }

    /// `LayerNorm(word + position)` of each token.
    fn embed(&self, batch: &[&[u32]], room: &mut Room, Extent { rows, stride, .. }: Extent) {
        let dim = self.dim();
        room.x.reserve(rows * stride);
        room.context.reserve(rows * stride);
        let (x, positions) = (&mut room.x[..rows * stride], &mut room.context[..rows * stride]);
        x.fill(0.0);
        let tokens = batch.iter().flat_map(|ids| ids.iter().enumerate());
        for ((position, &id), (x, added)) in tokens.zip(x.chunks_exact_mut(stride).zip(positions.chunks_exact_mut(stride))) {
            self.words.read(id as usize, x);
            added[..dim].copy_from_slice(&self.positions[position * dim..][..dim]);
        }
        self.norm.add_and_apply(self.instructions, x, positions, stride);
    }
}

const WORDS: &str = "embeddings.word_embeddings.weight";

impl Layer {
    /// `x = LayerNorm(x + attention(x) W + b)`, but for the product, which [`Self::feed_forward`] does in blocks.
    fn attend(&self, model: &Packed, batch: &[&[u32]], room: &mut Room, Extent { rows, stride, threads }: Extent) {
        let Room { x, qkv, context, scratch, attention, .. } = room;
        let qkv_stride = self.qkv.stride();
        qkv.reserve(rows * qkv_stride);
        self.qkv.apply(Rows { numbers: x, stride, count: rows }, scratch, qkv, threads);
        let mut first = 0;
        for ids in batch {
            let rows = Rows { numbers: &qkv[first * qkv_stride..], stride: qkv_stride, count: ids.len() };
            attention.attend((model.instructions, model.arithmetic), model.heads, rows, (&mut context[first * stride..], stride));
            first += ids.len();
        }
    }

    /// The rest of the layer, a block of rows at a time.
    fn feed_forward(&self, model: &Packed, room: &mut Room, Extent { rows, stride, threads }: Extent) {
        let Room { x, context, wide, narrow, scratch, .. } = room;
        let blocks = (rows / block(model.instructions)).max(1);
        let start = |block: usize| block * rows / blocks;
        for (first, end) in (0..blocks).map(|block| (start(block), start(block + 1))) {
            let count = end - first;
            wide.reserve(count * self.up.stride());
            narrow.reserve(count * stride);
            let x = &mut x[first * stride..end * stride];
            let narrow = &mut narrow[..count * stride];
            let attended = Rows { numbers: &context[first * stride..], stride, count };
            self.attended.apply(attended, scratch, narrow, threads);
            self.attended_norm.add_and_apply(model.instructions, x, narrow, stride);
            self.up.apply(Rows { numbers: x, stride, count }, scratch, wide, threads);
            let wide = &mut wide[..count * self.up.stride()];
            match model.activation {
                HiddenAct::Relu => relu(wide),
                _ => gelu(model.instructions, wide),
            }
            self.down.apply(Rows { numbers: wide, stride: self.up.stride(), count }, scratch, narrow, threads);
            self.down_norm.add_and_apply(model.instructions, x, narrow, stride);
        }
    }
}

/// From tensors to packed layers.
struct Loader<'a> {
    weights: &'a Weights<'a>,
    config: &'a Config,
    instructions: Instructions,
    arithmetic: Arithmetic,
}

impl Loader<'_> {
    /// The embeddings of positions, from a text's first one on, with that of token type 0.
    fn positions(&self) -> Result<Vec<f32>> {
        let Config { hidden, positions, first_position, .. } = *self.config;
        let types = self.config.json["type_vocab_size"].as_u64().unwrap_or(0) as usize;
        let all = self.weights.numbers("embeddings.position_embeddings.weight", &[first_position + positions, hidden])?;
        let mut numbers = all[first_position * hidden..].to_vec();
        if types > 0 {
            let kinds = self.weights.numbers("embeddings.token_type_embeddings.weight", &[types, hidden])?;
            let first = kinds[..hidden].iter().cycle();
            numbers.iter_mut().zip(first).for_each(|(x, kind)| *x += kind);
        }
        Ok(numbers)
    }

    fn norm(&self, name: &str) -> Result<Norm> {
        let numbers = |part: &str| self.weights.numbers(&format!("{name}.{part}"), &[self.config.hidden]);
        Ok(Norm::new(numbers("weight")?, numbers("bias")?, self.config.epsilon))
    }

    /// Weights and bias of a projection.
    fn dense(&self, name: &str, outputs: usize, inputs: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let weights = self.weights.numbers(&format!("{name}.weight"), &[outputs, inputs])?;
        Ok((weights, self.weights.numbers(&format!("{name}.bias"), &[outputs])?))
    }

    fn pack(&self, (weights, bias): &(Vec<f32>, Vec<f32>)) -> Linear {
        Linear::pack(self.instructions, self.arithmetic, weights, bias)
    }

    fn layer(&self, name: &str) -> Result<Layer> {
        let Config { hidden, intermediate, .. } = *self.config;
        let dense = |part: &str, outputs, inputs| self.dense(&format!("{name}.{part}"), outputs, inputs);
        // softmax(q·k / √d) = 2^(q·k · log2(e) / √d), scaled: the factor goes into q.
        let factor = std::f32::consts::LOG2_E / ((hidden / self.config.heads) as f32).sqrt();
        let mut qkv = dense("attention.self.query", hidden, hidden)?;
        qkv.0.iter_mut().chain(&mut qkv.1).for_each(|x| *x *= factor);
        for part in ["attention.self.key", "attention.self.value"] {
            let (weights, bias) = dense(part, hidden, hidden)?;
            qkv.0.extend(weights);
            qkv.1.extend(bias);
        }
        Ok(Layer {
            qkv: self.pack(&qkv),
            attended: self.pack(&dense("attention.output.dense", hidden, hidden)?),
            attended_norm: self.norm(&format!("{name}.attention.output.LayerNorm"))?,
            up: self.pack(&dense("intermediate.dense", intermediate, hidden)?),
            down: self.pack(&dense("output.dense", hidden, intermediate)?),
            down_norm: self.norm(&format!("{name}.output.LayerNorm"))?,
        })
    }
}

impl CustomOp2 for Packed {
    fn name(&self) -> &'static str {
        "packed-bert"
    }

    /// Token ids of all sequences end to end, and the sequences' lengths, to a row of numbers a sequence.
    fn cpu_fwd(&self, ids: &CpuStorage, at: &Layout, lengths: &CpuStorage, lengths_at: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let numbers = |storage: &CpuStorage, layout: &Layout| match (storage, layout.contiguous_offsets()) {
            (CpuStorage::U32(numbers), Some((start, end))) => Ok(numbers[start..end].to_vec()),
            _ => candle_core::bail!("packed-bert takes contiguous u32"),
        };
        let (ids, lengths) = (numbers(ids, at)?, numbers(lengths, lengths_at)?);
        let mut rest = ids.as_slice();
        let mut sequences = Vec::with_capacity(lengths.len());
        for length in lengths {
            let Some((sequence, after)) = rest.split_at_checked(length as usize) else { candle_core::bail!("lengths and ids do not agree") };
            sequences.push(sequence);
            rest = after;
        }
        let shape = Shape::from((sequences.len(), self.dim()));
        Ok((CpuStorage::F32(self.forward(&sequences)), shape))
    }
}

/// Parts of `order`, which is by length: as many sequences as make a micro-batch, but not so many that a thread has none.
fn batches<'a>(order: &'a [usize], sequences: &[&[u32]], threads: usize) -> Vec<&'a [usize]> {
    let total: usize = sequences.iter().map(|ids| ids.len()).sum();
    let budget = BATCH.min(total.div_ceil(threads));
    let mut batches = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (end, &i) in order.iter().enumerate() {
        if tokens > 0 && tokens + sequences[i].len() > budget {
            batches.push(&order[start..end]);
            (start, tokens) = (end, 0);
        }
        tokens += sequences[i].len();
    }
    batches.push(&order[start..]);
    batches
}

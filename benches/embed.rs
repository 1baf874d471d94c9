//! How fast the encoder is, and its parts.
//!
//! ```text
//! cargo bench --bench embed                    the products beside those of rten-gemm and gemm, and GELU
//! … embed worker exact|fast|turbo|candle FILE  a contestant of benches/peers/embed.py
//! … embed peak                                 what the processor can do at most
//! ```

use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::Instant;

use paperkin::Result;
use paperkin::embed::{Compute, Device, Embedder, Model, Precision, Role};
use paperkin::kernel::{Arithmetic, Instructions, Linear, Rows, Scratch, gelu, multiply_and_add};
use paperkin::vector::RowId;
use serde_json::{Value, json};

#[path = "embed/candle.rs"]
mod candle;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => micro(),
        ["peak"] => println!("{}", json!({ "gflops": peak() })),
        ["worker", name, texts] => worker(name, texts),
        other => eprintln!("expected nothing, peak, or worker NAME FILE; got {other:?}"),
    }
}

fn instructions() -> Instructions {
    let named = std::env::var("PAPERKIN_INSTRUCTIONS").ok();
    named.map_or_else(Instructions::best, |name| name.parse().expect("PAPERKIN_INSTRUCTIONS"))
}

/// Seconds of the fastest of some calls.
fn seconds(mut call: impl FnMut()) -> f64 {
    const CALLS: usize = 20;
    let once = |_| {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64()
    };
    (0..CALLS).map(once).fold(f64::INFINITY, f64::min)
}

/// GFLOP/s of f32, all threads together.
fn peak() -> f64 {
    // Some hundredths of a second: short enough to find a moment in which nothing else runs.
    const TURNS: usize = 4_000_000;
    let all = || rayon::broadcast(|_| black_box(multiply_and_add(instructions(), TURNS)).0).into_iter().sum::<u64>();
    let operations = all();
    let fastest = seconds(|| {
        black_box(all());
    });
    operations as f64 / fastest / 1e9
}

/// Numbers that look random and are the same everywhere.
fn numbers(count: usize) -> Vec<f32> {
    (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// The parts of the encoder, on one thread.
fn micro() {
    let set = instructions();
    println!("instructions {}; one thread; f32 peak of all threads {:.0} GFLOP/s\n", set.name(), peak());
    println!("{:24} {:>10} {:>10} {:>10} {:>10} {:>10}", "rows x inputs x outputs", "f32", "bf16", "int8", "gemm f32", "rten int8");
    for (rows, inputs, outputs) in [(512, 384, 1152), (512, 384, 384), (512, 384, 1536), (512, 1536, 384), (32, 384, 1536)] {
        let (x, weights, bias) = (numbers(rows * inputs), numbers(inputs * outputs), numbers(outputs));
        let rate = |seconds: f64| format!("{:.1}", (2 * rows * inputs * outputs) as f64 / seconds / 1e9);
        let ours = |arithmetic: Option<Arithmetic>| {
            let Some(arithmetic) = arithmetic else { return "–".to_owned() };
            let linear = Linear::pack(set, arithmetic, &weights, &bias);
            let (mut scratch, mut out) = (Scratch::default(), vec![0.0; rows * linear.stride()]);
            let x = Rows { numbers: &x, stride: inputs, count: rows };
            rate(seconds(|| linear.apply(x, &mut scratch, black_box(&mut out), 1)))
        };
        let all = [
            ours(Some(Arithmetic::F32)),
            ours(Arithmetic::bf16(set)),
            ours(Some(Arithmetic::Int8)),
            rate(gemm_f32((rows, inputs, outputs), &x, &weights)),
            rate(rten_int8((rows, inputs, outputs))),
        ];
        let [f32, bf16, int8, gemm, rten] = all;
        println!("{:24} {f32:>10} {bf16:>10} {int8:>10} {gemm:>10} {rten:>10}", format!("{rows} x {inputs} x {outputs}"));
    }
    let mut wide = numbers(64 * 1536);
    let per = seconds(|| gelu(set, black_box(&mut wide))) / wide.len() as f64;
    println!("\nGELU {:.2} ns a number; GFLOP/s and GOP/s above, quantising included in bf16 and int8", per * 1e9);
}

/// `gemm` 0.19, which Candle uses.
fn gemm_f32((rows, inputs, outputs): (usize, usize, usize), x: &[f32], weights: &[f32]) -> f64 {
    let mut out = vec![0.0f32; rows * outputs];
    seconds(|| {
        #[allow(unsafe_code)]
        // SAFETY: the three matrices have the sizes that are given: rows of `x` and `out`, columns of the transposed weights.
        unsafe {
            gemm::gemm(
                rows,
                outputs,
                inputs,
                out.as_mut_ptr(),
                1,
                outputs as isize,
                false,
                x.as_ptr(),
                1,
                inputs as isize,
                weights.as_ptr(),
                inputs as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        black_box(&mut out);
    })
}

/// `rten-gemm` 0.27, u8 x i8, without turning the sums into numbers.
fn rten_int8((rows, inputs, outputs): (usize, usize, usize)) -> f64 {
    use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
    use rten_tensor::prelude::*;
    let gemm = GemmExecutor::<u8, i8, i32>::new();
    let x = rten_tensor::Tensor::<u8>::full(&[rows, inputs], 3);
    let weights = rten_tensor::Tensor::<i8>::full(&[inputs, outputs], 5);
    let (x, weights) = (x.nd_view::<2>(), weights.nd_view::<2>());
    let packed = gemm.prepack_b(weights);
    let mut out = vec![0i32; rows * outputs];
    // It asks the pool that it runs in for the number of threads.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    pool.install(|| {
        seconds(|| {
            let options = GemmOptions::default();
            gemm.gemm(black_box(&mut out), GemmInputA::Unpacked(x), GemmInputB::Packed(&packed), options).expect("a product");
        })
    })
}

/// What a contestant does.
trait Contestant {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>>;
    fn tokens(&self, texts: &[&str]) -> usize;
}

struct Ours {
    embedder: Embedder,
}

impl Contestant for Ours {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let vectors = self.embedder.embed(texts, Role::Document)?;
        Ok((0..texts.len()).map(|i| vectors.row(RowId(i as u32)).to_vec()).collect())
    }

    fn tokens(&self, texts: &[&str]) -> usize {
        self.embedder.count_tokens(texts).expect("tokens")
    }
}

/// Obeys the lines that `benches/peers/worker.py` describes.
fn worker(name: &str, file: &str) {
    let texts = std::fs::read_to_string(file).expect("the file of texts");
    let texts: Vec<String> = texts.lines().map(|line| serde_json::from_str(line).expect("a text")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let contestant = match contestant(name) {
        Ok(contestant) => contestant,
        Err(why) => return println!("{}", json!({ "unavailable": why })),
    };
    let version = format!("{} {}", env!("CARGO_PKG_VERSION"), instructions().name());
    println!("{}", json!({ "ready": true, "name": name, "version": version, "threads": rayon::current_num_threads() }));
    for line in std::io::stdin().lock().lines() {
        println!("{}", obey(&*contestant, &texts, &line.expect("a line")));
        std::io::stdout().flush().expect("the answer");
    }
}

fn contestant(name: &str) -> Result<Box<dyn Contestant>, String> {
    if name == "candle" {
        return Ok(Box::new(candle::Stock::load()));
    }
    let precision: Precision = name.parse().map_err(|e: paperkin::Error| e.to_string())?;
    let compute = Compute { device: Device::Cpu, precision, instructions: Some(instructions()) };
    let model = Model::built_in().map_err(|e| e.to_string())?;
    match model.note(&compute) {
        Some(note) => Err(note),
        None => Ok(Box::new(Ours { embedder: Embedder::load(model, compute).map_err(|e| e.to_string())? })),
    }
}

fn obey(contestant: &dyn Contestant, texts: &[&str], line: &str) -> Value {
    let (order, rest) = line.split_once(' ').expect("an order");
    match order {
        "rate" => {
            let texts = &texts[..rest.parse().expect("a number")];
            let start = Instant::now();
            black_box(contestant.embed(texts).expect("vectors"));
            json!({ "seconds": start.elapsed().as_secs_f64(), "tokens": contestant.tokens(texts) })
        }
        "vectors" => {
            let rows = contestant.embed(texts).expect("vectors");
            std::fs::write(rest, npy(&rows)).expect("the file of vectors");
            json!({ "rows": rows.len() })
        }
        "query" => {
            let (times, text) = rest.split_once(' ').expect("a number and a text");
            let once = |_| {
                let start = Instant::now();
                black_box(contestant.embed(&[text]).expect("a vector"));
                start.elapsed().as_secs_f64()
            };
            let mut all: Vec<f64> = (0..times.parse::<usize>().expect("a number")).map(once).collect();
            all.sort_by(f64::total_cmp);
            json!({ "seconds": all[all.len() / 2] })
        }
        other => panic!("no order {other}"),
    }
}

/// NumPy's format, version 1.0.
fn npy(rows: &[Vec<f32>]) -> Vec<u8> {
    let shape = format!("({}, {})", rows.len(), rows.first().map_or(0, Vec::len));
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(rows.iter().flatten().flat_map(|x| x.to_le_bytes()));
    bytes
}

//! Every routine, with all instructions that this processor has, against plain loops in f64.

use super::quantise::quantise_weights;
use super::*;

/// Numbers that look random and are the same everywhere.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn available() -> Vec<Instructions> {
    Instructions::ALL.into_iter().filter(|set| set.are_available()).collect()
}

/// Each arithmetic that the instructions have, with the largest error that it may make on sums of `inputs` products.
fn arithmetics(set: Instructions, inputs: usize) -> Vec<(Arithmetic, f64)> {
    let size = (inputs as f64).sqrt();
    let mut all = vec![(Arithmetic::F32, 1e-6 * size), (Arithmetic::Int8, 0.02 * size)];
    all.extend(Arithmetic::bf16(set).map(|bf16| (bf16, 0.01 * size)));
    all
}

fn product(x: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
    let inputs = weights.len() / bias.len();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    let row = |x: &[f32]| weights.chunks(inputs).zip(bias).map(|(w, &b)| dot(x, w) + f64::from(b)).collect::<Vec<_>>();
    x.chunks(inputs).flat_map(row).collect()
}

#[test]
fn products_agree_with_plain_sums() {
    // Sizes that fill tiles, and sizes that leave a part of everything.
    for (rows, inputs, outputs) in [(16, 32, 64), (17, 36, 52), (25, 384, 96), (16, 1, 1), (40, 131, 33)] {
        let (x, weights, bias) = (numbers(rows * inputs, 1), numbers(inputs * outputs, 2), numbers(outputs, 3));
        let expected = product(&x, &weights, &bias);
        for set in available() {
            for (arithmetic, tolerance) in arithmetics(set, inputs) {
                let linear = Linear::pack(set, arithmetic, &weights, &bias);
                let mut out = vec![f32::NAN; rows * linear.stride()];
                linear.apply(Rows { numbers: &x, stride: inputs, count: rows }, &mut Scratch::default(), &mut out, 1);
                for (row, expected) in out.chunks(linear.stride()).zip(expected.chunks(outputs)) {
                    for (got, expected) in row.iter().zip(expected) {
                        assert!((f64::from(*got) - expected).abs() <= tolerance, "{set:?} {rows}x{inputs}x{outputs}: {got} {expected}");
                    }
                    assert!(row[outputs..].iter().all(|&x| x == 0.0), "{set:?}: what means nothing must be 0");
                }
            }
        }
    }
}

#[test]
fn a_row_of_a_product_does_not_depend_on_its_place_or_on_threads() {
    let (inputs, outputs) = (200, 150);
    let (weights, bias) = (numbers(inputs * outputs, 2), numbers(outputs, 3));
    for set in available() {
        for (arithmetic, _) in arithmetics(set, inputs) {
            let linear = Linear::pack(set, arithmetic, &weights, &bias);
            let apply = |rows: &[f32], threads| {
                let count = rows.len() / inputs;
                let mut out = vec![0.0; count * linear.stride()];
                linear.apply(Rows { numbers: rows, stride: inputs, count }, &mut Scratch::default(), &mut out, threads);
                out
            };
            let all = numbers(31 * inputs, 1);
            let expected = apply(&all, 1);
            assert_eq!(apply(&all, 3), expected, "{set:?}");
            assert_eq!(apply(&all[7 * inputs..], 1), expected[7 * linear.stride()..], "{set:?}");
            assert_eq!(apply(&all[..17 * inputs], 2), expected[..17 * linear.stride()], "{set:?}");
        }
    }
}

#[test]
fn amx_gives_the_numbers_that_avx512_gives_for_small_integers() {
    if !Instructions::Amx.are_available() {
        return;
    }
    let (rows, inputs, outputs) = (75, 300, 131);
    let (x, weights, bias) = (numbers(rows * inputs, 1), numbers(inputs * outputs, 2), numbers(outputs, 3));
    let [with, without] = [Instructions::Amx, Instructions::Avx512].map(|set| {
        let linear = Linear::pack(set, Arithmetic::Int8, &weights, &bias);
        let mut out = vec![0.0; rows * linear.stride()];
        linear.apply(Rows { numbers: &x, stride: inputs, count: rows }, &mut Scratch::default(), &mut out, 1);
        out.chunks(linear.stride()).flat_map(|row| row[..outputs].to_vec()).collect::<Vec<_>>()
    });
    assert!(with == without);
}

#[test]
fn small_integers_give_the_same_sums_with_all_instructions() {
    let (rows, inputs, outputs) = (16, 387, 40);
    // Extremes, where narrower sums would overflow.
    let x: Vec<f32> = (0..rows * inputs).map(|i| if i % inputs == 0 { 0.0 } else { 255.0 }).collect();
    let weight = |output: usize, input: usize| if input % 2 == 1 { 0.0 } else { [127.0, -127.0][output % 2] };
    let weights: Vec<f32> = (0..inputs * outputs).map(|i| weight(i / inputs, i % inputs)).collect();
    let expected = product(&x, &weights, &vec![0.0; outputs]);
    for set in available() {
        let linear = Linear::pack(set, Arithmetic::Int8, &weights, &vec![0.0; outputs]);
        let mut out = vec![0.0; rows * linear.stride()];
        linear.apply(Rows { numbers: &x, stride: inputs, count: rows }, &mut Scratch::default(), &mut out, 1);
        for (row, expected) in out.chunks(linear.stride()).zip(expected.chunks(outputs)) {
            row.iter().zip(expected).for_each(|(got, expected)| assert!((f64::from(*got) - expected).abs() <= 2.0, "{set:?}: {got} {expected}"));
        }
    }
}

#[test]
fn four_weights_that_meet_in_16_bits_fit_there() {
    // The second row's four are 128 before rounding and 129 after it.
    let rows = [
        numbers(387, 9),
        [31.6, 31.6, 0.0, 0.0, 31.6, 33.2, 0.0, 0.0].repeat(3),
        vec![-1.0; 13],
        vec![0.0; 5],
        vec![1e-38; 8],
        vec![f32::from_bits(1); 8],
    ];
    for row in rows {
        let mut integers = vec![0; row.len()];
        let scale = quantise_weights(&row, true, &mut integers);
        for (&q, x) in integers.iter().zip(&row) {
            // A half by rounding, and one where it gave way.
            assert!((q as f32 * scale - x).abs() <= 1.51 * scale.max(f32::MIN_POSITIVE * 128.0), "{x} became {q} times {scale}");
        }
        integers.resize(row.len().next_multiple_of(8), 0);
        for eight in integers.chunks_exact(8) {
            for four in [[0, 1, 4, 5], [2, 3, 6, 7]].map(|four| four.map(|i| eight[i])) {
                let of_sign = |sign: i32| four.iter().map(|q| (sign * q).max(0)).sum::<i32>();
                assert!(of_sign(1) <= 128 && of_sign(-1) <= 128, "{four:?}");
            }
        }
    }
}

#[test]
fn products_of_bytes_are_those_of_their_integers() {
    // Words of bytes, extremes among them, in rows with one word before what is multiplied.
    let (rows, len) = (11, 3 * LINE_WORDS);
    let byte = |x: f32| if x.abs() > 0.9 { 127 * x.signum() as i8 } else { (x * 127.0) as i8 };
    let bytes: Vec<i8> = numbers((rows + 1) * 4 * (len + 1), 10).into_iter().map(byte).collect();
    let words: Vec<i32> = bytes.chunks(4).map(|b| i32::from_le_bytes([b[0] as u8, b[1] as u8, b[2] as u8, b[3] as u8])).collect();
    let row = |row: usize| &bytes[4 * (row * (len + 1) + 1)..][..4 * len];
    let expected = |of: usize| row(rows).iter().zip(row(of)).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>();
    let (query, table) = (&words[rows * (len + 1) + 1..][..len], ByteRows { words: &words, stride: len + 1, skip: 1 });
    for set in available() {
        let mut out = vec![0; rows - 2];
        dot_range(set, query, table, 2, &mut out);
        assert_eq!(out, (2..rows).map(expected).collect::<Vec<_>>(), "{set:?}");
        let which = [5, 0, 10, 10, 3, 7];
        let mut out = [0; 6];
        dot_rows(set, query, table, &which, &mut out);
        assert_eq!(out.to_vec(), which.map(|row| expected(row as usize)).to_vec(), "{set:?}");
        assert_eq!(dot_pair(set, query, query), expected(rows), "{set:?}");
    }
}

#[test]
fn halves_become_the_numbers_they_are() {
    for len in [1, 2, 7, 16, 33, 384] {
        let halves: Vec<half::f16> = numbers(len, 11).into_iter().map(half::f16::from_f32).collect();
        let bits = |at: usize| halves.get(at).map_or(0, |half| i32::from(half.to_bits()));
        let words: Vec<i32> = (0..len.div_ceil(2)).map(|i| bits(2 * i) | bits(2 * i + 1) << 16).collect();
        for set in available() {
            let mut out = vec![7.0; len];
            from_halves(set, &words, &mut out);
            assert_eq!(out, halves.iter().map(|half| half.to_f32()).collect::<Vec<_>>(), "{set:?} {len}");
        }
    }
}

#[test]
fn attention_agrees_with_its_formula() {
    for (heads, length) in [((3, 12), 5), ((12, 32), 70), ((2, 64), 33), ((1, 20), 1), ((2, 14), 17)] {
        let heads = Heads { count: heads.0, dim: heads.1 };
        let (hidden, stride) = (heads.count * heads.dim, 3 * heads.count * heads.dim + 5);
        let qkv = numbers(length * stride, 4);
        let part = |row: usize, part: usize, head: usize| &qkv[row * stride + part * hidden + head * heads.dim..][..heads.dim];
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
        for (set, arithmetic, tolerance) in available().into_iter().flat_map(|set| [(set, Arithmetic::F32, 2e-6), (set, Arithmetic::Int8, 2e-3)]) {
            let mut out = vec![7.0; length * hidden];
            Attention::default().attend((set, arithmetic), heads, Rows { numbers: &qkv, stride, count: length }, (&mut out, hidden));
            for (row, head) in (0..length).flat_map(|row| (0..heads.count).map(move |head| (row, head))) {
                let scores: Vec<f64> = (0..length).map(|key| dot(part(row, 0, head), part(key, 1, head)).exp2()).collect();
                let sum: f64 = scores.iter().sum();
                for i in 0..heads.dim {
                    let expected = (0..length).map(|key| scores[key] / sum * f64::from(part(key, 2, head)[i])).sum::<f64>();
                    let got = out[row * hidden + head * heads.dim + i];
                    assert!((f64::from(got) - expected).abs() < tolerance, "{set:?} {heads:?} row {row}: {got} {expected}");
                }
            }
        }
    }
}

#[test]
fn attention_to_the_same_thing_everywhere_is_that_thing() {
    // As large as integers get: a sum that is too large would turn round.
    for (dim, length) in [(32, 512), (64, 300), (16, 1), (32, 1024), (16, 3000)] {
        for (set, arithmetic) in available().into_iter().flat_map(|set| [(set, Arithmetic::F32), (set, Arithmetic::Int8)]) {
            let qkv = vec![-1.5; length * 3 * dim];
            let mut out = vec![7.0; length * dim];
            let rows = Rows { numbers: &qkv, stride: 3 * dim, count: length };
            Attention::default().attend((set, arithmetic), Heads { count: 1, dim }, rows, (&mut out, dim));
            assert!(out.iter().all(|x| (x + 1.5).abs() < 2e-3), "{set:?} {dim} {length}: {}", out[0]);
        }
    }
}

/// The error function by its series (Abramowitz and Stegun, 7.1.5).
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / n as f64;
        sum += term / (2 * n + 1) as f64;
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

#[test]
fn gelu_agrees_with_the_error_function() {
    let x: Vec<f32> = (-450..450).map(|i| i as f32 / 100.0).chain([-30.0, -1e4, 30.0, 1e4, 0.0]).collect();
    for set in available() {
        let mut y = x.clone();
        gelu(set, &mut y);
        for (&x, &y) in x.iter().zip(&y) {
            let erf = if x.abs() > 10.0 { f64::from(x.signum()) } else { erf(f64::from(x) / 2f64.sqrt()) };
            let expected = f64::from(x) / 2.0 * (1.0 + erf);
            assert!((f64::from(y) - expected).abs() < 2e-6, "{set:?}: gelu({x}) = {y}, expected {expected}");
        }
    }
}

#[test]
fn layer_norm_agrees_with_its_formula() {
    for dim in [1, 7, 24, 36, 384] {
        let stride = dim + 9;
        let (x, added, weight, bias) = (numbers(3 * stride, 5), numbers(3 * stride, 6), numbers(dim, 7), numbers(dim, 8));
        let norm = Norm::new(weight.clone(), bias.clone(), 1e-5);
        for set in available() {
            let mut rows = x.clone();
            norm.add_and_apply(set, &mut rows, &added, stride);
            for row in 0..3 {
                let sums: Vec<f64> = (0..dim).map(|i| f64::from(x[row * stride + i] + added[row * stride + i])).collect();
                let mean = sums.iter().sum::<f64>() / dim as f64;
                let variance = sums.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / dim as f64;
                for i in 0..dim {
                    let expected = (sums[i] - mean) / (variance + 1e-5).sqrt() * f64::from(weight[i]) + f64::from(bias[i]);
                    let got = f64::from(rows[row * stride + i]);
                    assert!((got - expected).abs() < 1e-5, "{set:?} {dim}: {got} {expected}");
                }
                assert_eq!(rows[row * stride + dim..(row + 1) * stride], x[row * stride + dim..(row + 1) * stride], "beyond the row");
            }
        }
    }
}

//! How long a map takes, step by step: `cargo bench --bench map -- VECTORS.npy`.

use std::time::Instant;

use paperkin::index::{Index, Source};
use paperkin::topics::lay_out;
use paperkin::vector::Vectors;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let vectors = read(&args[0]);
    let start = Instant::now();
    let labels: Vec<i64> = (1..=vectors.len() as i64).collect();
    let index = Index::build(Source { vectors: &vectors, labels: &labels, state: 0 }, None).unwrap();
    println!("index {:.3}", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let near = index.neighbours(15).unwrap();
    println!("neighbours {:.3}", start.elapsed().as_secs_f64());
    let near: Vec<Vec<(u32, f32)>> = near.into_iter().map(|list| list.into_iter().map(|n| (n.row.0, n.cosine)).collect()).collect();
    let start = Instant::now();
    let positions = lay_out(&vectors, &near);
    println!("layout {:.3}", start.elapsed().as_secs_f64());
    if let Some(out) = args.get(1) {
        let bytes: Vec<u8> = positions.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(out, bytes).unwrap();
        let bytes: Vec<u8> = near.iter().flatten().flat_map(|x| x.0.to_le_bytes()).collect();
        std::fs::write(format!("{out}.knn"), bytes).unwrap();
    }
}

fn read(file: &str) -> Vectors {
    let bytes = std::fs::read(file).expect("the file of vectors");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..start]).into_owned();
    let shape = header.split("shape': (").nth(1).and_then(|shape| shape.split([',', ')']).nth(1));
    let dim = shape.and_then(|dim| dim.trim().parse().ok()).expect("a shape");
    Vectors::from_rows(dim, bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

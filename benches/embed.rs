fn main() {
    use paperkin::embed::*;
    let args: Vec<String> = std::env::args().collect();
    let precision: Precision = args[1].parse().unwrap();
    let texts: Vec<String> = std::fs::read_to_string(&args[2])
        .unwrap()
        .lines()
        .take(args[3].parse().unwrap())
        .map(|l| serde_json::from_str::<String>(l).unwrap())
        .collect();
    let texts: Vec<&str> = texts.iter().map(|s| s.as_str()).collect();
    let t = std::time::Instant::now();
    let instructions = std::env::var("PAPERKIN_INSTRUCTIONS").ok().map(|s| s.parse().unwrap());
    let e = Embedder::load(Model::built_in().unwrap(), Compute { precision, instructions, ..Compute::default() }).unwrap();
    println!("load {:?}", t.elapsed());
    for _ in 0..4 {
        let t = std::time::Instant::now();
        let v = e.embed(&texts, Role::Document).unwrap();
        let s = t.elapsed().as_secs_f64();
        println!("{:?} {:.1}/s {:?}", precision, texts.len() as f64 / s, &v.as_slice()[..3]);
    }
    let q = "sparse attention for long documents with a graph neural network and a transformer model of the language of proteins and other sequences";
    let t = std::time::Instant::now();
    for _ in 0..50 {
        e.embed(&[q], Role::Query).unwrap();
    }
    println!("query {:?}", t.elapsed() / 50);
}

//! A map as large as is promised, made twice; `tests/real/map` opens it in a browser.

use std::path::Path;

use paperkin::render::{Map, MapPart, MapPoint, MapTopic, map_page, map_svg};

const PAPERS: usize = 50_000;
const TOPICS: usize = 60;

/// Made-up papers around made-up topics; some of their text would like to be markup.
fn made_up() -> Map {
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let middles: Vec<[f32; 2]> = (0..TOPICS).map(|_| [random() * 20.0, random() * 14.0]).collect();
    let words = ["sparse", "attention", "graph", "neural", "diffusion", "quantum", "causal", "retrieval", "policy", "tensor"];
    let mut text = |length: usize| (0..length).map(|_| words[(random() * 10.0) as usize]).collect::<Vec<_>>().join(" ");
    let texts: Vec<[String; 2]> = (0..PAPERS).map(|at| [format!("{} {at} <img src=x onerror=alert(1)>", text(6)), text(60)]).collect();
    let point = |(at, [title, abstract_text]): (usize, [String; 2])| {
        let middle = middles[at % TOPICS];
        let spread = random() + random() - 1.0;
        MapPoint {
            place: [middle[0] + 2.0 * spread, middle[1] + 1.5 * (random() + random() - 1.0)],
            topic: Some(at % TOPICS).filter(|_| at % 10 > 0),
            id: format!("made-up.{at}"),
            title,
            abstract_text,
            link: Some(if at % 2 == 0 { format!("https://example.org/{at}") } else { "javascript:alert(1)".to_owned() }),
            date: None,
        }
    };
    let topic = |at: usize| {
        let part = |half: usize| MapPart {
            name: format!("{} {half} <i>{at}</i>", words[at % 10]),
            points: (at..PAPERS).step_by(TOPICS).filter(|point| point / TOPICS % 2 == half).collect(),
        };
        let parts = (0..2).map(part).collect();
        MapTopic { name: format!("{} {} <b>{at}</b>", words[at % 10], words[at / 10]), keywords: vec![words[at % 10].to_owned()], parts }
    };
    Map {
        title: "Made-up papers </script><script>alert(1)</script>".to_owned(),
        points: texts.into_iter().enumerate().map(point).collect(),
        topics: (0..TOPICS).map(topic).collect(),
    }
}

#[test]
fn a_map_of_50000_papers_is_one_file_and_the_same_each_time() {
    let map = made_up();
    let (page, picture) = (map_page(&map), map_svg(&map));
    assert!(page == map_page(&map) && picture == map_svg(&map));
    assert!(page.len() < 33_000_000, "{}", page.len());
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("map");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("map.html"), page).unwrap();
    std::fs::write(directory.join("map.svg"), picture).unwrap();
}

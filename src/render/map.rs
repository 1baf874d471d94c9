//! A map of papers: one HTML file that needs nothing else, and a picture for print.
//!
//! ```text
//! places: x, y, topic as planes of u16 ─ deflate ─ base64 ┐
//! texts: a list of each kind as JSON   ─ deflate ─ base64 ┴─▶ map/page.html with map/page.css, map/page.js
//! ```
//!
//! All text is of others. In the page it stands as base64, which can end no element, and the script sets it as text, never as markup; nothing
//! but a web address becomes a link. The page's own policy lets no other script run and nothing be loaded.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use unicode_width::UnicodeWidthStr;

use super::one_line;
use crate::paper::Date;

const PAGE: &str = include_str!("map/page.html");
const STYLE: &str = include_str!("map/page.css");
const SCRIPT: &str = include_str!("map/page.js");

/// Characters of an abstract that a page holds.
const ABSTRACT: usize = 300;
/// No topic, among the numbers of topics.
const NONE: u16 = u16::MAX;
/// How hard to compress, of 10; more takes several times as long for a few per cent.
const EFFORT: u8 = 6;

/// What is drawn.
#[derive(Debug, Clone, Default)]
pub struct Map {
    /// The heading.
    pub title: String,
    /// The papers.
    pub points: Vec<MapPoint>,
    /// The topics that points name by their place here; of the first 65,535, those behind are not drawn as topics.
    pub topics: Vec<MapTopic>,
}

/// A paper on the map.
#[derive(Debug, Clone, Default)]
pub struct MapPoint {
    /// In any unit; a map is scaled to what it shows. What is not finite stands in the middle.
    pub place: [f32; 2],
    /// In [`Map::topics`]; `None` for a left-over.
    pub topic: Option<usize>,
    /// As people write it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its abstract, of which a page holds the beginning.
    pub abstract_text: String,
    /// Where to read it.
    pub link: Option<String>,
    /// When it was published.
    pub date: Option<Date>,
}

/// A topic on the map. Its number gives its colour.
#[derive(Debug, Clone, Default)]
pub struct MapTopic {
    /// Its name.
    pub name: String,
    /// Words of it, the best first.
    pub keywords: Vec<String>,
    /// Topics within it, whose names are shown to who looks closely.
    pub parts: Vec<MapPart>,
}

/// A topic within a topic.
#[derive(Debug, Clone, Default)]
pub struct MapPart {
    /// Its name.
    pub name: String,
    /// Its points, by their places in [`Map::points`].
    pub points: Vec<usize>,
}

/// The map as one page, to look around in.
pub fn map_page(map: &Map) -> String {
    let planes = Planes::of(map);
    let anchors = planes.anchors(map.topics.len());
    let topic = |(number, topic): (usize, &MapTopic)| {
        let keywords: Vec<String> = topic.keywords.iter().map(|word| one_line(word)).collect();
        json!({
            "name": one_line(&topic.name), "keywords": keywords, "at": anchors[number],
            "light": hex(colour(number, Scheme::Light)), "dark": hex(colour(number, Scheme::Dark)),
        })
    };
    let part = |(topic, part): (usize, &MapPart)| {
        let points = part.points.iter().filter_map(|point| Some([*planes.x.get(*point)?, *planes.y.get(*point)?]));
        json!({ "name": one_line(&part.name), "topic": topic, "papers": part.points.len(), "at": anchor(points.collect()) })
    };
    let parts = map.topics.iter().enumerate().flat_map(|(topic, of)| of.parts.iter().map(move |part| (topic, part)));
    let column = |text: &dyn Fn(&MapPoint) -> String| map.points.iter().map(text).collect::<Vec<String>>();
    let texts = json!({
        "topics": map.topics.iter().enumerate().map(topic).collect::<Vec<_>>(),
        "parts": parts.map(part).collect::<Vec<_>>(),
        "ids": column(&|point| one_line(&point.id)),
        "titles": column(&|point| one_line(&point.title)),
        "abstracts": column(&|point| beginning(&one_line(&point.abstract_text))),
        "links": column(&|point| web_link(point).unwrap_or_default().to_owned()),
        "dates": column(&|point| point.date.map(|date| date.to_string()).unwrap_or_default()),
    });
    let title = html_escape::encode_quoted_attribute(&one_line(&map.title)).into_owned();
    let parts = [
        ("title", title),
        ("count", grouped(map.points.len())),
        ("script-hash", hash(SCRIPT)),
        ("style-hash", hash(STYLE)),
        ("style", STYLE.to_owned()),
        ("script", SCRIPT.to_owned()),
        ("places", packed(&planes.bytes())),
        ("texts", packed(texts.to_string().as_bytes())),
    ];
    fill(PAGE, &parts)
}

/// The map as a picture: points and the names of topics.
pub fn map_svg(map: &Map) -> String {
    let planes = Planes::of(map);
    let [width, height] = planes.picture();
    let scale = PICTURE / f64::from(u16::MAX);
    let size = (160.0 / (map.points.len() as f64).sqrt()).clamp(1.6, 9.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{title}\" font-family=\"sans-serif\">\n\
         <title>{title}</title>\n<g fill=\"none\" stroke-linecap=\"round\" stroke-width=\"{size:.1}\" stroke-opacity=\".75\">\n",
        title = xml(&map.title),
    );
    let topics = [None].into_iter().chain((0..map.topics.len()).map(Some));
    for topic in topics {
        let number = topic.and_then(|topic| u16::try_from(topic).ok()).unwrap_or(NONE);
        let dots = planes.of_topic(number).fold(String::new(), |mut dots, [x, y]| {
            // Writing to a string cannot fail.
            let _ = write!(dots, "M{:.1} {:.1}h0", EDGE + f64::from(x) * scale, EDGE + f64::from(y) * scale);
            dots
        });
        if !dots.is_empty() && (topic.is_none() || number != NONE) {
            let colour = hex(topic.map_or(LEFT_OVER, |topic| colour(topic, Scheme::Light)));
            svg.push_str(&format!("<path stroke=\"{colour}\" d=\"{dots}\"/>\n"));
        }
    }
    svg.push_str("</g>\n<g font-weight=\"600\" text-anchor=\"middle\" fill=\"#1c1c1a\" stroke=\"#fff\" stroke-width=\"3.5\" stroke-linejoin=\"round\" paint-order=\"stroke\">\n");
    for Name { text, at: [x, y], size } in names(map, &planes) {
        svg.push_str(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size:.1}\">{}</text>\n", xml(&text)));
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// The longer side of a picture's points, without the edge.
const PICTURE: f64 = 1000.0;
const EDGE: f64 = 40.0;

/// A name where it is written.
struct Name {
    text: String,
    at: [f64; 2],
    size: f64,
}

/// The names of the topics that have room, the largest topics first.
fn names(map: &Map, planes: &Planes) -> Vec<Name> {
    let (anchors, scale) = (planes.anchors(map.topics.len()), PICTURE / f64::from(u16::MAX));
    let width = planes.picture()[0];
    let mut topics: Vec<(usize, usize)> = (0..anchors.len()).map(|topic| (planes.of_topic(topic as u16).count(), topic)).collect();
    topics.sort_by_key(|(count, topic)| (std::cmp::Reverse(*count), *topic));
    let (mut names, mut taken): (Vec<Name>, Vec<[f64; 4]>) = (Vec::new(), Vec::new());
    for (count, topic) in topics {
        let Some([x, y]) = anchors[topic] else { continue };
        let text = one_line(&map.topics[topic].name);
        let size = 12.0 + 10.0 * (count as f64 / map.points.len() as f64).sqrt();
        // A letter is about so much of its height wide; half of the name's width.
        let half = text.width() as f64 * size * 0.29;
        let x = (EDGE + f64::from(x) * scale).min(width - half - 4.0).max(half + 4.0);
        let y = EDGE + f64::from(y) * scale;
        let place = [x - half - 4.0, y - size, x + half + 4.0, y + size * 0.4];
        if taken.iter().all(|other| place[2] < other[0] || other[2] < place[0] || place[3] < other[1] || other[3] < place[1]) {
            taken.push(place);
            names.push(Name { text, at: [x, y], size });
        }
    }
    names
}

/// Places as whole numbers, and topics.
struct Planes {
    x: Vec<u16>,
    y: Vec<u16>,
    topics: Vec<u16>,
}

impl Planes {
    /// The longer side reaches from 0 to the largest u16, the other as far as it does in proportion. Up is up: y falls on a screen.
    fn of(map: &Map) -> Self {
        let bounds = [0, 1].map(|axis| {
            let finite = map.points.iter().map(|point| point.place[axis]).filter(|x| x.is_finite());
            finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
        });
        // In f64, as the difference of two f32 may be infinite.
        let span = bounds.iter().map(|(low, high)| f64::from(*high) - f64::from(*low)).fold(0.0, f64::max);
        let scale = if span > 0.0 { f64::from(u16::MAX) / span } else { 0.0 };
        let place = |axis: usize, x: f32| {
            let (low, high) = (f64::from(bounds[axis].0), f64::from(bounds[axis].1));
            let x = if x.is_finite() { f64::from(x) } else { (low + high) / 2.0 };
            ((if axis == 0 { x - low } else { high - x }) * scale).round() as u16
        };
        let topic = |topic: usize| u16::try_from(topic).ok().filter(|_| topic < map.topics.len());
        Self {
            x: map.points.iter().map(|point| place(0, point.place[0])).collect(),
            y: map.points.iter().map(|point| place(1, point.place[1])).collect(),
            topics: map.points.iter().map(|point| point.topic.and_then(topic).unwrap_or(NONE)).collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        [&self.x, &self.y, &self.topics].into_iter().flatten().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn of_topic(&self, topic: u16) -> impl Iterator<Item = [u16; 2]> {
        let points = self.x.iter().zip(&self.y).zip(&self.topics);
        points.filter(move |(_, own)| **own == topic).map(|((x, y), _)| [*x, *y])
    }

    /// Where the name of each topic stands.
    fn anchors(&self, topics: usize) -> Vec<Option<[u16; 2]>> {
        let mut points: Vec<Vec<[u16; 2]>> = vec![Vec::new(); topics];
        for ((x, y), topic) in self.x.iter().zip(&self.y).zip(&self.topics) {
            if let Some(points) = points.get_mut(usize::from(*topic)) {
                points.push([*x, *y]);
            }
        }
        points.into_iter().map(anchor).collect()
    }

    /// Width and height of a picture.
    fn picture(&self) -> [f64; 2] {
        let most = |plane: &[u16]| f64::from(plane.iter().copied().max().unwrap_or(0)) * PICTURE / f64::from(u16::MAX);
        [most(&self.x) + 2.0 * EDGE, most(&self.y) + 2.0 * EDGE]
    }
}

/// The middle of the points around their fullest place; nothing without points.
fn anchor(points: Vec<[u16; 2]>) -> Option<[u16; 2]> {
    const CELLS: usize = 24;
    let cell = |[x, y]: [u16; 2]| [x, y].map(|x| usize::from(x) * CELLS / (usize::from(u16::MAX) + 1));
    let mut counts = [[0u32; CELLS]; CELLS];
    points.iter().map(|point| cell(*point)).for_each(|[x, y]| counts[y][x] += 1);
    let is_near = |a: [usize; 2], b: [usize; 2]| a[0].abs_diff(b[0]) <= 1 && a[1].abs_diff(b[1]) <= 1;
    let around = |[x, y]: [usize; 2]| -> u32 {
        let rows = counts[y.saturating_sub(1)..(y + 2).min(CELLS)].iter();
        rows.map(|row| row[x.saturating_sub(1)..(x + 2).min(CELLS)].iter().sum::<u32>()).sum()
    };
    let fullest = points.iter().map(|point| cell(*point)).max_by_key(|at| (around(*at), counts[at[1]][at[0]], *at))?;
    let near: Vec<[u16; 2]> = points.into_iter().filter(|point| is_near(cell(*point), fullest)).collect();
    Some([0, 1].map(|axis| (near.iter().map(|point| u64::from(point[axis])).sum::<u64>() / near.len() as u64) as u16))
}

enum Scheme {
    Light,
    Dark,
}

type Rgb = [u8; 3];

/// The colours of Okabe and Ito, which the colour-blind tell apart; on white the yellow is darker than theirs, on black the blue lighter.
const LIGHT: [Rgb; 7] = [[230, 159, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167], [213, 94, 0], [86, 180, 233], [186, 170, 0]];
const DARK: [Rgb; 7] = [[230, 159, 0], [70, 150, 214], [0, 178, 130], [214, 140, 180], [232, 112, 50], [124, 200, 242], [240, 228, 66]];
const LEFT_OVER: Rgb = [176, 176, 172];

/// Of a topic, by its number: seven colours, then the same darker, then lighter, then again. Names tell topics of one colour apart.
fn colour(topic: usize, scheme: Scheme) -> Rgb {
    let colours = match scheme {
        Scheme::Light => LIGHT,
        Scheme::Dark => DARK,
    };
    let towards = |other: u8| colours[topic % colours.len()].map(|x| ((u16::from(x) * 13 + u16::from(other) * 7) / 20) as u8);
    match topic / colours.len() % 3 {
        0 => colours[topic % colours.len()],
        1 => towards(0),
        _ => towards(255),
    }
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Nothing but a web address may become a link.
fn web_link(point: &MapPoint) -> Option<&str> {
    point.link.as_deref().filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(ABSTRACT) {
        Some((cut, _)) => format!("{}…", text[..cut].trim_end()),
        None => text.to_owned(),
    }
}

/// 30000 as 30,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = (digits.len() + 2) % 3 + 1;
    let rest = digits.as_bytes()[first..].chunks(3).map(|three| format!(",{}", String::from_utf8_lossy(three)));
    format!("{}{}", &digits[..first], rest.collect::<String>())
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

fn packed(bytes: &[u8]) -> String {
    STANDARD.encode(miniz_oxide::deflate::compress_to_vec(bytes, EFFORT))
}

/// The template with its parts. What a part holds is not looked at again.
fn fill(template: &str, parts: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(template.len() + parts.iter().map(|(_, part)| part.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let part = after.split_once('}').and_then(|(name, behind)| Some((parts.iter().find(|part| part.0 == name)?, behind)));
        match part {
            Some(((_, part), behind)) => {
                out.push_str(part);
                rest = behind;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

/// Text in XML, which has no control characters.
fn xml(text: &str) -> String {
    let is_allowed = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    html_escape::encode_quoted_attribute(&one_line(text).chars().filter(is_allowed).collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</script><script>alert(1)</script> \" ' & <!-- \u{0} \u{202e} {title} ]]>";

    fn hostile(points: usize) -> Map {
        let point = |at: usize| MapPoint {
            place: [at as f32, (at * at % 7) as f32],
            topic: [Some(at % 3), None][at % 2],
            id: HOSTILE.to_owned(),
            title: HOSTILE.to_owned(),
            abstract_text: HOSTILE.repeat(20),
            link: Some(["javascript:alert(1)", "https://arxiv.org/abs/1706.03762\"onclick=\""][at % 2].to_owned()),
            date: Some(Date::constant(2026, 1, 2)),
        };
        let topic = MapTopic {
            name: HOSTILE.to_owned(),
            keywords: vec![HOSTILE.to_owned()],
            parts: vec![MapPart { name: HOSTILE.to_owned(), points: vec![0, 9] }],
        };
        Map { title: HOSTILE.to_owned(), points: (0..points).map(point).collect(), topics: vec![topic; 3] }
    }

    /// What an element of a page holds, unpacked.
    fn unpacked(page: &str, id: &str) -> Vec<u8> {
        let start = page.find(&format!("id=\"{id}\">")).unwrap() + id.len() + 6;
        let text = page[start..].split('<').next().unwrap();
        miniz_oxide::inflate::decompress_to_vec(&STANDARD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn text_of_others_ends_no_element_and_gives_no_other_link() {
        let page = map_page(&hostile(10));
        assert_eq!(page.matches("<script").count(), PAGE.matches("<script").count());
        assert_eq!(page.matches("alert(1)").count(), 2, "in the title and the heading only, escaped");
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
        let texts: serde_json::Value = serde_json::from_slice(&unpacked(&page, "texts")).unwrap();
        assert_eq!(texts["links"][0], "");
        assert!(texts["links"][1].as_str().unwrap().starts_with("https://"));
        assert_eq!(texts["dates"][1], "2026-01-02");
        assert_eq!(texts["abstracts"][0].as_str().unwrap().chars().count(), ABSTRACT + 1);
        let svg = map_svg(&hostile(10));
        assert!(!svg.contains("<script") && !svg.contains('\0') && svg.contains("&lt;script"), "{svg}");
    }

    #[test]
    fn the_policy_names_the_very_script_and_style_of_the_page() {
        let page = map_page(&hostile(2));
        let (script, style) = (page.rsplit("<script>").next().unwrap(), page.split("<style>").nth(1).unwrap());
        assert!(page.contains(&format!("script-src 'sha256-{}'", hash(script.split("</script>").next().unwrap()))));
        assert!(page.contains(&format!("style-src 'sha256-{}'", hash(style.split("</style>").next().unwrap()))));
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("</"));
    }

    #[test]
    fn places_keep_their_proportions_and_up_is_up() {
        let mut map = hostile(3);
        map.points.iter_mut().zip([[0.0, 0.0], [10.0, 5.0], [f32::NAN, 2.5]]).for_each(|(point, place)| point.place = place);
        let planes = Planes::of(&map);
        assert_eq!(planes.x, [0, 65535, 32768]);
        assert_eq!(planes.y, [32768, 0, 16384]);
        assert_eq!(planes.topics, [0, NONE, 2]);
        assert_eq!(unpacked(&map_page(&map), "places").len(), 18);
    }

    #[test]
    fn any_number_of_papers_makes_a_map() {
        for points in [0, 1, 2, 3, 200] {
            let mut map = hostile(points);
            map.points.iter_mut().for_each(|point| point.place = [f32::MAX, f32::MIN]);
            assert!(map_page(&map).ends_with("</html>\n"));
            assert!(map_svg(&map).ends_with("</svg>\n"));
        }
        let mut map = hostile(2);
        map.points[0].topic = Some(70_000);
        map.points[1].place = [f32::INFINITY, f32::NAN];
        assert!(map_svg(&map).ends_with("</svg>\n"));
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        let cases = [(0, "0"), (7, "7"), (123, "123"), (1234, "1,234"), (30_000, "30,000"), (1_234_567, "1,234,567")];
        cases.into_iter().for_each(|(number, text)| assert_eq!(grouped(number), text));
    }
}

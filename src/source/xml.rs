//! Records of an XML document, one at a time, so that memory does not grow with the document.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::metered::{LARGEST, Meter, Metered};
use super::{Failure, Item};
use crate::error::Result;

/// Elements in each other.
const DEEPEST: usize = 64;

/// An element with all that is in it. Names are without prefixes, as feeds choose those as they like.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub name: String,
    attributes: Vec<(String, String)>,
    /// Its own text, without that of the elements in it.
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// The elements of a name in it.
    pub(super) fn all<'e>(&'e self, name: &'static str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element of a name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of a name that has some; of several names, the first that is there.
    pub(super) fn text_of(&self, names: &[&'static str]) -> &str {
        let mut texts = names.iter().flat_map(|name| self.all(name)).map(|child| child.text.trim());
        texts.find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// An attribute; empty without it.
    pub(super) fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }
}

/// The elements of some names in a document, each turned into an item by `item`, or into none. What follows a fault of the XML is lost, and told.
pub(super) fn records<'a>(
    origin: &str,
    input: impl BufRead + 'a,
    names: &'static [&'static str],
    item: impl Fn(&Element) -> std::result::Result<Option<Item>, String> + 'a,
) -> impl Iterator<Item = Result<Item>> + 'a {
    let (input, meter) = Metered::new(input, "a tag");
    let mut document = Document { reader: Reader::from_reader(input), buffer: Vec::new(), meter, depth: 0 };
    let (origin, mut number, mut is_over) = (origin.to_owned(), 0u64, false);
    std::iter::from_fn(move || {
        let failed = |number: u64, reason: String| Item::Failed(Failure { place: format!("{origin}: record {number}"), reason });
        while !is_over {
            let found = match document.next(names) {
                Ok(None) => return None,
                Ok(Some(element)) => {
                    number += 1;
                    item(&element).unwrap_or_else(|reason| Some(failed(number, reason)))
                }
                Err(reason) => {
                    is_over = true;
                    Some(Item::Lost(Failure { place: format!("{origin}: record {}", number + 1), reason: format!("{reason}; what follows is lost") }))
                }
            };
            if let Some(item) = found {
                return Some(Ok(item));
            }
        }
        None
    })
}

struct Document<R: BufRead> {
    reader: Reader<Metered<R>>,
    buffer: Vec<u8>,
    meter: Meter,
    /// Elements that are open around the next record; the reader keeps their names.
    depth: usize,
}

impl<R: BufRead> Document<R> {
    /// The next element of one of these names.
    fn next(&mut self, names: &[&str]) -> std::result::Result<Option<Element>, String> {
        loop {
            self.buffer.clear();
            self.meter.reset();
            match self.reader.read_event_into(&mut self.buffer).map_err(|e| reason(&e))? {
                Event::Start(start) if names.contains(&start.local_name().as_ref()) => {
                    let element = opened(&start);
                    return self.filled(element).map(Some);
                }
                Event::Start(_) if self.depth == DEEPEST => return Err(format!("more than {DEEPEST} elements in each other")),
                Event::Start(_) => self.depth += 1,
                Event::End(_) => self.depth = self.depth.saturating_sub(1),
                Event::Eof if self.depth > 0 => return Err("the XML is cut off".to_owned()),
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    /// Reads an element to its end.
    fn filled(&mut self, element: Element) -> std::result::Result<Element, String> {
        let mut open = vec![element];
        let mut size = 0;
        loop {
            self.buffer.clear();
            self.meter.reset();
            let event = self.reader.read_event_into(&mut self.buffer).map_err(|e| reason(&e))?;
            let Some(innermost) = open.last_mut() else { return Err("the XML is not well-formed".to_owned()) };
            match event {
                Event::Start(start) => open.push(opened(&start)),
                Event::Empty(start) => innermost.children.push(opened(&start)),
                Event::Text(text) => innermost.text.push_str(&text.xml10_content()),
                Event::CData(text) => innermost.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let name = reference.xml10_content();
                    match reference.resolve_char_ref() {
                        Ok(Some(c)) => innermost.text.push(c),
                        // Feeds name characters as HTML does, declared or not.
                        _ => innermost.text.push_str(&html_escape::decode_html_entities(&format!("&{name};"))),
                    }
                }
                Event::End(_) => {
                    let done = open.pop().unwrap_or_default();
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    }
                }
                Event::Eof => return Err("the XML is cut off".to_owned()),
                _ => {}
            }
            size += self.buffer.len();
            if size > LARGEST || open.len() > DEEPEST {
                return Err(format!("a record of more than {} MiB, or {DEEPEST} elements in each other", LARGEST >> 20));
            }
        }
    }
}

fn opened(start: &BytesStart<'_>) -> Element {
    // What cannot be read of an attribute is left out.
    let attribute = |attribute: quick_xml::events::attributes::Attribute<'_>| {
        let value = html_escape::decode_html_entities(&attribute.value).into_owned();
        (attribute.key.local_name().as_ref().to_owned(), value)
    };
    let attributes = start.attributes().with_checks(false).flatten().map(attribute).collect();
    Element { name: start.local_name().as_ref().to_owned(), attributes, ..Element::default() }
}

fn reason(error: &quick_xml::Error) -> String {
    format!("the XML cannot be read: {error}")
}

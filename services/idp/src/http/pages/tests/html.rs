//! Reads what the templates write: strict, since they are ours.

/// The elements that the pages are made of.
pub(super) const KNOWN: [&str; 36] = [
    "html", "head", "meta", "title", "link", "body", "header", "main", "footer", "h1", "h2", "p", "div", "span",
    "strong", "bdi", "a", "img", "form", "fieldset", "legend", "label", "input", "button", "ul", "li", "code",
    "iframe", "time", "noscript", "script", "br", "section", "nav", "em", "small",
];

const VOID: [&str; 5] = ["meta", "link", "img", "input", "br"];

/// An element: its name and its attributes, decoded.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

impl Element {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// The elements of a page in their order. Panics if tags are not balanced or text holds what should be escaped.
pub(super) fn elements(html: &str) -> Vec<Element> {
    let html = html.strip_prefix("<!DOCTYPE html>").unwrap();
    let (elements, open) = read(html);
    assert!(open.is_empty(), "not closed: {open:?}");
    elements
}

/// The elements of a part of a page, whose last ones may be open.
pub(super) fn elements_of(html: &str) -> Vec<Element> {
    read(html).0
}

fn read(mut html: &str) -> (Vec<Element>, Vec<String>) {
    let (mut elements, mut open) = (Vec::new(), Vec::<String>::new());
    while let Some((text, rest)) = html.split_once('<') {
        decode(text);
        if let Some(rest) = rest.strip_prefix('/') {
            let (name, rest) = rest.split_once('>').unwrap();
            assert_eq!(open.pop().as_deref(), Some(name), "closed in a wrong order");
            html = rest;
            continue;
        }
        let (element, rest) = tag(rest);
        if !VOID.contains(&&*element.name) {
            open.push(element.name.clone());
        }
        html = rest;
        elements.push(element);
    }
    decode(html);
    (elements, open)
}

/// Reads a tag behind its `<`, and what comes after it.
fn tag(text: &str) -> (Element, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap();
    let (name, mut rest) = text.split_at(end);
    assert!(!name.is_empty(), "no tag: {text}");
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('>') {
            return (Element { name: name.to_owned(), attributes }, rest);
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap();
        let (name, after) = rest.split_at(end);
        assert!(!name.is_empty(), "no attribute: {rest}");
        let (value, after) = match after.strip_prefix("=\"") {
            Some(value) => value.split_once('"').unwrap(),
            None => ("", after),
        };
        assert!(!value.contains('<'), "not escaped: {value}");
        assert!(after.starts_with([' ', '\n', '>']), "attributes stand apart: {rest}");
        attributes.push((name.to_owned(), decode(value)));
        rest = after;
    }
}

/// What escaped text says. Panics at what is not escaped.
fn decode(text: &str) -> String {
    assert!(!text.contains('>'), "not escaped: {text}");
    let mut parts = text.split('&');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.strip_prefix('#').and_then(|part| part.split_once(';')).unwrap();
        decoded.push(char::from(code.parse::<u8>().unwrap()));
        decoded.push_str(rest);
    }
    decoded
}

//! The forms, links and frames of a page, as a browser without scripts would use them.

use std::cell::RefCell;

use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
    states::RawKind::{Rawtext, Rcdata, ScriptData},
};

/// What a page holds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Elements {
    pub(crate) forms: Vec<Form>,
    /// The targets of links.
    pub(crate) links: Vec<String>,
    /// The sources of images.
    pub(crate) images: Vec<String>,
    /// The sources of frames.
    pub(crate) frames: Vec<String>,
    /// The targets of `<meta http-equiv="refresh">`.
    pub(crate) refreshes: Vec<String>,
    /// Whether there is a script.
    pub(crate) has_script: bool,
}

/// A form.
#[derive(Debug, Default, Clone)]
pub(crate) struct Form {
    id: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) is_post: bool,
    pub(crate) inputs: Vec<Input>,
    pub(crate) buttons: Vec<Button>,
}

/// A field.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The type, in small letters.
    pub(crate) kind: String,
    pub(crate) checked: bool,
}

/// What submits a form.
#[derive(Debug, Default, Clone)]
pub(crate) struct Button {
    pub(crate) name: Option<String>,
    pub(crate) value: String,
    pub(crate) action: Option<String>,
    /// What a person reads on it.
    pub(crate) text: String,
}

/// Reads a page.
pub(crate) fn read(html: &str) -> Elements {
    let input = BufferQueue::default();
    input.push_back(html.into());
    let reader = Tokenizer::new(Reader::default(), TokenizerOpts::default());
    let _ = reader.feed(&input);
    reader.end();
    reader.sink.0.into_inner().finish()
}

#[derive(Default)]
struct Reader(RefCell<State>);

#[derive(Default)]
struct State {
    found: Elements,
    in_form: bool,
    /// A button whose text is being read, and the form that it names.
    button: Option<(Button, Option<String>)>,
    /// Buttons and fields outside of the forms that they name.
    apart: Vec<(Option<String>, Part)>,
}

enum Part {
    Input(Input),
    Button(Button),
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                state.open(&tag);
                return match &*tag.name {
                    "script" => TokenSinkResult::RawData(ScriptData),
                    "style" | "noframes" => TokenSinkResult::RawData(Rawtext),
                    "title" | "textarea" => TokenSinkResult::RawData(Rcdata),
                    _ => TokenSinkResult::Continue,
                };
            }
            Token::TagToken(tag) => state.close(&tag.name),
            Token::CharacterTokens(text) => {
                if let Some((button, _)) = &mut state.button {
                    button.text.push_str(&text);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn open(&mut self, tag: &Tag) {
        let get = |name: &str| {
            tag.attrs
                .iter()
                .find(|attribute| &*attribute.name.local == name)
                .map(|attribute| attribute.value.to_string())
        };
        match &*tag.name {
            "form" => {
                let is_post = get("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
                self.found.forms.push(Form { id: get("id"), action: get("action"), is_post, ..Form::default() });
                self.in_form = true;
            }
            "input" => self.input(&get),
            "button" if get("type").is_none_or(|kind| kind.eq_ignore_ascii_case("submit")) => {
                let value = get("value").unwrap_or_default();
                let button = Button { name: get("name"), value, action: get("formaction"), text: String::new() };
                self.button = Some((button, get("form")));
            }
            "a" => self.found.links.extend(get("href")),
            "img" => self.found.images.extend(get("src")),
            "iframe" | "frame" => self.found.frames.extend(get("src")),
            "meta" if get("http-equiv").is_some_and(|name| name.eq_ignore_ascii_case("refresh")) => {
                self.found.refreshes.extend(get("content").as_deref().and_then(refresh_target));
            }
            "script" => self.found.has_script = true,
            _ => {}
        }
    }

    fn input(&mut self, get: &dyn Fn(&str) -> Option<String>) {
        let kind = get("type").unwrap_or_else(|| "text".to_owned()).to_ascii_lowercase();
        let value = get("value").unwrap_or_default();
        let part = match kind.as_str() {
            "submit" | "image" => {
                Part::Button(Button { name: get("name"), text: value.clone(), value, action: get("formaction") })
            }
            "button" | "reset" => return,
            _ => {
                let Some(name) = get("name") else { return };
                Part::Input(Input { name, value, kind, checked: get("checked").is_some() })
            }
        };
        self.put(get("form"), part);
    }

    fn close(&mut self, name: &str) {
        match name {
            "form" => self.in_form = false,
            "button" => {
                if let Some((button, form)) = self.button.take() {
                    self.put(form, Part::Button(button));
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, form: Option<String>, part: Part) {
        match self.found.forms.last_mut() {
            Some(last) if self.in_form && form.is_none() => last.put(part),
            _ => self.apart.push((form, part)),
        }
    }

    fn finish(mut self) -> Elements {
        for (form, part) in self.apart {
            let named = self.found.forms.iter_mut().find(|known| form.is_some() && known.id == form);
            if let Some(named) = named {
                named.put(part);
            }
        }
        self.found
    }
}

impl Form {
    fn put(&mut self, part: Part) {
        match part {
            Part::Input(input) => self.inputs.push(input),
            Part::Button(button) => self.buttons.push(button),
        }
    }

    /// The field for a password.
    pub(crate) fn password(&self) -> Option<&Input> {
        self.inputs.iter().find(|input| input.kind == "password")
    }

    /// The field for a login name: the first that is written into.
    pub(crate) fn login(&self) -> Option<&Input> {
        self.inputs.iter().find(|input| matches!(input.kind.as_str(), "text" | "email" | "tel"))
    }

    /// What is submitted when nothing is changed and no button is named.
    pub(crate) fn values(&self) -> Vec<(String, String)> {
        let sent = self.inputs.iter().filter(|input| match input.kind.as_str() {
            "checkbox" | "radio" => input.checked,
            _ => true,
        });
        sent.map(|input| {
            let on = input.kind == "checkbox" && input.value.is_empty();
            (input.name.clone(), if on { "on".to_owned() } else { input.value.clone() })
        })
        .collect()
    }
}

/// `5; url=https://..`
fn refresh_target(content: &str) -> Option<String> {
    let (_, rest) = content.split_once([';', ','])?;
    let (key, url) = rest.split_once('=')?;
    key.trim().eq_ignore_ascii_case("url").then(|| url.trim().trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_hidden_fields_and_a_button_that_stands_apart() {
        let page = read(
            "<script>if (a < b) document.write('<form>')</script><form id=f method=POST action='/go?a=1&amp;b=2'>\
             <input type=hidden name=x value='&quot;'><input name=user><input type=password name=pass>\
             <input type=checkbox name=stay checked></form><button form=f name=yes value=1>Yes, <b>sign</b> out</button>",
        );
        let [form] = page.forms.as_slice() else { panic!("one form: {page:?}") };
        assert_eq!(form.action.as_deref(), Some("/go?a=1&b=2"));
        assert!(form.is_post && page.has_script);
        assert_eq!(form.login().map(|input| input.name.as_str()), Some("user"));
        assert_eq!(form.password().map(|input| input.name.as_str()), Some("pass"));
        assert_eq!(form.values().first(), Some(&("x".to_owned(), "\"".to_owned())));
        assert_eq!(form.values().last(), Some(&("stay".to_owned(), "on".to_owned())));
        assert_eq!(form.buttons.first().map(|button| button.text.as_str()), Some("Yes, sign out"));
    }

    #[test]
    fn frames_and_refreshes_are_found() {
        let page =
            read("<meta http-equiv=Refresh content='3; URL=\"https://rp/x\"'><iframe src=https://rp/out></iframe>");
        assert_eq!(page.refreshes, ["https://rp/x"]);
        assert_eq!(page.frames, ["https://rp/out"]);
    }
}

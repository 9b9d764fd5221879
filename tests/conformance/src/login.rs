//! Signs a person in by a provider's own forms, whatever they are called.

use secrecy::ExposeSecret;
use url::Url;

use crate::{
    browser::{
        Arrival, Browser, Page, Site, Visit,
        html::{Button, Form},
    },
    outcome::{Needed, Verdict, failed},
    target::Person,
};

/// A provider that asks more often does not take the password, or does not take an answer.
const ASKED: usize = 3;

/// What stands on a button that says yes.
const YES: [&str; 16] = [
    "continue", "allow", "accept", "authori", "approve", "agree", "confirm", "yes", "grant", "sign in", "sign-in",
    "log in", "login", "logout", "log out", "sign out",
];
/// What stands on a button that says no.
const NO: [&str; 9] = ["no,", "cancel", "deny", "decline", "reject", "abort", "back", "stay", "not now"];

/// The way from a request to where it ended.
#[derive(Debug)]
pub(crate) struct Journey {
    pub(crate) end: Arrival,
    /// The pages on the way, in order; without the last, if it ended at one.
    pub(crate) pages: Vec<Page>,
    /// The number of password prompts.
    pub(crate) logins: usize,
}

/// Opens a visit, and answers every form until it ends.
pub(crate) async fn walk(browser: &Browser, person: &Person, visit: Visit) -> Verdict<Journey> {
    let mut pages = Vec::new();
    let (mut logins, mut yeses) = (0, 0);
    let mut end = browser.open(visit).await?;
    loop {
        let Arrival::Page(page) = &end else { return Ok(Journey { end, pages, logins }) };
        let Some((visit, is_login)) = answer(page, person)? else { return Ok(Journey { end, pages, logins }) };
        let counted = if is_login { &mut logins } else { &mut yeses };
        *counted += 1;
        if *counted > ASKED {
            return Err(failed(format!("asked again and again: {}", page.described())));
        }
        pages.push(Page::clone(page));
        end = browser.open(visit).await?;
    }
}

/// Opens a visit, and answers by the first button that says no, on whichever page one is.
pub(crate) async fn walk_rejecting(browser: &Browser, person: &Person, visit: Visit) -> Verdict<Arrival> {
    let mut end = browser.open(visit).await?;
    for _ in 0..=ASKED {
        let Arrival::Page(page) = &end else { return Ok(end) };
        let found = page.elements.forms.iter().find_map(|form| Some((form, saying_no(form)?)));
        let next = match (found, link_saying_no(page)) {
            (Some((form, button)), _) => Some(submit(page, form, Some(button), None)?),
            (None, Some(url)) => Some(Visit { url, form: None, from: Site::Provider }),
            (None, None) => answer(page, person)?.map(|(visit, _)| visit),
        };
        let Some(visit) = next else { break };
        end = browser.open(visit).await?;
    }
    Ok(end)
}

/// The target of a link that says no.
fn link_saying_no(page: &Page) -> Option<Url> {
    let says_no = |link: &&String| ["abort", "cancel", "deny"].iter().any(|word| link.contains(word));
    page.elements.links.iter().find(says_no).and_then(|link| page.url.join(link).ok())
}

fn saying_no(form: &Form) -> Option<&Button> {
    form.buttons.iter().find(|button| says(button, &NO))
}

fn says(button: &Button, words: &[&str]) -> bool {
    let text = format!("{} {}", button.text, button.value).to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// What a person does on a page, and whether it is to give the password. Nothing on a page without a form to answer.
fn answer(page: &Page, person: &Person) -> Verdict<Option<(Visit, bool)>> {
    let forms = &page.elements.forms;
    if let Some(form) = forms.iter().find(|form| form.password().is_some()) {
        return submit(page, form, saying_yes(form), Some(person)).map(|visit| Some((visit, true)));
    }
    let found = forms.iter().find_map(|form| saying_yes(form).map(|button| (form, button)));
    let Some((form, button)) = found else { return Ok(None) };
    let user = form.login().is_some().then_some(person);
    submit(page, form, Some(button), user).map(|visit| Some((visit, false)))
}

/// The button that says yes; of a form with one button that does not say no, that one.
fn saying_yes(form: &Form) -> Option<&Button> {
    let mut fit = form.buttons.iter().filter(|button| !says(button, &NO));
    fit.clone().find(|button| says(button, &YES)).or_else(|| if form.is_post { fit.next() } else { None })
}

fn submit(page: &Page, form: &Form, button: Option<&Button>, person: Option<&Person>) -> Verdict<Visit> {
    let mut fields = form.values();
    if let Some(person) = person {
        let mut fill = |name: Option<&str>, value: &str| {
            for field in fields.iter_mut().filter(|field| Some(field.0.as_str()) == name) {
                value.clone_into(&mut field.1);
            }
        };
        fill(form.login().map(|input| input.name.as_str()), &person.name);
        fill(form.password().map(|input| input.name.as_str()), person.password.expose_secret());
    }
    if let Some((name, button)) = button.and_then(|button| Some((button.name.clone()?, button))) {
        fields.push((name, button.value.clone()));
    }
    let action = button.and_then(|button| button.action.as_deref()).or(form.action.as_deref()).unwrap_or_default();
    let mut url = page.url.join(action).needed("a form's action")?;
    if form.is_post {
        return Ok(Visit { url, form: Some(fields), from: Site::Provider });
    }
    url.query_pairs_mut().clear().extend_pairs(fields);
    Ok(Visit { url, form: None, from: Site::Provider })
}

//! A browser without scripts: cookies, redirects, forms.

pub(crate) mod html;
mod jar;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use reqwest::{
    StatusCode,
    header::{self, HeaderMap},
};
use url::{Url, form_urlencoded};

use self::jar::Jar;
pub(crate) use self::jar::Site;
use crate::{
    outcome::{Needed, Verdict, failed},
    target::CALLBACK,
};

/// No provider sends a browser in circles for longer.
const REDIRECTS: usize = 20;

/// What a browser opens.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) url: Url,
    /// The fields that are posted; nothing is, when there are none.
    pub(crate) form: Option<Vec<(String, String)>>,
    pub(crate) from: Site,
}

/// Where a visit ends.
#[derive(Debug, Clone)]
pub(crate) enum Arrival {
    /// At the relying party.
    Back(Answer),
    /// At a page.
    Page(Box<Page>),
}

/// How the parameters came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Query,
    Fragment,
    FormPost,
}

/// What came back to the relying party.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) via: Via,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Answer {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// A page that the person sees.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) elements: html::Elements,
}

impl Page {
    /// A line for a report.
    pub(crate) fn described(&self) -> String {
        let words: String = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let start: String = words.chars().take(160).collect();
        format!("a page at {} with status {}: {start}", self.url.path(), self.status.as_u16())
    }
}

/// One person's browser: its cookies are its own.
#[derive(Debug)]
pub(crate) struct Browser {
    http: reqwest::Client,
    jar: Mutex<Jar>,
}

impl Browser {
    /// `http` must not follow redirects.
    pub(crate) fn new(http: reqwest::Client) -> Self {
        Self { http, jar: Mutex::default() }
    }

    /// Opens a URL and follows redirects to a page, or back to the relying party.
    pub(crate) async fn open(&self, visit: Visit) -> Verdict<Arrival> {
        let mut visit = visit;
        for _ in 0..REDIRECTS {
            if is_relying(&visit.url) {
                return back(&visit).map(Arrival::Back);
            }
            let page = self.fetch(&visit).await?;
            match next(&visit, &page)? {
                Some(following) => visit = following,
                None => return Ok(Arrival::Page(Box::new(page))),
            }
        }
        Err(failed(format!("more than {REDIRECTS} redirects, the last to {}", visit.url)))
    }

    /// One request, without following where it leads.
    pub(crate) async fn fetch(&self, visit: &Visit) -> Verdict<Page> {
        let is_post = visit.form.is_some();
        let mut request = match &visit.form {
            None => self.http.get(visit.url.clone()),
            Some(fields) => self
                .http
                .post(visit.url.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(encoded(fields)),
        };
        let origin = match visit.from {
            Site::Provider => visit.url.origin().ascii_serialization(),
            Site::Relying => relying().origin().ascii_serialization(),
        };
        if is_post {
            request = request.header(header::ORIGIN, origin);
        }
        request = request.header(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");
        let cookies = self.jar().header(&visit.url, is_post, visit.from);
        if let Some(cookies) = cookies {
            request = request.header(header::COOKIE, cookies);
        }
        let response = request.send().await.needed("a page could not be fetched")?;
        let (status, headers) = (response.status(), response.headers().clone());
        self.jar().take(&visit.url, &headers);
        let text = response.text().await.needed("a page could not be read")?;
        let elements = html::read(&text);
        Ok(Page { url: visit.url.clone(), status, headers, text, elements })
    }

    /// The cookies that a script in a page of this URL reads, as `document.cookie` has them.
    pub(crate) fn cookies_of_scripts(&self, url: &Url) -> String {
        self.jar().seen_by_scripts(url)
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a page leads by itself: a redirect, or a form that a script would submit to the relying party.
fn next(visit: &Visit, page: &Page) -> Verdict<Option<Visit>> {
    if page.status.is_redirection() {
        let location = page.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let url = page.url.join(location.needed("a redirect's Location")?).needed("a redirect's Location")?;
        let keeps = matches!(page.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        let form = if keeps { visit.form.clone() } else { None };
        return Ok(Some(Visit { url, form, from: visit.from }));
    }
    for form in &page.elements.forms {
        let Some(url) = form.action.as_deref().and_then(|action| page.url.join(action).ok()) else { continue };
        if is_relying(&url) && form.is_post {
            return Ok(Some(Visit { url, form: Some(form.values()), from: Site::Provider }));
        }
    }
    Ok(None)
}

/// Whether a URL is one of ours, whichever.
pub(crate) fn is_relying(url: &Url) -> bool {
    url.origin() == relying().origin()
}

fn relying() -> Url {
    Url::parse(CALLBACK).expect("a constant that is a URL")
}

fn back(visit: &Visit) -> Verdict<Answer> {
    let fragment = visit.url.fragment().unwrap_or_default();
    let (via, pairs): (Via, Vec<(String, String)>) = match &visit.form {
        Some(fields) => (Via::FormPost, fields.clone()),
        None if !fragment.is_empty() => {
            (Via::Fragment, form_urlencoded::parse(fragment.as_bytes()).into_owned().collect())
        }
        None => (Via::Query, visit.url.query_pairs().into_owned().collect()),
    };
    let mut parameters = BTreeMap::new();
    for (name, value) in pairs {
        let twice = format!("the answer has the parameter {name} twice");
        if parameters.insert(name, value).is_some() {
            return Err(failed(twice));
        }
    }
    Ok(Answer { url: visit.url.clone(), via, parameters })
}

/// `application/x-www-form-urlencoded`
pub(crate) fn encoded(fields: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

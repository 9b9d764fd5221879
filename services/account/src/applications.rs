//! The applications that users find on the front page: a list that the operator keeps in a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use authn::{User, role};
use config::read_yaml_file;
use runtime::{Context, FileSetting, FileValue, Reading, Service};
use serde::Deserialize;
use web::policy::destination;

/// The setting that names the file.
const SETTING: &str = "ACCOUNT_APPLICATIONS_FILE";

/// The file with the applications cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("ACCOUNT_APPLICATIONS_FILE names {}: {problem}", file.display())]
pub struct FileError {
    file: PathBuf,
    problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    applications: Vec<Application>,
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Where it is: a URL with https, or a path at the edge.
    pub url: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The groups whose members see it.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The roles whose holders see it, by their names (`admin`) or identifiers.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl Application {
    /// Whether a user sees it: everyone if it names neither groups nor roles. Only the link is hidden from others; the application
    /// decides itself who may use it.
    pub fn is_visible_to(&self, user: &User) -> bool {
        let is_for_all = self.groups.is_empty() && self.roles.is_empty();
        let is_member = || self.groups.iter().any(|group| user.groups.contains(group));
        let has_role = || self.roles.iter().any(|name| user.roles.iter().any(|own| own == role::id(name)));
        is_for_all || is_member() || has_role()
    }
}

/// Reads the applications; none without a file.
///
/// # Errors
/// [`FileError`], with the problem.
pub fn read(file: Option<&Path>) -> Result<Vec<Application>, FileError> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let error = |problem: String| FileError { file: file.to_owned(), problem };
    let text = read_yaml_file(file).map_err(|problem| error(format!("it cannot be read: {problem}")))?;
    parse(&text).map_err(error)
}

/// The applications of a file that is read again when it changes and at SIGHUP; none without a file.
///
/// # Errors
/// [`FileError`], with the problem.
pub(crate) fn follow(file: Option<&Path>, context: &Context) -> Result<Arc<FileValue<Vec<Application>>>, FileError> {
    let Some(file) = file.map(Path::to_owned) else { return Ok(FileValue::fixed(Vec::new())) };
    let setting = FileSetting { service: crate::Account::IDENTITY.name, name: SETTING, files: vec![file.clone()] };
    let read = move |_: Option<&Vec<Application>>| {
        let value = read(Some(&file))?;
        Ok::<_, FileError>(Reading { value, files: vec![file.clone()] })
    };
    let changes = |before: &Vec<Application>, after: &Vec<Application>| changes(before, after);
    FileValue::open(setting, read, changes, context)
}

/// The names of applications that are new, changed or gone.
fn changes(before: &[Application], after: &[Application]) -> String {
    let only_in = |one: &[Application], other: &[Application]| {
        let names = one.iter().filter(|application| !other.contains(application)).map(|one| one.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let (new, former) = (only_in(after, before), only_in(before, after));
    format!("{} applications; new or changed: [{new}]; removed or changed: [{former}]", after.len())
}

fn parse(text: &str) -> Result<Vec<Application>, String> {
    let document: Document = serde_yaml_ng::from_str(text).map_err(|problem| problem.to_string())?;
    for (at, application) in document.applications.iter().enumerate() {
        let number = at + 1;
        if application.name.trim().is_empty() {
            return Err(format!("application {number} has no name"));
        }
        if !is_link(&application.url) {
            let url = &application.url;
            return Err(format!("application {number}: url {url:?} must be a path, like /files, or a URL with https"));
        }
    }
    Ok(document.applications)
}

/// Whether a text is a link that a page may have: a path at the edge, or a URL with https.
pub(crate) fn is_link(text: &str) -> bool {
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
    let is_url = text.starts_with("https://") && destination(text).is_some();
    (is_path || is_url) && !text.chars().any(|character| character.is_control() || character.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_with_groups_and_roles_is_visible_to_either() {
        let text = "applications:\n\
                    - { name: Files, url: /files, description: Your files }\n\
                    - { name: Lab, url: 'https://lab.example', groups: [physicists], roles: [admin] }\n";
        let applications = parse(text).expect("a valid file");
        let names = |user: &User| -> Vec<String> {
            let visible = applications.iter().filter(|application| application.is_visible_to(user));
            visible.map(|application| application.name.clone()).collect()
        };
        let marie = authn::testing::user("marie");
        assert_eq!(names(&marie), ["Files"]);
        assert_eq!(names(&User { groups: vec!["physicists".to_owned()], ..marie }), ["Files", "Lab"]);
        assert_eq!(names(&authn::testing::user("admin")), ["Files", "Lab"]);
    }

    #[test]
    fn invalid_applications_are_refused_with_their_number() {
        for url in ["javascript:alert(1)", "//evil.example", "files", "http://a.example", "", "/a b", "/\\evil"] {
            let problem = parse(&format!("applications: [{{ name: A, url: {url:?} }}]")).expect_err(url);
            assert!(problem.contains("application 1") && problem.contains("https"), "{problem}");
        }
        assert!(parse("applications: [{ name: ' ', url: /a }]").is_err());
        assert!(parse("applications: [{ name: A, url: /a, colour: red }]").is_err());
        assert_eq!(parse("applications: []"), Ok(Vec::new()));
    }

    #[tokio::test]
    async fn changed_file_replaces_the_applications_and_an_invalid_one_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("applications.yaml");
        let write =
            |applications: &str| std::fs::write(&file, format!("applications: [{applications}]")).expect("writes");
        write("{ name: Files, url: /files }");
        let context = Context::new(config::Environment::default());
        let applications = follow(Some(&file), &context).expect("a valid file");
        let mut readings = applications.readings();
        let lists = [("{ name: Lab, url: 'javascript:a' }", "Files"), ("{ name: Wiki, url: /wiki }", "Wiki")];
        let first = applications.current();
        for (list, expected) in lists {
            write(list);
            context.reload.announce();
            let changed = tokio::time::timeout(std::time::Duration::from_secs(20), readings.changed());
            changed.await.expect("in time").expect("is followed");
            assert_eq!(applications.current()[0].name, expected);
        }
        let expected = "1 applications; new or changed: [Wiki]; removed or changed: [Files]";
        assert_eq!(changes(&first, &applications.current()), expected);
    }

    #[test]
    fn missing_file_is_named() {
        let problem = read(Some(Path::new("/nonexistent/applications.yaml"))).expect_err("there is none").to_string();
        assert!(problem.starts_with("ACCOUNT_APPLICATIONS_FILE names /nonexistent/applications.yaml"), "{problem}");
        assert!(read(None).is_ok_and(|applications| applications.is_empty()));
    }
}

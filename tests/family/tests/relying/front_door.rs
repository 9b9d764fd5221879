//! The quick start as a new user meets it, in a browser: the URL that it prints, the sign-in, an app token, a second factor, a
//! passkey.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use testkit::{Layout, binary, note_secret};

use crate::relying::mail_server::MailServer;
use crate::relying::world::{is_installed, run};

/// The quick start as it runs without configuration, but for its folder and its ports.
fn variables(layout: &Layout) -> BTreeMap<String, String> {
    let kept = ["OCIS_BASE_DATA_PATH", "OCIS_CONFIG_DIR", "OCIS_LOG_FILE", "OCIS_LOG_LEVEL"];
    // Envoy asks the edge by gRPC only where it is named
    let is_address = |name: &str| name.ends_with("_ADDR") && name != "PROXY_GRPC_ADDR";
    let is_kept = |name: &str| is_address(name) || name.starts_with("AUTH_BASIC_ARGON2") || kept.contains(&name);
    layout.variables().iter().filter(|(name, _)| is_kept(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn user_of_the_quickstart_makes_and_revokes_an_app_token_in_chromium() {
    walk("front_door", &[], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_of_the_quickstart_sets_up_a_second_factor_in_chromium() {
    walk("second_factor", &[("IDP_MFA_POLICY", "required")], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn password_change_signs_out_other_browsers_in_chromium() {
    walk("password_change", &[], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_of_the_quickstart_signs_in_with_a_passkey_in_chromium() {
    walk("passkey", &[], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_of_the_quickstart_changes_how_to_sign_in_in_chromium() {
    walk("sign_in_methods", &[], 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_who_forgot_the_password_sets_another_one_and_changes_the_mail_address_in_chromium() {
    if !is_installed() {
        return;
    }
    let server = MailServer::start();
    let mut settings = server.settings();
    settings.insert("USERS_SELF_SERVICE_ATTRIBUTES", "display_name,mail".to_owned());
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    walk_with("einstein", "mail", &settings, Some(server.mails()), 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrator_of_the_quickstart_manages_users_in_chromium() {
    walk_as("admin", "administration", &[], 6).await;
}

/// Starts the quick start with these settings more, and runs a script as einstein, which prints so many lines.
async fn walk(script: &str, settings: &[(&str, &str)], printed: usize) {
    walk_as("einstein", script, settings, printed).await;
}

/// The same as another user. The script knows marie, too.
async fn walk_as(login: &str, script: &str, settings: &[(&str, &str)], printed: usize) {
    walk_with(login, script, settings, None, printed).await;
}

/// The same for a script that reads the mails in a folder.
async fn walk_with(login: &str, script: &str, settings: &[(&str, &str)], mails: Option<PathBuf>, printed: usize) {
    if !is_installed() {
        return;
    }
    let layout = Layout::new(&format!("process-{script}"), false);
    let mut command = Command::new(binary("doorward"));
    command
        .arg("quickstart")
        .env_clear()
        .envs(variables(&layout))
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut quickstart = Quickstart(command.spawn().expect("it starts"));
    let output = BufReader::new(quickstart.0.stdout.take().expect("a pipe"));
    // read to its end as on a terminal: the quick start takes back users whose passwords cannot be shown
    let mut lines = output.lines().map_while(Result::ok);
    let (site, passwords) = introduction(&mut lines);
    let rest = tokio::task::spawn_blocking(move || lines.for_each(drop));
    for password in passwords.values() {
        note_secret(password);
    }

    let screenshots = format!("{}/screenshots", env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&screenshots).expect("a folder can be made");
    let address = layout.variables()["PROXY_HTTP_ADDR"].clone();
    let mut environment = BTreeMap::from([
        ("SITE", site),
        ("ADDRESS", address),
        ("LOGIN", login.to_owned()),
        ("PASSWORD", passwords[login].clone()),
        ("USER", "marie".to_owned()),
        ("USER_PASSWORD", passwords["marie"].clone()),
        ("SCREENSHOTS", screenshots),
    ]);
    environment.extend(mails.map(|folder| ("MAIL", folder.display().to_string())));
    let done = run("node".into(), &format!("{script}.mjs"), &environment).await;
    assert_eq!(done.lines().count(), printed, "{done}");
    drop(quickstart);
    rest.await.expect("the quick start closes its output");
}

/// The URL to click, and the passwords of the users.
fn introduction(lines: impl Iterator<Item = String>) -> (String, BTreeMap<String, String>) {
    let (mut site, mut passwords) = (None, BTreeMap::new());
    for line in lines {
        let mut words = line.split_whitespace();
        if let Some(url) = line.split_whitespace().find(|word| word.starts_with("https://")) {
            site.get_or_insert_with(|| url.trim_end_matches(['/', '.']).to_owned());
        }
        let user = words.next().filter(|word| ["einstein", "marie", "richard", "admin"].contains(word));
        if let Some((user, password)) = user.zip(words.next()) {
            passwords.insert(user.to_owned(), password.to_owned());
        }
        if let Some(site) = site.clone().filter(|_| passwords.len() == 4) {
            return (site, passwords);
        }
    }
    panic!("the quick start ended before it named its URL and the users: {site:?}");
}

struct Quickstart(std::process::Child);

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
